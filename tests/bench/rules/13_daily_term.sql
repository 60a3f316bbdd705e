-- Terms by the day on which they begin, currency, length, and whether they renew; the
-- columns of ledger.daily_term_cents.
create or replace table daily_term as
select
    c.starts_on,
    c.currency,
    c.months,
    c.is_renewal,
    count(*) as charges,
    sum(greatest(c.mrr, 0))::bigint as mrr
from charge c
where c.basis = 'term'
group by c.starts_on, c.currency, c.months, c.is_renewal;
