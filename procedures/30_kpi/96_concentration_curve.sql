-- Which share of MRR do the largest customers bring, by how many of them? Rules R11 to R13.
--
-- The curve behind kpi.concentration. One row a point: no customer, each of the ten largest,
-- and the customers at p_points even steps up to all of them, so that its size does not grow
-- with theirs. Every point is exact; between them the curve is not known here, and
-- kpi.biggest_customers has all. Without a day it is the last covered one; no row outside
-- coverage and where nobody has MRR. Error MR004 for fewer than one point.
create or replace function kpi.concentration_curve(p_date date default null, p_points integer default 100)
returns table (
    customers bigint,
    customer_share numeric,
    mrr numeric,
    mrr_share numeric
)
language plpgsql
stable
parallel safe
set search_path = ''
as $$
begin
    if p_points is null or p_points < 1 then
        raise exception using
            errcode = 'MR004',
            message = format('a curve takes one point or more, not %s', coalesce(p_points::text, 'null')),
            hint = 'Give the number of points, as in kpi.concentration_curve(null, 100).';
    end if;

    return query
    -- Customers who pay the same stand in one row, at the places before + 1 to before + customers.
    with ranked as materialized (
        select
            d.mrr,
            d.customers,
            (sum(d.customers) over by_size - d.customers)::bigint as before,
            sum(d.mrr * d.customers) over by_size - d.mrr * d.customers as mrr_before,
            (sum(d.customers) over ())::bigint as all_customers,
            sum(d.mrr * d.customers) over () as total
        from kpi.mrr_distribution(p_date) d
        window by_size as (order by d.mrr desc)
    ),
    -- The ten largest, and the first customer at or past a step.
    point as (
        select g.place
        from (select max(r.all_customers) as all_customers from ranked r) n
        cross join lateral generate_series(1, least(10, n.all_customers)) g (place)
        union
        select (s.step * n.all_customers + p_points - 1) / p_points
        from (select max(r.all_customers) as all_customers from ranked r) n
        cross join lateral generate_series(1::bigint, p_points) s (step)
    )
    select
        p.place,
        p.place::numeric / r.all_customers,
        r.mrr_before + (p.place - r.before) * r.mrr,
        (r.mrr_before + (p.place - r.before) * r.mrr) / r.total
    from point p
    join ranked r
        on p.place > r.before
        and p.place <= r.before + r.customers
    union all
    select
        0::bigint,
        0::numeric,
        0::numeric,
        0::numeric
    where exists (select from ranked r)
    order by 1;
end;
$$;

comment on function kpi.concentration_curve(date, integer) is
    'Which share of MRR the largest customers bring on a day (NULL: the last covered one): one row a point, for none of them, each of the ten largest, and p_points even steps up to all; shares 0 to 1, MRR a month, in the reporting currency. Error MR004 for fewer than one point. Example: select * from kpi.concentration_curve(''2024-03-31'', 20).';
revoke all on function kpi.concentration_curve(date, integer) from public;
grant execute on function kpi.concentration_curve(date, integer) to pgmrr_reader, pgmrr_writer;
