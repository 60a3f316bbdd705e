-- How well are customers and revenue kept in each segment of $attribute, over all that is covered?
with followed as (
    select
        w.*,
        if(w.churn_is_observable, nullif(w.opening, 0), null) as base,
        if(w.churn_is_observable, nullif(w.customers_opening, 0), null) as customer_base
    from waterfall_by($attribute, [$first::date, $last::date + 1]) w
)
select
    segment, first_on, last_on, opening, kept, customers_opening, customers_lost,
    customers_lost / customer_base as customer_churn_rate, (abs(churn) + abs(contraction)) / base as gross_mrr_churn_rate,
    (abs(churn) + abs(contraction) - expansion - reactivation) / base as net_mrr_churn_rate, kept / base as nrr,
    (opening + losses) / base as grr,
    if(churn_is_observable, (new + reactivation + expansion) / nullif(abs(contraction) + abs(churn), 0), null) as quick_ratio,
    mrr_is_complete, churn_is_observable
from followed
order by followed.opening desc, segment;
