-- How much of the revenue rests on few customers on a day? Rules R11 to R13.
--
-- One row. With n customers with MRR x above 0 and shares s = x / sum of x:
--     top_1, top_10, top_1_percent   share of the largest customer, of the 10 largest, and of
--                                    the largest 1 % of customers, rounded up to whole ones
--     herfindahl                     sum of s squared: 1/n where all pay the same, 1 for one
--     effective_customers            1 / herfindahl: so many equal customers would be as
--                                    concentrated
--     gini                           sum of (2 i - n - 1) x / (n sum of x), i the place from
--                                    the smallest: 0 where all pay the same, at most 1 - 1/n
-- Without a day it is the last covered one; no row outside coverage. Without customers the
-- measures are NULL.
create or replace function kpi.concentration(p_date date default null)
returns table (
    day date,
    customers bigint,
    mrr numeric,
    top_1 numeric,
    top_10 numeric,
    top_1_percent numeric,
    top_1_percent_customers bigint,
    herfindahl numeric,
    effective_customers numeric,
    gini numeric
)
language sql
stable
parallel safe
begin atomic
    with asked as (
        select r.last_on as day
        from kpi.coverage v
        cross join lateral kpi.covered_range(coalesce(p_date, v.complete_through), coalesce(p_date, v.complete_through)) r
    ),
    ranked as (
        select
            m.mrr,
            row_number() over (order by m.mrr desc) as place,
            count(*) over () as customers
        from kpi.mrr_by_customer(p_date) m
    ),
    measured as (
        select
            count(*) as customers,
            coalesce(sum(r.mrr), 0) as mrr,
            nullif(sum(r.mrr), 0) as base,
            sum(r.mrr) filter (where r.place = 1) as top_1,
            sum(r.mrr) filter (where r.place <= 10) as top_10,
            sum(r.mrr) filter (where r.place <= ceil(r.customers / 100.0)) as top_1_percent,
            count(*) filter (where r.place <= ceil(r.customers / 100.0)) as top_1_percent_customers,
            sum(r.mrr * r.mrr) as squares,
            -- From the largest on, so the sign is the other way round.
            sum((r.customers + 1 - 2 * r.place) * r.mrr) as spread
        from ranked r
    )
    select
        a.day,
        m.customers,
        m.mrr,
        m.top_1 / m.base,
        m.top_10 / m.base,
        m.top_1_percent / m.base,
        m.top_1_percent_customers,
        m.squares / (m.base * m.base),
        m.base * m.base / m.squares,
        m.spread / (m.customers * m.base)
    from asked a
    cross join measured m;
end;

comment on function kpi.concentration(date) is
    'R12: how much MRR rests on few customers on a day (NULL: the last covered one), one row: shares of the top 1, top 10 and top 1 %, Herfindahl index and Gini coefficient (0 to 1); MRR a month, in the reporting currency. Example: select * from kpi.concentration(''2024-03-31'').';
revoke all on function kpi.concentration(date) from public;
grant execute on function kpi.concentration(date) to pgmrr_reader, pgmrr_writer;
