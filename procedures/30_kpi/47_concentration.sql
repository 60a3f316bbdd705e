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
    -- Customers who pay the same stand in one row, at the places before + 1 to before + customers.
    ranked as (
        select
            d.mrr,
            d.customers,
            sum(d.customers) over (order by d.mrr desc) - d.customers as before,
            sum(d.customers) over () as all_customers
        from kpi.mrr_distribution(p_date) d
    ),
    measured as (
        select
            coalesce(sum(r.customers), 0)::bigint as customers,
            coalesce(sum(r.mrr * r.customers), 0) as mrr,
            nullif(sum(r.mrr * r.customers), 0) as base,
            max(r.mrr) as top_1,
            sum(r.mrr * greatest(least(10 - r.before, r.customers), 0)) as top_10,
            sum(r.mrr * greatest(least(ceil(r.all_customers / 100.0) - r.before, r.customers), 0)) as top_1_percent,
            coalesce(ceil(max(r.all_customers) / 100.0), 0)::bigint as top_1_percent_customers,
            sum(r.mrr * r.mrr * r.customers) as squares,
            -- The sum of n + 1 - 2 * place over these places, with n customers in all.
            sum((r.all_customers - 2 * r.before - r.customers) * r.customers * r.mrr) as spread
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
