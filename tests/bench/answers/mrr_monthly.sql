-- The waterfall by month.
select
    strftime(first_on, '%Y-%m') || if(is_whole, '', '*') as label, date_trunc('month', first_on)::date as month, first_on,
    last_on, opening, preexisting, new, reactivation, expansion, contraction, rounding, churn, closing, unpaid,
    customers_opening, customers_preexisting, customers_new, customers_reactivated, customers_churned, customers, growth,
    arpa, arr, is_whole, mrr_is_complete, churn_is_observable
from period
where period_of = 'month'
order by month;
