-- How many customers pay how much on a day? Rules R9, R11 and R13.
--
-- One row an amount: MRR above 0 in the reporting currency, and how many customers have it.
-- Prices are few, so what is asked of all customers alike, such as concentration, is answered
-- from a few rows. Without a day it is the last covered one; outside coverage there is no row.
-- Whoever pays in one currency is counted by the amount billed, before it is converted.
create or replace function kpi.mrr_distribution(p_date date default null)
returns table (
    mrr numeric,
    customers bigint
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
    billed as (
        select
            p.currency,
            p.mrr,
            sum(p.customers) as customers
        from kpi.paying_by_price p
        where p.day = (select a.day from asked a)
            and p.is_only_currency
        group by p.currency, p.mrr
    ),
    in_currencies as (
        select sum(p.mrr * c.factor) as mrr
        from kpi.paying p
        join kpi.currency c
            on c.currency = p.currency
        where p.day = (select a.day from asked a)
            and not p.is_only_currency
            and p.has_mrr
        group by p.customer_id
    ),
    counted as (
        select
            b.mrr * c.factor as mrr,
            b.customers
        from billed b
        join kpi.currency c
            on c.currency = b.currency
        union all
        select
            i.mrr,
            1
        from in_currencies i
        union all
        select
            m.mrr,
            1
        from kpi.mrr_by_customer(p_date) m
        where not exists (select from kpi.paying p where p.day = (select a.day from asked a))
    )
    select
        c.mrr,
        sum(c.customers)::bigint
    from counted c
    group by c.mrr
    order by c.mrr desc;
end;

comment on function kpi.mrr_distribution(date) is
    'How many customers have which MRR on a day (NULL: the last covered one): one row an amount above 0, a month, in the reporting currency, the largest first; no row outside coverage. Example: select * from kpi.mrr_distribution(''2024-06-30'').';
revoke all on function kpi.mrr_distribution(date) from public;
grant execute on function kpi.mrr_distribution(date) to pgmrr_reader, pgmrr_writer;
