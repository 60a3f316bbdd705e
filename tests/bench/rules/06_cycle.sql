-- Which charges that are no whole term are the rest of a cycle, and where did that begin?
-- Rule R6.2.
--
-- One row such a charge: the earliest start before its own from which on the cycle is
-- whole months, among its invoice's period start and the starts of the subscription's
-- charges that were billed until the same day.
create or replace temp table cycle as
with billed as (
    select
        p.row,
        p.customer_id,
        p.subscription_id,
        p.currency,
        p.period_start,
        p.starts_at,
        coalesce(w.billed_until, p.ends_at) as billed_until,
        day_of(coalesce(w.billed_until, p.ends_at)) as billed_until_on,
        coalesce(w.months, p.months) is null and p.monthly is null as is_part
    from period p
    left join walked w
        on w.row = p.row
),
part as materialized (
    select b.*
    from billed b
    where b.is_part
),
candidate as (
    select
        p.row,
        p.billed_until,
        p.period_start as cycle_start
    from part p
    where p.period_start < p.starts_at
    union all
    select
        p.row,
        p.billed_until,
        other.starts_at
    from part p
    join billed other
        on other.customer_id = p.customer_id
        and other.subscription_id = p.subscription_id
        and other.currency = p.currency
        and other.billed_until_on = p.billed_until_on
        and other.starts_at < p.starts_at
)
select
    c.row,
    min(c.cycle_start) as starts_at,
    arg_min(whole_months(c.cycle_start, c.billed_until), c.cycle_start) as months
from candidate c
where whole_months(c.cycle_start, c.billed_until) is not null
group by c.row;
