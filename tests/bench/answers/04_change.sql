-- By how much did MRR change on each day, by kind? R10 and R13. One row a day, currency and kind.
create or replace temp table change as
select
    m.effective_on,
    m.currency,
    m.kind,
    sum(m.customers)::bigint as customers,
    sum(m.change)::bigint * any_value(r.cent) as change,
    sum(m.unpaid_change)::bigint * any_value(r.cent) as unpaid_change
from movement m
join rate r
    on r.currency = m.currency
group by m.effective_on, m.currency, m.kind;
