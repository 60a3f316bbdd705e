-- Churn and retention by month. LTV looks back up to six whole months.
with monthly as (
    select
        p.*,
        p.arpa / nullif(
            if(
                p.is_whole,
                avg(p.customer_churn_rate) over (by_month rows between 5 preceding and current row),
                avg(p.customer_churn_rate) over (by_month rows between 6 preceding and 1 preceding)
            ),
            0
        ) as ltv
    from period p
    where p.period_of = 'month'
    window by_month as (order by p.first_on)
)
select
    strftime(first_on, '%Y-%m') || if(is_whole, '', '*') as label, date_trunc('month', first_on)::date as month, first_on,
    last_on, customers_opening, customers_lost, customer_churn_rate, gross_mrr_churn_rate, net_mrr_churn_rate, nrr, grr,
    quick_ratio, arpa, ltv, is_whole,
    case
        when not churn_is_observable then 'churn is not observable yet'
        when opening = 0 then 'nothing to keep: the opening is 0'
        when not is_whole then 'part of a month'
    end as note
from monthly
where first_on <= $last
    and last_on >= $first
order by month;
