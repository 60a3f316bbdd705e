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
    with ranked as (
        select
            row_number() over (order by m.mrr desc) as place,
            sum(m.mrr) over (order by m.mrr desc rows between unbounded preceding and current row) as mrr,
            count(*) over () as customers,
            sum(m.mrr) over () as total
        from kpi.mrr_by_customer(p_date) m
    )
    select
        r.place,
        r.place::numeric / r.customers,
        r.mrr,
        r.mrr / r.total
    from ranked r
    where r.place <= 10
        -- The first customer at or past a step.
        or r.place * p_points / r.customers > (r.place - 1) * p_points / r.customers
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
