-- The catalog is the reference manual: its comments read well, its types fit, and its labels
-- tell the truth.
begin;
select plan(6);

create temp table our_schema as
select n.oid, n.nspname as name
from pg_namespace n
where n.nspname in ('raw', 'billing', 'usage', 'ledger', 'meta', 'pipeline', 'simulation', 'kpi');

-- Without yoyo's own tables.
create temp table our_relation as
select c.oid, s.name as schema, c.oid::regclass::text as name, c.relkind
from pg_class c
join our_schema s on s.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f')
    and c.relname !~ '^(_yoyo|yoyo_)';

create temp table our_column as
select
    r.schema,
    r.relkind,
    format('%s.%s', r.name, a.attname) as name,
    a.atttypid,
    col_description(a.attrelid, a.attnum) as comment
from our_relation r
join pg_attribute a on a.attrelid = r.oid
where a.attnum > 0
    and not a.attisdropped;

create temp table our_routine as
select p.*, s.name as schema, p.oid::regprocedure::text as name
from pg_proc p
join our_schema s on s.oid = p.pronamespace;

select ok(
    (select count(*) from our_schema) = 8
    and (select count(*) from our_relation) > 40
    and (select count(*) from our_column) > 300
    and (select count(*) from our_routine) > 40,
    'there is something to look at'
);

select is_empty(
    $$
    select c.name from our_column c where c.comment !~ '^\S.*\.$'
    union all
    select r.name from our_relation r where obj_description(r.oid, 'pg_class') !~ '^\S.*\.$'
    union all
    select p.name from our_routine p where obj_description(p.oid, 'pg_proc') !~ '^\S.*\.$'
    $$,
    'every comment is a sentence with a full stop'
);

select is_empty(
    $$
    select c.name from our_column c where c.atttypid in ('float4'::regtype, 'float8'::regtype, 'money'::regtype)
    union all
    select p.name
    from our_routine p
    where p.schema = 'kpi'
        and array[p.prorettype] || coalesce(p.proallargtypes, p.proargtypes::oid[]) && '{float4,float8,money}'::regtype[]::oid[]
    $$,
    'no figure is a float'
);
select is_empty(
    $$ select c.name from our_column c where c.atttypid = 'timestamp'::regtype $$,
    'no stored time is without its time zone'
);

-- What a function with an SQL-standard body uses: a function that reads a table is not
-- immutable, and none is better than those that it calls.
create temp table calls as
select p.oid as caller, d.refobjid as called
from our_routine p
join pg_depend d
    on d.classid = 'pg_proc'::regclass
    and d.objid = p.oid
    and d.refclassid = 'pg_proc'::regclass;

select is_empty(
    $$
    select p.name
    from our_routine p
    join pg_depend d
        on d.classid = 'pg_proc'::regclass
        and d.objid = p.oid
        and d.refclassid = 'pg_class'::regclass
    where p.provolatile = 'i'
    union all
    select p.name
    from our_routine p
    join calls c on c.caller = p.oid
    join pg_proc o on o.oid = c.called
    where position(p.provolatile in 'isv') < position(o.provolatile in 'isv')
        or position(p.proparallel in 'sru') < position(o.proparallel in 'sru')
    $$,
    'volatility and parallel labels are true of what a function reads and calls'
);
select is_empty(
    $$
    select p.name
    from our_routine p
    where p.prosqlbody is null
        and p.provolatile = 'i'
        and p.prosrc ~* '\m(from|join) (raw|billing|usage|ledger|meta|kpi)\.'
    $$,
    'no function that reads tables says that it is immutable'
);

select * from finish();
rollback;
