-- The movements' totals by day, currency and kind; the columns of ledger.daily_change_cents.
create or replace table daily_change as
select
    m.effective_on,
    m.currency,
    m.kind,
    count(*) as movements,
    sum(m.customers)::bigint as customers,
    sum(m.change)::bigint as change,
    sum(m.unpaid_change)::bigint as unpaid_change
from movement m
group by m.effective_on, m.currency, m.kind;
