-- The KPIs of business health over the last covered month, against the month before it. Left
-- out: what they mean, in words.
with span as (
    select
        (k.complete_through + 1 - interval 1 month)::date as month_on,
        greatest(k.observed_from, k.churn_observable_from) as observable_from,
        (select min(r.reporting_currency) from rate r) as reporting_currency
    from known k
),
kept as (
    select
        n.*,
        s.reporting_currency,
        b.customer_churn_rate as churn_before,
        b.quick_ratio as quick_ratio_before,
        b.first_on as before_on
    from period n
    cross join span s
    left join period b
        on b.period_of = 'before headline'
        and n.first_on = s.month_on
        and (n.first_on - interval 1 month)::date >= s.observable_from
    where n.period_of = 'headline'
),
used as (
    select
        n.sessions,
        n.sessions_per_customer,
        n.sessions_per_customer - b.sessions_per_customer as change
    from usage n
    cross join kept k
    left join usage b
        on b.period_of = 'before headline'
        and b.first_on = k.before_on
    where n.period_of = 'headline'
)
select * exclude (place)
from (
    select
        1 as place, 'MRR' as kpi, k.closing as value, coalesce(k.reporting_currency, 'EUR') as unit, k.growth as change,
        'share' as change_unit, 'NRR' as second_kpi, k.nrr as second_value, 'share' as second_unit, k.first_on, k.last_on
    from kept k
    union all
    select
        2, 'Customer churn', k.customer_churn_rate, 'share', k.customer_churn_rate - k.churn_before, 'points',
        'Revenue churn', k.gross_mrr_churn_rate, 'share', k.first_on, k.last_on
    from kept k
    union all
    select
        3, 'Engagement', u.sessions_per_customer, 'sessions per customer', u.change, 'sessions per customer',
        'Sessions', u.sessions, 'sessions', k.first_on, k.last_on
    from kept k
    cross join used u
    union all
    select
        3, 'Quick ratio', k.quick_ratio, 'ratio', k.quick_ratio - k.quick_ratio_before, 'ratio', 'GRR', k.grr, 'share',
        k.first_on, k.last_on
    from kept k
    where not exists (from used)
)
order by place;
