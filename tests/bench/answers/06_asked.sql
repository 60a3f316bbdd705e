-- Which periods do the reads ask for? One row a period: the covered months, the last 3 and 12
-- months, and the last month, which is shorter where churn became observable later, with the
-- one before it.
create or replace temp table asked as
with headline as (
    select
        greatest(
            (k.complete_through + 1 - interval 1 month)::date,
            k.observed_from,
            if(k.churn_observable_from <= k.complete_through, k.churn_observable_from, null)
        ) as first_on,
        k.observed_from,
        k.complete_through
    from known k
    where k.covered_days > 0
)
select
    'month' as period_of,
    greatest(m.month::date, k.observed_from) as first_on,
    least(last_day(m.month::date), k.complete_through) as last_on
from known k
cross join lateral (
    select unnest(generate_series(k.first_month, k.complete_through, interval 1 month)) as month
) m
where k.covered_days > 0
union all
select
    'last ' || n.months,
    (k.complete_through + 1 - n.months * interval 1 month)::date as first_on,
    k.complete_through
from known k
cross join (values (3), (12)) n (months)
where (k.complete_through + 1 - n.months * interval 1 month)::date >= k.observed_from
union all
select 'headline', h.first_on, h.complete_through
from headline h
union all
select 'before headline', greatest((h.first_on - interval 1 month)::date, h.observed_from), h.first_on - 1
from headline h
where h.first_on > h.observed_from;
