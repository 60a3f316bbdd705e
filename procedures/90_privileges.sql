-- Who may do what. Each object's own file grants it; this file takes away what nobody
-- decided on: PUBLIC has nothing of ours. What others made in our schemas is theirs.
do $revoke$
declare
    v_ours text;
begin
    for v_ours in
        select format('schema %I', n.nspname)
        from pg_catalog.pg_namespace n
        where n.nspowner = 'pgmrr_owner'::regrole
        union all
        select format('table %s', c.oid::regclass)
        from pg_catalog.pg_class c
        where c.relowner = 'pgmrr_owner'::regrole
            and c.relkind in ('r', 'p', 'v', 'm', 'S')
        union all
        select format('routine %s', p.oid::regprocedure)
        from pg_catalog.pg_proc p
        where p.proowner = 'pgmrr_owner'::regrole
    loop
        execute format('revoke all on %s from public', v_ours);
    end loop;
end
$revoke$;
