-- Who may do what: PUBLIC nothing, readers kpi, writers the data, and only the owner the objects.
begin;
select plan(21);

-- Runs a statement as a role; returns how it failed, NULL where it did not.
create function pg_temp.failure_as(p_role text, p_statement text)
returns text
language plpgsql
as $$
begin
    perform set_config('role', p_role, true);
    execute p_statement;
    perform set_config('role', 'none', true);
    return null;
exception
    when others then
        return format('%s %s', sqlstate, sqlerrm);
end;
$$;

-- A call of each function of kpi. A new function needs a line here.
create temp table call (name text, statement text);
insert into call (name, statement)
values
('biggest_customers', $$ select * from kpi.biggest_customers('2024-02-29', 3) $$),
('change_drivers', $$ select * from kpi.change_drivers('{2024-01-01}', '{2024-01-01}', '{100}') $$),
('check_attribute', $$ select kpi.check_attribute('term') $$),
('cohort_retention', $$ select * from kpi.cohort_retention() $$),
('compare_profiles', $$ select * from kpi.compare_profiles('2024-02-01', '2024-03-31') $$),
('concentration', $$ select * from kpi.concentration('2024-02-29') $$),
('concentration_curve', $$ select * from kpi.concentration_curve('2024-02-29') $$),
('conversion', $$ select kpi.conversion('EUR', 'eur') $$),
('customer_attribute', $$ select kpi.customer_attribute('customer.term') $$),
('covered_range', $$ select * from kpi.covered_range('2024-02-01', '2024-03-31') $$),
('dominant_term', $$ select kpi.dominant_term(50, 50, 0) $$),
('draw', $$ select kpi.draw(1, 1) $$),
('engagement_by_period', $$ select * from kpi.engagement_by_period('{2024-02-01, 2024-03-01}') $$),
('forecast', $$ select * from kpi.forecast() $$),
('forecast_backtest', $$ select * from kpi.forecast_backtest() $$),
('forecast_boundaries', $$ select kpi.forecast_boundaries(3) $$),
('forecast_damped_trend', $$ select * from kpi.forecast_damped_trend('{1, 2, 4}') $$),
('forecast_drift', $$ select * from kpi.forecast_drift('{1, 2, 4}') $$),
('forecast_level_spread', $$ select * from kpi.forecast_level_spread('{4}', 2, 10, '{0.1, 0.9}') $$),
('forecast_months', $$ select * from kpi.forecast_months(3) $$),
('forecast_movement_spread', $$ select * from kpi.forecast_movement_spread('{4}', 2, 10, '{0.1, 0.9}') $$),
('forecast_movements', $$ select * from kpi.forecast_movements(2) $$),
('forecast_naive', $$ select * from kpi.forecast_naive('{1, 2, 4}') $$),
('forecast_points', $$ select * from kpi.forecast_points(2) $$),
('forecast_rates', $$ select * from kpi.forecast_rates(2) $$),
('month_boundaries', $$ select kpi.month_boundaries() $$),
('movements', $$ select * from kpi.movements('2024-02-01', '2024-03-31') $$),
('mrr_at', $$ select kpi.mrr_at('ann', '2024-02-29') + kpi.mrr_at('fay', '2024-02-29', 'EUR') $$),
('mrr_by_customer', $$ select * from kpi.mrr_by_customer('2024-02-29') $$),
('mrr_distribution', $$ select * from kpi.mrr_distribution('2024-04-30') $$),
('mrr_in_currency', $$ select kpi.mrr_in_currency('ann', '2024-02-29', 'EUR') $$),
('mrr_monthly_as_of', $$ select * from kpi.mrr_monthly_as_of(1) $$),
('mrr_total_as_of', $$ select kpi.mrr_total_as_of(1, '2024-02-29') $$),
('restatements', $$ select * from kpi.restatements(1, 1) $$),
('mrr_explain', $$ select * from kpi.mrr_explain('ann', '2024-02-29') $$),
('mrr_monthly_by', $$ select * from kpi.mrr_monthly_by('currency') $$),
('mrr_total_at', $$ select kpi.mrr_total_at('2024-02-29') + kpi.mrr_total_at('2024-02-29', 'EUR') $$),
('period_changes', $$ select * from kpi.period_changes('month') $$),
('price_band', $$ select kpi.price_band(99) $$),
('profile_differences', $$ select * from kpi.profile_differences('2024-02-01', '2024-03-31') $$),
('profile_parts', $$ select * from kpi.profile_parts('2024-02-01', '2024-03-31') $$),
('renewals', $$ select * from kpi.renewals('2024-05-01', '2025-12-31') $$),
('renewals_monthly', $$ select * from kpi.renewals_monthly('2024-05-01', '2025-12-31') $$),
('retention', $$ select * from kpi.retention('2024-02-01', '2024-03-31') $$),
('retention_by', $$ select * from kpi.retention_by('term', '2024-02-01', '2024-03-31') $$),
('retention_by_period', $$ select * from kpi.retention_by_period('{2024-02-01, 2024-03-01}') $$),
('retention_of', $$ select * from kpi.retention_of('{2024-02-01, 2024-03-01}') $$),
('retention_trailing', $$ select * from kpi.retention_trailing('2024-04-30') $$),
('risks', $$ select * from kpi.risks() $$),
('scenario', $$ select * from kpi.scenario() $$),
('segment', $$ select * from kpi.segment('price_band', '2024-02-29') $$),
('segment_history', $$ select * from kpi.segment_history('term') $$),
('significant_day_drivers', $$ select * from kpi.significant_day_drivers('2024-01-01') $$),
('significant_days', $$ select * from kpi.significant_days('2024-01-01', '2024-02-29') $$),
('significant_periods', $$ select * from kpi.significant_periods('month', null, null, 1) $$),
('term_calendar', $$ select * from kpi.term_calendar('{2024-02-01, 2024-03-01}') $$),
('usage_and_churn', $$ select * from kpi.usage_and_churn('2024-02-01', '2024-04-30') $$),
('usage_at_risk', $$ select * from kpi.usage_at_risk('2024-04-30') $$),
('usage_by_customer', $$ select * from kpi.usage_by_customer('{2024-02-01, 2024-03-01}') $$),
('usage_changes', $$ select * from kpi.usage_changes('2024-02-01', '2024-04-30') $$),
('waterfall', $$ select * from kpi.waterfall('{2024-02-01, 2024-03-01}') $$),
('waterfall_by', $$ select * from kpi.waterfall_by('currency', '{2024-02-01, 2024-03-01}') $$);

select set_eq(
    $$ select p.proname::text from pg_proc p where p.pronamespace = 'kpi'::regnamespace $$,
    $$ select c.name from call c $$,
    'this test calls every function of kpi'
);

insert into call (name, statement)
select c.relname, format('select * from kpi.%I', c.relname)
from pg_class c
where c.relnamespace = 'kpi'::regnamespace;

-- Our schemas, and what is in them. The books of the migrations belong to whoever migrates.
create temp table our_schema as
select n.oid, n.nspname as name
from pg_namespace n
where n.nspname in ('raw', 'billing', 'usage', 'ledger', 'meta', 'pipeline', 'simulation', 'kpi');

create temp table our_relation as
select c.oid, s.name as schema, c.oid::regclass::text as name, c.relowner as owner, c.relacl as acl
from pg_class c
join our_schema s on s.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
    and c.relname !~ '^(_yoyo|yoyo_|migration_checksum$|procedure_checksum$)';

create temp table our_routine as
select p.oid, s.name as schema, p.oid::regprocedure::text as name, p.proowner as owner, p.prosecdef as is_security_definer
from pg_proc p
join our_schema s on s.oid = p.pronamespace;

select ok(
    (select count(*) from our_schema) = 8
    and (select count(*) from our_relation) > 40
    and (select count(*) from our_routine) > 40
    and (select count(*) from call) > 30,
    'there is something to look at'
);

-- Owner ----------------------------------------------------------------------------------------

select is_empty(
    $$
    select o.name
    from (
        select n.nspname, n.nspowner from pg_namespace n join our_schema s on s.oid = n.oid
        union all
        select r.name, r.owner from our_relation r
        union all
        select r.name, r.owner from our_routine r
        union all
        select t.typname, t.typowner
        from pg_type t
        join our_schema s on s.oid = t.typnamespace
        where t.typrelid = 0
            and t.typelem = 0
    ) o (name, owner)
    where o.owner <> 'pgmrr_owner'::regrole
    $$,
    'pgmrr_owner owns everything'
);
select set_eq(
    $$ select r.name from our_routine r where r.is_security_definer $$,
    $$
    values
    ('kpi.mrr_total_as_of(bigint,date)'), ('kpi.mrr_monthly_as_of(bigint)'), ('kpi.restatements(bigint,bigint)'),
    ('meta.record_setting_change()'), ('pipeline.make_staging_table(text,integer,text[])'),
    ('pipeline.drop_staging_table(text)')
    $$,
    'every function runs with the rights of its caller, but for those that evaluate past versions for readers, keep the record of settings or make a place for a file'
);
select is_empty(
    $$ select r.rolname from pg_roles r where r.rolname in ('pgmrr_owner', 'pgmrr_writer', 'pgmrr_reader') and (r.rolcanlogin or r.rolsuper) $$,
    'our roles are no users'
);
select is_empty(
    $$
    select m.roleid::regrole, m.member::regrole
    from pg_auth_members m
    where m.roleid in ('pgmrr_owner'::regrole, 'pgmrr_writer'::regrole)
        and m.member in ('pgmrr_writer'::regrole, 'pgmrr_reader'::regrole)
    $$,
    'readers are no writers, and writers no owners'
);

-- PUBLIC ---------------------------------------------------------------------------------------

select is_empty(
    $$
    select s.name from our_schema s where has_schema_privilege('public', s.oid, 'usage, create')
    union all
    select r.name from our_relation r where exists (select from aclexplode(r.acl) a where a.grantee = 0)
    union all
    select r.name from our_routine r where has_function_privilege('public', r.oid, 'execute')
    union all
    select a.attrelid::regclass::text
    from pg_attribute a
    join our_relation r on r.oid = a.attrelid
    cross join lateral aclexplode(a.attacl) x
    $$,
    'PUBLIC has nothing, and no column has privileges of its own'
);
set local role pgmrr_owner;
create function kpi.made_later() returns integer language sql immutable return 1;
reset role;
select ok(
    not has_function_privilege('public', 'kpi.made_later()', 'execute'),
    'PUBLIC has nothing in what is made later either'
);
drop function kpi.made_later();

-- pgmrr_reader ---------------------------------------------------------------------------------

select is_empty(
    $$
    select c.name, f.failure
    from call c
    cross join lateral (select pg_temp.failure_as('pgmrr_reader', c.statement) as failure) f
    where f.failure is not null
    $$,
    'a reader can call every function and read every view of kpi in an empty database'
);
select is_empty(
    $$
    select s.name from our_schema s where has_schema_privilege('pgmrr_reader', s.oid, 'usage') <> (s.name = 'kpi')
    union all
    select s.name from our_schema s where has_schema_privilege('pgmrr_reader', s.oid, 'create')
    union all
    select r.name
    from our_relation r
    where has_table_privilege('pgmrr_reader', r.oid, 'select') <> (r.schema = 'kpi')
    union all
    select r.name
    from our_relation r
    where has_table_privilege('pgmrr_reader', r.oid, 'insert, update, delete, truncate, references, trigger')
    union all
    select r.name
    from our_routine r
    where has_function_privilege('pgmrr_reader', r.oid, 'execute') <> (r.schema = 'kpi')
    $$,
    'a reader can read and call kpi, and nothing else'
);
select is_empty(
    $$
    select s.statement, f.failure
    from unnest(array[
        'select from raw.invoice', 'select from billing.charge', 'select from ledger.movement', 'select from meta.setting',
        'select from usage.session', 'call pipeline.rebuild()', 'select simulation.month_start(''2024-01-01'', 1)',
        'delete from kpi.balance', 'update kpi.ledger set customer_id = null', 'create view kpi.mine as select 1 as one',
        'create table public.mine (one integer)', 'drop view kpi.headline'
    ]) s (statement)
    cross join lateral (select pg_temp.failure_as('pgmrr_reader', s.statement) as failure) f
    where f.failure is null
        or f.failure not like '42501 %'
    $$,
    'a reader is refused everything else'
);

-- pgmrr_writer ---------------------------------------------------------------------------------

set local role pgmrr_writer;
\ir companies/complete.sql
insert into usage.session (customer_id, session_number, created_at, batch_id)
values ('ann', 1, '2024-02-01 00:00 UTC', 1), ('ann', 2, '2024-03-15 00:00 UTC', 1);
reset role;

select is(kpi.mrr_total_at('2024-04-30'), 250.04, 'a writer can bring in facts and refresh');
select is_empty(
    $$
    select c.name, f.failure
    from call c
    cross join lateral (select pg_temp.failure_as('pgmrr_writer', c.statement) as failure) f
    where f.failure is not null
    $$,
    'a writer can call every function and read every view of kpi'
);
select is_empty(
    $$
    select s.statement, f.failure
    from unnest(array[
        'select pipeline.begin_batch(''import'', ''stripe'', false)',
        'call pipeline.rebuild()',
        'call pipeline.set_setting(''time_zone'', ''Europe/Berlin'')',
        'call pipeline.set_setting(''time_zone'', null)',
        'call pipeline.set_rate(''GBP'', 0.85)',
        'update raw.invoice set superseded_by = 2 where false',
        'insert into raw.rejected_row (batch_id, file_role, line_number, reason, content) values (1, ''invoices'', 2, ''no id'', ''{}'')',
        'select from billing.charge',
        'select from ledger.daily_change'
    ]) s (statement)
    cross join lateral (select pg_temp.failure_as('pgmrr_writer', s.statement) as failure) f
    where f.failure is not null
    $$,
    'a writer can rebuild, and change settings and rates'
);
select is_empty(
    $$
    select r.name
    from our_routine r
    where has_function_privilege('pgmrr_writer', r.oid, 'execute') <> (r.schema <> 'meta')
    $$,
    'a writer can call all our code, but for what triggers call'
);
select is_empty(
    $$
    select r.name
    from our_relation r
    join pg_class c on c.oid = r.oid
    where c.relkind <> 'S'
        and not has_table_privilege('pgmrr_writer', r.oid, 'select')
    union all
    select r.name from our_relation r where has_table_privilege('pgmrr_writer', r.oid, 'truncate, references, trigger')
    union all
    select r.name
    from our_relation r
    join pg_class c on c.oid = r.oid
    where c.relkind = 'v'
        and has_table_privilege('pgmrr_writer', r.oid, 'insert, update, delete')
    union all
    select s.name from our_schema s where has_schema_privilege('pgmrr_writer', s.oid, 'create')
    union all
    select c.oid::regclass::text
    from pg_class c
    where c.relnamespace = 'meta'::regnamespace
        and c.relkind = 'r'
        and c.oid not in (select r.oid from our_relation r)
        and has_table_privilege('pgmrr_writer', c.oid, 'insert, update, delete, truncate')
    $$,
    'a writer can read all tables, write no view and no books of the migrations, and make nothing'
);
select is_empty(
    $$
    select s.statement, f.failure
    from unnest(array[
        'create table raw.mine (one integer)', 'create function kpi.mine() returns integer language sql return 1',
        'drop table raw.invoice', 'drop view kpi.headline', 'truncate raw.invoice',
        'alter table raw.invoice add column mine integer', 'create or replace view kpi.session as select 1 as one',
        'delete from meta.setting', 'insert into meta.coverage (is_truncated) values (true)', 'delete from kpi.balance',
        'create table public.mine (one integer)'
    ]) s (statement)
    cross join lateral (select pg_temp.failure_as('pgmrr_writer', s.statement) as failure) f
    where f.failure is null
        or f.failure not like '42501 %'
    $$,
    'a writer can make, change and drop no object'
);

-- The reader again, with data ------------------------------------------------------------------

-- How many rows a statement gives a reader.
create function pg_temp.rows_as_reader(p_statement text)
returns bigint
language plpgsql
as $$
declare
    v_rows bigint;
begin
    perform set_config('role', 'pgmrr_reader', true);
    execute format('select count(*) from (%s) answer', p_statement) into v_rows;
    perform set_config('role', 'none', true);
    return v_rows;
end;
$$;

select set_eq(
    $$ select c.name from call c where pg_temp.rows_as_reader(c.statement) = 0 $$,
    $$
    values
    ('never_paid'), ('one_off_revenue'), ('possible_replacements'), ('restatements'), ('stale_drafts'),
    ('unmatched_credits')
    $$,
    'a reader gets rows from every function and view that has something to tell'
);
set local role pgmrr_reader;
create temp table read as
select
    kpi.mrr_at('ann', '2024-04-30') as mrr_at,
    kpi.mrr_total_at('2024-04-30') as mrr_total_at,
    (select sum(m.change) from kpi.movements() m) as changes,
    (select h.value from kpi.headline h where h.place = 1) as headline;
reset role;
select results_eq(
    $$ select r.mrr_at, r.mrr_total_at, r.changes, r.headline from read r $$,
    $$ values (100.04, 250.04, 250.04, 250.04) $$,
    'a reader reads what the owner reads'
);

-- The examples of the manual -------------------------------------------------------------------

create temp table example as
select
    p.proname::text as name,
    x.statement[1] as statement
from pg_proc p
cross join lateral regexp_matches(obj_description(p.oid, 'pg_proc'), 'Example: (select .*)\.$') x (statement)
where p.pronamespace = 'kpi'::regnamespace;

select set_eq(
    $$ select e.name from example e $$,
    $$
    values
    ('biggest_customers'), ('check_attribute'), ('cohort_retention'), ('compare_profiles'), ('concentration'),
    ('concentration_curve'), ('forecast'), ('forecast_backtest'), ('movements'), ('mrr_at'), ('mrr_by_customer'), ('mrr_distribution'), ('mrr_explain'),
    ('mrr_monthly_as_of'), ('mrr_monthly_by'), ('mrr_total_as_of'), ('mrr_total_at'), ('price_band'),
    ('profile_differences'), ('renewals'), ('renewals_monthly'), ('restatements'), ('retention'),
    ('retention_by'), ('retention_trailing'), ('risks'), ('scenario'), ('segment'), ('significant_day_drivers'),
    ('significant_days'), ('significant_periods'), ('usage_and_churn'), ('usage_at_risk'), ('usage_changes')
    $$,
    'the comment of every function that people call has an example'
);
select is_empty(
    $$
    select e.name, f.failure
    from example e
    cross join lateral (select pg_temp.failure_as('pgmrr_reader', e.statement) as failure) f
    where f.failure is not null
    $$,
    'a reader can run the examples as they stand'
);

select * from finish();
rollback;
