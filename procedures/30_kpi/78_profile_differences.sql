-- Which customers make the difference between profiles? Rule R12.
--
-- One row a metric, profile and customer who counts otherwise than under `simple`, where both
-- have a value: what it adds to numerator and denominator here and there, and its movements
-- in the days that count. Their differences add up to those of kpi.compare_profiles. LTV has
-- none: it differs by the months that are averaged. The range is read as there. Error MR006
-- where it is upside down.
create or replace function kpi.profile_differences(p_from date default null, p_to date default null)
returns table (
    metric text,
    profile text,
    customer_id text,
    name text,
    numerator numeric,
    simple_numerator numeric,
    denominator numeric,
    simple_denominator numeric,
    events text
)
language sql
stable
parallel safe
set jit = off
begin atomic
    with asked as materialized (
        select
            r.first_on,
            r.last_on
        from kpi.coverage v
        cross join lateral kpi.covered_range(
            coalesce(p_from, date_trunc('month', coalesce(p_to, v.complete_through)::timestamp)::date), p_to
        ) r
    ),
    part as materialized (
        select
            p.metric,
            p.profile,
            p.customer_id,
            p.numerator,
            p.denominator,
            p.events,
            max(p.numerator) filter (where p.profile = 'simple') over by_customer as simple_numerator,
            max(p.denominator) filter (where p.profile = 'simple') over by_customer as simple_denominator
        from asked a
        cross join lateral kpi.profile_parts(a.first_on, a.last_on) p
        where p.customer_id is not null
        window by_customer as (partition by p.metric, p.customer_id)
    ),
    compared as materialized (
        select
            c.metric,
            c.profile,
            d.metric_place,
            d.profile_place
        from kpi.compare_profiles(p_from, p_to) c
        join kpi.profiles d
            on d.metric = c.metric
            and d.profile = c.profile
        where c.differs is not null
            and c.profile <> 'simple'
    )
    select
        c.metric,
        c.profile,
        o.customer_id,
        u.name,
        o.numerator,
        o.simple_numerator,
        o.denominator,
        o.simple_denominator,
        o.events
    from compared c
    join part o
        on o.metric = c.metric
        and o.profile = c.profile
    left join kpi.customer u
        on u.customer_id = o.customer_id
    where (o.numerator, o.denominator) is distinct from (o.simple_numerator, o.simple_denominator)
    order by
        c.metric_place,
        c.profile_place,
        abs(o.numerator - o.simple_numerator) desc,
        abs(o.denominator - o.simple_denominator) desc,
        o.customer_id collate "C";
end;

comment on function kpi.profile_differences(date, date) is
    'R12: the customers who count otherwise under another profile than under simple, with what they add to numerator and denominator and their movements; one row a metric, profile and customer. Error MR006 where the range is upside down. Example: select * from kpi.profile_differences(''2024-06-01'', ''2024-06-30'').';
revoke all on function kpi.profile_differences(date, date) from public;
grant execute on function kpi.profile_differences(date, date) to pgmrr_reader, pgmrr_writer;
