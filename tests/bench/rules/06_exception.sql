-- Which charges are no plain terms, that is, net over months from start to end, and what
-- are they? Rules R6 and R7. One row such a charge; most have none.
--
--   proration  the rest of a cycle, which is whole months from the earliest start before
--              the charge's own, among its invoice's period start and the starts of the
--              subscription's charges that were billed until the same day.
--   days       what is no rest of a cycle either.
--   listed     where the source states the amount a month.
--   term       where a restart or swap changed it.
create or replace temp table exception as
with billed as (
    select
        p.row,
        p.customer_id,
        p.subscription_id,
        p.currency,
        p.period_start,
        p.starts_at,
        coalesce(w.ends_at, p.ends_at) as ends_at,
        coalesce(w.billed_until, p.ends_at) as billed_until,
        coalesce(w.amount, p.net * 1_000_000_000::hugeint) as amount,
        p.net,
        coalesce(w.months, p.months) as months,
        coalesce(w.is_settled, false) as is_settled,
        p.monthly,
        w.row is not null or p.months is null as is_exception
    from period p
    left join walked w
        on w.row = p.row
),
special as materialized (
    select b.* exclude (is_exception)
    from billed b
    where b.is_exception
),
part as (
    select
        s.row,
        s.customer_id,
        s.subscription_id,
        s.currency,
        s.period_start,
        s.starts_at,
        s.billed_until
    from special s
    where s.months is null
        and s.monthly is null
),
other as (
    select
        p.customer_id,
        p.subscription_id,
        p.currency,
        p.starts_at,
        coalesce(w.billed_until, p.ends_at) as billed_until
    from period p
    left join walked w
        on w.row = p.row
),
candidate as (
    select
        p.row,
        p.billed_until,
        p.period_start as starts_at
    from part p
    where p.period_start < p.starts_at
    union all
    select
        p.row,
        p.billed_until,
        o.starts_at
    from part p
    join other o
        on o.subscription_id = p.subscription_id
        and o.customer_id = p.customer_id
        and o.currency = p.currency
        and day_of(o.billed_until) = day_of(p.billed_until)
        and o.starts_at < p.starts_at
),
cycle as (
    select
        c.row,
        min(c.starts_at) as starts_at,
        arg_min(whole_months(c.starts_at, c.billed_until), c.starts_at) as months
    from candidate c
    where whole_months(c.starts_at, c.billed_until) is not null
    group by c.row
)
select
    s.row,
    s.ends_at,
    s.billed_until,
    s.is_settled,
    cents(s.amount) as amount,
    coalesce(s.months, c.months) as months,
    case
        when s.monthly is not null then 'listed'
        when s.months is not null then 'term'
        when c.row is not null then 'proration'
        else 'days'
    end::charge_basis as basis,
    case
        when s.monthly is not null then s.monthly
        when s.months is not null then cents(rounded_quotient(s.amount, s.months))
        when c.row is not null then rounded_quotient(
            s.net::hugeint * microseconds(c.starts_at, s.billed_until),
            microseconds(s.starts_at, s.billed_until) * c.months
        )
        else rounded_quotient(s.net::hugeint * 2_629_800_000_000, microseconds(s.starts_at, s.billed_until))
    end::bigint as mrr
from special s
left join cycle c
    on c.row = s.row;
