-- What happens to simulated customers that the rules can't tell from invoices: one row an
-- event, with its kind and the days on which MRR may be missed because of it. Run in the
-- database of the simulation, after its cycles were put into pg_temp.cycle.
with invoice as (
    select
        i.invoice_id,
        i.status,
        i.total - i.exclusive_tax - i.inclusive_tax as net,
        i.line_period_end at time zone 'UTC' as ends_at
    from raw.invoice i
),
cycle as (
    select
        c.customer_id,
        c.currency,
        c.months,
        c.starts_at,
        c.ends_at,
        c.changed_at,
        c.settles_later,
        c.exit_kind,
        c.exit_at,
        format('in_%s_%s%s%s', substr(c.customer_id, 5), c.track, lpad(c.phase::text, 2, '0'), lpad(c.cycle::text, 3, '0'))
            as bill,
        format('in_%s_%s%s0000', substr(c.customer_id, 5), c.track, lpad((c.phase + 1)::text, 2, '0')) as first_bill_after
    from pg_temp.cycle c
)
-- The renewal carries the proration in arrears (a known limit).
select
    c.customer_id,
    c.currency,
    'settled with the next renewal' as kind,
    c.changed_at::date as first_on,
    (c.ends_at + interval '1 month')::date as last_on
from cycle c
where c.settles_later
union all
-- No invoice says so.
select c.customer_id, c.currency, 'cancelled at once without a credit', c.exit_at::date, c.ends_at::date
from cycle c
where c.exit_kind = 'uncredited'
union all
-- What is left of a cycle is whole months, within two hours (of a year; or of a month that
-- ends with February, from January 29 to 31 on): R6 takes the proration for a term.
select c.customer_id, c.currency, 'rest of a cycle is whole months', m.at::date, c.ends_at::date
from cycle c
cross join lateral (values (c.changed_at), (case when c.exit_kind = 'credited' then c.exit_at end)) m (at)
where pipeline.whole_months(m.at, c.ends_at) is not null
union all
-- From a year to a month with more to pay than is credited: R7 knows a swap by its negative
-- net. What follows in the same subscription counts on it, for up to a year.
select c.customer_id, c.currency, 'swap without a negative net', c.exit_at::date, (c.exit_at + interval '1 year')::date
from cycle c
join invoice i
    on i.invoice_id = c.first_bill_after
where c.months = 12
    and c.exit_kind = 'switch'
    and i.net >= 0
    and i.ends_at = c.ends_at
union all
-- Whether an unpaid invoice was credited can't be seen (a known limit).
select c.customer_id, c.currency, 'restart of an unpaid cycle', c.exit_at::date, (c.exit_at + interval '1 year')::date
from cycle c
where c.months = 1
    and c.exit_kind = 'switch'
    and exists (
        select
        from invoice i
        where i.status = 'open'
            and left(i.invoice_id, -1) = c.bill
    )
union all
-- Half a cent of rounding in each of four roundings, scaled from the rest to the cycle.
select
    c.customer_id,
    c.currency,
    'cents of a short proration',
    m.at::date,
    c.ends_at::date
from cycle c
cross join lateral (
    values (c.changed_at), (case when c.exit_kind in ('credited', 'switch') then c.exit_at end)
) m (at)
where (c.ends_at - m.at) * (c.months * 5) < (c.ends_at - c.starts_at) * 2
