-- What MRR does each recurring invoice stand for? Rules R6 and R7.
--
-- A row is a row of `period`, with its MRR in cents, rounded half away from zero;
-- credits are not yet limited. A view.
create or replace temp view priced as
with based as (
    select
        p.* exclude (months, ends_at),
        coalesce(w.ends_at, p.ends_at) as ends_at,
        coalesce(w.billed_until, p.ends_at) as billed_until,
        coalesce(w.months, p.months, c.months) as months,
        w.amount as walked_amount,
        coalesce(w.is_settled, false) as is_settled,
        c.starts_at as cycle_start,
        case
            when p.monthly is not null then 'listed'
            when coalesce(w.months, p.months) is not null then 'term'
            when c.row is not null then 'proration'
            else 'days'
        end::charge_basis as basis
    from period p
    left join walked w
        on w.row = p.row
    left join cycle c
        on c.row = p.row
)
select
    b.* exclude (walked_amount, cycle_start),
    coalesce(cents(b.walked_amount), b.net) as amount,
    case
        when b.basis = 'term' and b.walked_amount is null then rounded_quotient(b.net, b.months)
        when b.basis = 'term' then cents(rounded_quotient(b.walked_amount, b.months))
        when b.basis = 'proration' then rounded_quotient(
            b.net::hugeint * microseconds(b.cycle_start, b.billed_until),
            microseconds(b.starts_at, b.billed_until) * b.months
        )
        when b.basis = 'days' then rounded_quotient(
            b.net::hugeint * 2_629_800_000_000, microseconds(b.starts_at, b.billed_until)
        )
        else b.monthly
    end::bigint as mrr
from based b;
