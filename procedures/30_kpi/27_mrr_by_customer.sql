-- What is each customer's MRR on a day? Rules R9, R11 and R13.
--
-- One row a customer with MRR above 0, in the reporting currency. Without a day it is the
-- last covered one; outside coverage there is no row. What customers pay on that one is kept
-- (kpi.paying); on another day the last balance in each currency is found by the index of the
-- ledger, read backwards.
create or replace function kpi.mrr_by_customer(p_date date default null)
returns table (
    customer_id text,
    mrr numeric
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
    balance as (
        select distinct on (l.customer_id, l.currency)
            l.customer_id,
            l.currency,
            l.balance
        from kpi.balance l
        where l.effective_on <= (
            select a.day
            from asked a
            where a.day is distinct from (select p.day from kpi.paying p limit 1)
        )
        order by l.customer_id desc, l.currency desc, l.effective_on desc
    )
    select
        p.customer_id,
        p.mrr * c.factor
    from kpi.paying p
    join kpi.currency c
        on c.currency = p.currency
    where p.day = (select a.day from asked a)
        and p.is_only_currency
        and p.has_mrr
    union all
    select
        p.customer_id,
        sum(p.mrr * c.factor)
    from kpi.paying p
    join kpi.currency c
        on c.currency = p.currency
    where p.day = (select a.day from asked a)
        and not p.is_only_currency
        and p.has_mrr
    group by p.customer_id
    union all
    select
        b.customer_id,
        sum(b.balance * c.factor)
    from balance b
    join kpi.currency c
        on c.currency = b.currency
    where b.balance > 0
    group by b.customer_id;
end;

comment on function kpi.mrr_by_customer(date) is
    'MRR of each customer who has any on a day (NULL: the last covered one), a month, in the reporting currency; no row outside coverage. Example: select * from kpi.mrr_by_customer(''2024-06-30'').';
revoke all on function kpi.mrr_by_customer(date) from public;
grant execute on function kpi.mrr_by_customer(date) to pgmrr_reader, pgmrr_writer;
