-- For how long does each customer have which MRR, over all currencies? R9 and R13.
--
-- One row a customer and day on which its charges change, in the reporting currency; the MRR
-- holds until the next one. Exact: an amount has 26 places.
create or replace temp table stretch as
select
    m.customer_id,
    m.effective_on as starts_on,
    m.ends_on,
    m.change * r.cent as change,
    m.customers,
    m.balance * r.cent as mrr
from movement m
join rate r
    on r.currency = m.currency
where not m.has_several
union all
select
    d.customer_id,
    d.starts_on,
    lead(d.starts_on, 1, 'infinity'::date) over in_order,
    d.change,
    d.customers,
    sum(d.change) over in_order
from (
    select
        m.customer_id,
        m.effective_on as starts_on,
        sum(m.change * r.cent) as change,
        sum(m.customers) as customers
    from movement m
    join rate r
        on r.currency = m.currency
    where m.has_several
    group by m.customer_id, m.effective_on
) d
window in_order as (partition by d.customer_id order by d.starts_on);
