-- How is MRR of the last covered day spread over the segments of each attribute of the ledger,
-- in the reporting currency? One row an attribute and segment.
create or replace temp table segment as
with by_currency as (
    select
        m.currency,
        arg_max(m.balance, m.effective_on) as balance
    from movement m
    cross join known k
    where m.effective_on <= k.complete_through
        and k.covered_days > 0
    group by m.customer_id, m.currency
)
select
    'currency' as attribute,
    b.currency as segment,
    count(*) as customers,
    sum(b.balance)::bigint * any_value(r.cent) as mrr
from by_currency b
join rate r
    on r.currency = b.currency
where b.balance > 0
group by b.currency
union all
select 'term', m.term, count(*), sum(m.mrr)
from member m
group by m.term
union all
select 'price_band', m.price_band, count(*), sum(m.mrr)
from member m
group by m.price_band;
