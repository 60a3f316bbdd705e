-- For how long does each customer have which MRR, over all currencies? R9 and R13.
--
-- One row a customer and day on which MRR changes, in the reporting currency; it holds until
-- the next one. Exact: a figure of a cent's worth has 26 places.
create or replace temp table stretch as
with daily as (
    select
        m.customer_id,
        m.effective_on as starts_on,
        sum(m.change * r.cent) as change,
        sum(m.customers)::bigint as customers
    from movement m
    join rate r
        on r.currency = m.currency
    where m.change <> 0
    group by m.customer_id, m.effective_on
)
select
    d.customer_id,
    d.starts_on,
    lead(d.starts_on, 1, 'infinity'::date) over in_order as ends_on,
    d.change,
    d.customers,
    sum(d.change) over in_order as mrr
from daily d
window in_order as (partition by d.customer_id order by d.starts_on);
