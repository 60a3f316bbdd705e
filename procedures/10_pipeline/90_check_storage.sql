-- Is the database in good health as PostgreSQL sees it: indexes, statistics, settings?
--
-- One row a check, described in kpi.checks. Settings are those that a new session gets,
-- whatever this one set for itself. Volatile: files grow beside every snapshot.
create or replace function pipeline.check_storage()
returns table (
    check_name text,
    compared bigint,
    wrong bigint,
    example text
)
language sql
volatile
parallel unsafe
set search_path = ''
as $$
    with our_table as (
        select
            c.oid,
            c.oid::regclass::text as name,
            c.reltuples,
            coalesce(s.n_mod_since_analyze, 0) as changed,
            coalesce(s.n_dead_tup, 0) as dead,
            coalesce(s.n_live_tup, 0) as live,
            -- On ten pages or less, no plan is bad.
            pg_catalog.pg_relation_size(c.oid) > 10 * current_setting('block_size')::integer as is_large
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n
            on n.oid = c.relnamespace
        left join pg_catalog.pg_stat_all_tables s
            on s.relid = c.oid
        where n.nspname in ('raw', 'billing', 'usage', 'ledger', 'meta')
            and c.relkind in ('r', 'p')
            and c.relowner = 'pgmrr_owner'::regrole
    ),
    part as (
        select
            i.indexrelid::regclass::text as name,
            i.indisvalid and i.indisready as is_good
        from pg_catalog.pg_index i
        join our_table t
            on t.oid = i.indrelid
        union all
        select
            format('%s on %s', k.conname, t.name),
            k.convalidated
        from pg_catalog.pg_constraint k
        join our_table t
            on t.oid = k.conrelid
        union all
        select
            format('%s on %s', g.tgname, t.name),
            g.tgenabled <> 'D'
        from pg_catalog.pg_trigger g
        join our_table t
            on t.oid = g.tgrelid
        where not g.tgisinternal
    ),
    setting as (
        select
            s.name,
            s.reset_val,
            s.reset_val = case s.name when 'jit' then 'off' else 'on' end as is_good
        from pg_catalog.pg_settings s
        where s.name in ('autovacuum', 'track_counts', 'fsync', 'full_page_writes', 'data_checksums', 'jit')
    ),
    server as (
        select
            'PostgreSQL ' || current_setting('server_version') as name,
            current_setting('server_version_num')::integer between 150000 and 189999 as is_good
        union all
        select
            'encoding ' || current_setting('server_encoding'),
            current_setting('server_encoding') = 'UTF8'
    )
    select
        'indexes, constraints, triggers',
        count(*),
        count(*) filter (where not p.is_good),
        min(p.name) filter (where not p.is_good)
    from part p
    union all
    select
        'server',
        count(*),
        count(*) filter (where not s.is_good),
        min(s.name) filter (where not s.is_good)
    from server s
    union all
    select
        'server settings',
        count(*),
        count(*) filter (where not s.is_good),
        string_agg(format('%s = %s', s.name, s.reset_val), ', ' order by s.name) filter (where not s.is_good)
    from setting s
    union all
    select
        'statistics',
        count(*),
        count(*) filter (where t.is_large and (t.reltuples < 0 or t.changed > 1000 + 0.2 * t.reltuples)),
        string_agg(t.name, ', ' order by t.name)
        filter (where t.is_large and (t.reltuples < 0 or t.changed > 1000 + 0.2 * t.reltuples))
    from our_table t
    union all
    select
        'dead rows',
        count(*),
        count(*) filter (where t.is_large and t.dead > greatest(1000, t.live)),
        string_agg(t.name, ', ' order by t.name) filter (where t.is_large and t.dead > greatest(1000, t.live))
    from our_table t;
$$;

comment on function pipeline.check_storage() is
    'Looks at indexes, constraints, triggers, statistics, and the server''s version and settings: one row a check of kpi.checks.';
revoke all on function pipeline.check_storage() from public;
grant execute on function pipeline.check_storage() to pgmrr_writer;
