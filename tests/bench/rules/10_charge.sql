-- The charges, one row an invoice and basis, with the columns of billing.charge_cents:
-- what R6 and R7 priced, the cycles that renewals prove (R8), credits limited, and the
-- days on which each is in force.
create or replace table charge as
select
    p.customer_id,
    p.invoice_id,
    p.subscription_id,
    p.currency,
    p.basis,
    p.status in ('open', 'draft') as is_unpaid,
    coalesce(p.period_start < p.period_end, false) as is_renewal,
    p.carries_arrears,
    p.months,
    day_of(p.starts_at) as starts_on,
    day_of(p.ends_at) as ends_on,
    p.issued_at,
    p.starts_at,
    p.ends_at,
    p.billed_until,
    p.net,
    p.amount,
    coalesce(l.mrr, p.mrr) as mrr,
    case when p.is_settled then 0 else coalesce(l.mrr - p.mrr, 0) end as unmatched
from priced('period') p
left join limited l
    on l.row = p.row
union all
select
    p.customer_id,
    p.invoice_id,
    p.subscription_id,
    p.currency,
    'implied'::charge_basis,
    p.status in ('open', 'draft'),
    true,
    false,
    null,
    day_of(p.period_start),
    day_of(p.starts_at),
    p.issued_at,
    p.period_start,
    p.starts_at,
    p.starts_at,
    null,
    null,
    i.mrr,
    0
from implied i
join period p
    on p.row = i.row;
