-- Customer churn and quick ratio by month.
select last_on as day, customer_churn_rate, quick_ratio
from period
where period_of = 'month'
order by day;
