-- May everybody do what was decided, and no more?
--
-- One row a check, described in kpi.checks. PUBLIC has nothing of ours; a reader reads and
-- calls kpi; a writer reads everything, calls all our code, and changes data but neither
-- views nor the books of the migrations nor the record of settings; nobody has a single
-- column. What others were granted on purpose is theirs.
create or replace function pipeline.check_privileges()
returns table (
    check_name text,
    compared bigint,
    wrong bigint,
    example text
)
language sql
stable
parallel safe
set search_path = ''
as $$
    with recursive our_schema as (
        select
            n.oid,
            n.nspname,
            n.nspowner
        from pg_catalog.pg_namespace n
        where n.nspname in ('raw', 'billing', 'usage', 'ledger', 'meta', 'pipeline', 'simulation', 'kpi')
    ),
    relation as (
        select
            c.oid,
            c.oid::regclass::text as name,
            c.relowner,
            c.relkind,
            c.relacl,
            s.nspname,
            c.relname ~ '^(_yoyo|yoyo_|migration_checksum$|procedure_checksum$)' as is_book,
            c.oid = 'meta.setting_change'::regclass as is_record
        from pg_catalog.pg_class c
        join our_schema s
            on s.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
    ),
    routine as (
        select
            p.oid,
            p.oid::regprocedure::text as name,
            p.proowner,
            p.proacl,
            s.nspname
        from pg_catalog.pg_proc p
        join our_schema s
            on s.oid = p.pronamespace
    ),
    owned as (
        select
            s.nspname::text as name,
            s.nspowner as owner
        from our_schema s
        union all
        select
            r.name,
            r.relowner
        from relation r
        where not r.is_book
        union all
        select
            r.name,
            r.proowner
        from routine r
    ),
    -- Which roles each of ours is a member of, itself or by another.
    membership as (
        select
            m.member as ours,
            m.roleid
        from pg_catalog.pg_auth_members m
        where m.member in ('pgmrr_owner'::regrole, 'pgmrr_writer'::regrole, 'pgmrr_reader'::regrole)
        union
        select
            b.ours,
            m.roleid
        from membership b
        join pg_catalog.pg_auth_members m
            on m.member = b.roleid
    ),
    role as (
        select
            w.name,
            r.oid is not null
            and not (
                r.rolcanlogin or r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication
            )
            and not exists (
                select
                from membership b
                join pg_catalog.pg_roles o
                    on o.oid = b.roleid
                where b.ours = r.oid
                    and (
                        o.rolsuper or o.rolbypassrls or o.rolcreaterole or o.rolcreatedb or o.rolreplication
                        -- Those of PostgreSQL itself: read all data, execute programs of the server, and so on.
                        or o.rolname ~ '^pg_'
                        or o.rolname in ('pgmrr_owner', 'pgmrr_writer')
                    )
            ) as is_good
        from (values ('pgmrr_owner'), ('pgmrr_writer'), ('pgmrr_reader')) w (name)
        left join pg_catalog.pg_roles r
            on r.rolname = w.name
    ),
    -- What each object lets each role do, beside what was decided.
    privilege as (
        select
            s.nspname::text as name,
            w.grantee,
            w.what,
            pg_catalog.has_schema_privilege(w.grantee, s.oid, w.what) as is_given,
            case
                -- Citus asks its workers with the reader's own rights: pgmrr distribute gives what that takes.
                when w.what = 'usage' and w.grantee = 'pgmrr_reader' and s.nspname in ('raw', 'billing', 'usage', 'ledger', 'meta')
                    and pg_catalog.to_regclass('pg_catalog.pg_dist_partition') is not null then null
                else w.what = 'usage' and (w.grantee = 'pgmrr_writer' or w.grantee = 'pgmrr_reader' and s.nspname = 'kpi')
            end as is_decided
        from our_schema s
        cross join (
            values
            ('public', 'usage'), ('public', 'create'), ('pgmrr_reader', 'usage'), ('pgmrr_reader', 'create'),
            ('pgmrr_writer', 'usage'), ('pgmrr_writer', 'create')
        ) w (grantee, what)
        union all
        select
            r.name,
            w.grantee,
            w.what,
            pg_catalog.has_table_privilege(w.grantee, r.oid, w.what),
            case
                when w.grantee = 'public' then false
                when w.what = 'select' and w.grantee = 'pgmrr_reader' and r.relkind = 'r' and not r.is_book
                    and pg_catalog.to_regclass('pg_catalog.pg_dist_partition') is not null then null
                when w.what = 'select' then w.grantee = 'pgmrr_writer' and not r.is_book or r.nspname = 'kpi'
                -- A table of data is written by functions that have the writer's own rights: which verbs,
                -- its migration says.
                when w.what in ('insert', 'update', 'delete')
                    and w.grantee = 'pgmrr_writer' and r.relkind = 'r' and not r.is_book and not r.is_record then null
                else false
            end
        from relation r
        cross join (values ('public'), ('pgmrr_reader'), ('pgmrr_writer')) g (grantee)
        cross join lateral (
            values
            (g.grantee, 'select'), (g.grantee, 'insert'), (g.grantee, 'update'), (g.grantee, 'delete'),
            (g.grantee, 'truncate'), (g.grantee, 'references'), (g.grantee, 'trigger')
        ) w (grantee, what)
        where r.relkind <> 'S'
            -- The books of the migrations are for whoever migrates.
            and not (r.is_book and w.what = 'select')
        union all
        select
            r.name,
            g.grantee,
            'execute',
            pg_catalog.has_function_privilege(g.grantee, r.oid, 'execute'),
            case g.grantee
                when 'pgmrr_reader' then r.nspname = 'kpi'
                when 'pgmrr_writer' then r.nspname in ('pipeline', 'simulation', 'kpi')
                else false
            end
        from routine r
        cross join (values ('public'), ('pgmrr_reader'), ('pgmrr_writer')) g (grantee)
        union all
        select
            r.name,
            w.grantee,
            w.what,
            pg_catalog.has_sequence_privilege(w.grantee, r.oid, w.what),
            false
        from relation r
        cross join (
            values
            ('public', 'usage'), ('public', 'select'), ('public', 'update'),
            ('pgmrr_reader', 'usage'), ('pgmrr_reader', 'select'), ('pgmrr_reader', 'update'),
            ('pgmrr_writer', 'usage'), ('pgmrr_writer', 'select'), ('pgmrr_writer', 'update')
        ) w (grantee, what)
        where r.relkind = 'S'
        union all
        -- What was granted on a column goes round what its table was not given.
        select
            format('%s.%I', r.name, a.attname),
            coalesce(nullif(g.grantee, 0)::regrole::text, 'public'),
            lower(g.privilege_type),
            true,
            false
        from relation r
        join pg_catalog.pg_attribute a
            on a.attrelid = r.oid
        cross join lateral pg_catalog.aclexplode(a.attacl) g
        where g.grantee in (0, 'pgmrr_reader'::regrole, 'pgmrr_writer'::regrole)
    )
    select
        'owner',
        count(*),
        count(*) filter (where o.owner <> 'pgmrr_owner'::regrole),
        min(format('%s belongs to %s', o.name, o.owner::regrole::text)) filter (where o.owner <> 'pgmrr_owner'::regrole)
    from owned o
    union all
    select
        'roles',
        count(*),
        count(*) filter (where not r.is_good),
        min(r.name) filter (where not r.is_good)
    from role r
    union all
    select
        'privileges',
        count(*),
        count(*) filter (where p.is_given <> p.is_decided),
        min(format(
            '%s %s %s %s', p.grantee, case when p.is_given then 'may' else 'may not' end, p.what, p.name
        )) filter (where p.is_given <> p.is_decided)
    from privilege p;
$$;

comment on function pipeline.check_privileges() is
    'Looks at owners, roles and privileges of everything of ours: one row a check of kpi.checks.';
revoke all on function pipeline.check_privileges() from public;
grant execute on function pipeline.check_privileges() to pgmrr_writer;
