-- Churn and retention over the last 3 and the last 12 months.
with span as (
    select
        n.months,
        (k.complete_through + 1 - n.months * interval 1 month)::date as first_on,
        k.complete_through as last_on,
        k.observed_from,
        k.churn_observable_from
    from known k
    cross join (values (3), (12)) n (months)
    where $day = k.complete_through
)
select
    s.months, s.first_on, s.last_on, p.opening, p.closing, p.customers_opening, p.customers_lost, p.customer_churn_rate,
    p.gross_mrr_churn_rate, p.net_mrr_churn_rate, p.nrr, p.grr, if(p.opening > 0, p.quick_ratio, null) as quick_ratio,
    p.mrr_is_complete, p.churn_is_observable,
    case
        when s.first_on < s.observed_from
            then format('it begins on {}, and MRR is known from {} on', s.first_on, s.observed_from)
        when not p.churn_is_observable
            then format('it begins on {}, and churn can be seen from {} on', s.first_on, s.churn_observable_from)
        when p.opening = 0 then 'nothing to keep: the opening is 0'
    end as note
from span s
left join period p
    on p.period_of = 'last ' || s.months
order by s.months;
