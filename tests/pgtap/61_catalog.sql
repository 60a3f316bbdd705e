-- The catalog is the reference manual: its comments read well, its types fit, and its labels
-- tell the truth.
begin;
select plan(8);

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

-- Labels of volatility and of parallel safety: those of our functions, and of some whose
-- labels are lies, to see that a lie is found.
create schema lies;
create view lies.dice as select random() as fallen;
create function lies.a_table_does_not_change() returns bigint language sql immutable parallel safe
return (select count(*) from meta.batch);
create function lies.a_view_does_not_change() returns date language sql immutable parallel safe
return (select c.complete_through from kpi.coverage c);
create function lies.today_is_every_day() returns date language sql immutable parallel safe
return current_date;
create function lies.now_is_always() returns timestamptz language sql immutable parallel safe
return now();
create function lies.dates_are_written_in_one_way(p_date date) returns text language sql immutable parallel safe
return p_date::text;
create function lies.dates_are_read_in_one_way(p_text text) returns date language sql immutable parallel safe
return p_text::date;
create function lies.mrr_is_a_constant() returns numeric language sql immutable parallel safe
return kpi.mrr_total_at('2024-01-01');
create function lies.dice_fall_once() returns double precision language sql stable parallel restricted
return random();
create function lies.dice_in_a_view_fall_once() returns double precision language sql stable parallel restricted
return (select d.fallen from lies.dice d);
create function lies.dice_fall_alike_in_all_workers() returns double precision language sql volatile parallel safe
return random();
create function lies.to_delete_is_to_look() returns setof bigint language sql stable parallel unsafe
begin atomic
    delete from meta.batch returning batch_id;
end;
create function lies.nothing_is_for_sure() returns integer language sql volatile parallel unsafe
return 1;
create function lies.a_table_that_is_only_named_does_not_change() returns bigint language plpgsql immutable parallel safe
as $$ begin return (select count(*) from meta.batch); end; $$;
create function lies.mrr_that_is_only_named_is_a_constant() returns numeric language plpgsql immutable parallel safe
as $$ begin return kpi.mrr_total_at('2024-01-01'); end; $$;
create function lies.to_update_is_to_look() returns integer language plpgsql stable parallel safe
as $$ begin update meta.setting set time_zone = time_zone; return 1; end; $$;
create function lies.workers_share_temporary_tables() returns bigint language plpgsql volatile parallel safe
as $$ begin return (select count(*) from pg_temp.our_schema); end; $$;

create temp table labelled as
select
    p.oid,
    n.nspname as schema,
    p.oid::regprocedure::text as name,
    position(p.provolatile in 'isv') as volatility,
    position(p.proparallel in 'sru') as parallel,
    p.prosqlbody::text as tree,
    regexp_replace(p.prosrc, '--[^\n]*', '', 'g') as source
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
where p.prokind = 'f'
    and n.nspname in ('pipeline', 'simulation', 'kpi', 'lies');

-- What PostgreSQL made of an SQL-standard body, or of a view, as it stores it: it names
-- whatever is used by its number, built-in functions too, which pg_depend leaves out.
create temp table tree as
select l.name, l.tree
from labelled l
where l.tree is not null
union all
select w.ev_class::regclass::text, w.ev_action::text
from pg_rewrite w
join pg_class c on c.oid = w.ev_class
join pg_namespace n on n.oid = c.relnamespace
where n.nspname in (select s.name from our_schema s union all values ('lies'));

-- What each uses, and the best label that this allows: 1 immutable or safe, 2 stable or
-- restricted, 3 volatile or unsafe. A table is stable; types are as good as their functions
-- that read and write text.
create temp table uses_directly as
select t.name, u.what, u.volatility, u.parallel
from tree t
cross join lateral (
    select f.oid::regprocedure::text, position(f.provolatile in 'isv'), position(f.proparallel in 'sru')
    from regexp_matches(t.tree, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)', 'g') m
    join pg_proc f on f.oid = m[1]::oid
    union
    select c.oid::regclass::text, 2, 1
    from regexp_matches(t.tree, ':relid (\d+)', 'g') m
    join pg_class c on c.oid = m[1]::oid
    union
    select f.oid::regprocedure::text, position(f.provolatile in 'isv'), position(f.proparallel in 'sru')
    from regexp_matches(t.tree, '\{COERCEVIAIO :arg .*?type (\d+) ', 'g') m
    join pg_type y on y.oid = m[1]::oid
    join pg_proc f on f.oid = y.typoutput
    union
    select f.oid::regprocedure::text, position(f.provolatile in 'isv'), position(f.proparallel in 'sru')
    from regexp_matches(t.tree, ':resulttype (\d+) :resultcollid', 'g') m
    join pg_type y on y.oid = m[1]::oid
    join pg_proc f on f.oid = y.typinput
    union
    select 'the time', 2, 1 where t.tree like '%{SQLVALUEFUNCTION %'
    union
    select 'writing', 3, 3 where t.tree ~ ':commandType [2-5] |:hasForUpdate true|\{NEXTVALUEEXPR '
) u (what, volatility, parallel);

-- The same of bodies that are stored as text, by the names in them. A built-in function of
-- several types counts with its best label.
insert into uses_directly (name, what, volatility, parallel)
select l.name, u.what, u.volatility, u.parallel
from labelled l
cross join lateral (
    select m[1], min(position(f.provolatile in 'isv')), min(position(f.proparallel in 'sru'))
    from regexp_matches(l.source, '(?:^|[^.\w])(?:pg_catalog\.)?(\w+)\(', 'g') m
    join pg_proc f
        on f.proname = m[1]
        and f.pronamespace = 'pg_catalog'::regnamespace
    group by m[1]
    union
    select f.oid::regprocedure::text, position(f.provolatile in 'isv'), position(f.proparallel in 'sru')
    from regexp_matches(l.source, '\m(\w+)\.(\w+)\(', 'g') m
    join pg_proc f on f.proname = m[2]
    join our_schema s
        on s.oid = f.pronamespace
        and s.name = m[1]
    union
    select c.oid::regclass::text, 2, 1
    from regexp_matches(l.source, '\m(\w+)\.(\w+)\M(?!\()', 'g') m
    join pg_class c on c.relname = m[2]
    join our_schema s
        on s.oid = c.relnamespace
        and s.name = m[1]
    union
    select 'temporary tables', 2, 2 where l.source ~ '\mpg_temp\.'
    union
    -- Not the words of a text: what writes by a text executes it.
    select 'writing', 3, 3
    where regexp_replace(regexp_replace(l.source, '--[^\n]*', '', 'g'), '''[^'']*''', '', 'g')
        ~ '\m(insert into|update \w+|delete from|merge into|truncate|create temp|copy|for update|execute)\M'
) u (what, volatility, parallel)
where l.tree is null;

-- The label of a function stands for what it uses; a view has none, and stands for nothing.
create temp table uses as
with recursive reached as (
    select d.name, d.what, d.volatility, d.parallel
    from uses_directly d
    union
    select r.name, d.what, d.volatility, d.parallel
    from reached r
    join uses_directly d on d.name = r.what
    where r.what not like '%)'
)
select
    l.schema,
    l.name,
    r.what,
    l.volatility < r.volatility or l.parallel < r.parallel as is_beyond_label,
    l.volatility = r.volatility as is_volatility
from labelled l
left join reached r on r.name = l.name;

select is_empty(
    $$ select u.name, u.what from uses u where u.is_beyond_label and u.schema <> 'lies' $$,
    'no function is labelled better than what it uses, be it a table, a type, a built-in function or one of ours'
);
select is_empty(
    $$
    select l.name
    from labelled l
    where l.schema <> 'lies'
        and l.volatility > 1
        and not exists (select from uses u where u.name = l.name and u.is_volatility)
    $$,
    'none is more volatile than what it uses'
);
select set_eq(
    $$
    select l.name
    from labelled l
    where l.schema = 'lies'
        and (
            exists (select from uses u where u.name = l.name and u.is_beyond_label)
            or l.volatility > 1 and not exists (select from uses u where u.name = l.name and u.is_volatility)
        )
    $$,
    $$ select p.oid::regprocedure::text from pg_proc p where p.pronamespace = 'lies'::regnamespace $$,
    'a false label of any kind is found'
);
select ok(
    (select count(*) from labelled l where l.schema <> 'lies') > 100
    and (select count(*) from uses u where u.schema <> 'lies') > 2000,
    'there are labels to compare'
);

select * from finish();
rollback;
