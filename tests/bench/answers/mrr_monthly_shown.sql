-- The waterfall of the months of a page.
select
    strftime(first_on, '%Y-%m') || if(is_whole, '', '*') as label, date_trunc('month', first_on)::date as month, first_on,
    last_on, opening, preexisting, new, reactivation, expansion, contraction, rounding, churn, closing, unpaid,
    unpaid / nullif(closing, 0) as unpaid_share, customers, growth, arpa, arr, is_whole
from period
where period_of = 'month'
    and first_on <= $last
    and last_on >= $first
order by month;
