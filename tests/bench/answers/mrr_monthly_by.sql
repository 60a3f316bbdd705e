-- How does the MRR of each segment of $attribute move, month by month?
select
    date_trunc('month', first_on)::date as month, segment, first_on, last_on, opening, preexisting, new, reactivation,
    expansion, contraction, rounding, churn, moved, closing, customers_opening, customers,
    first_on = date_trunc('month', first_on)::date and last_on = last_day(first_on) as is_whole, mrr_is_complete,
    churn_is_observable
from waterfall_by(
    $attribute,
    (
        select list(a.first_on order by a.first_on) || [max(a.last_on) + 1]
        from asked a
        where a.period_of = 'month'
    )
)
order by first_on, segment;
