-- What a restored database needs of its cluster, and pg_dump does not keep: as the first migration makes it.
do $cluster$
begin
    if not pg_catalog.pg_has_role(
        'pgmrr_owner',
        case when pg_catalog.current_setting('server_version_num')::integer < 160000 then 'member' else 'set' end
    ) then
        execute pg_catalog.format('grant pgmrr_owner to %I', current_user);
    end if;
    execute pg_catalog.format('grant create on database %I to pgmrr_owner', pg_catalog.current_database());
    alter default privileges for role pgmrr_owner revoke execute on functions from public;
end
$cluster$;
