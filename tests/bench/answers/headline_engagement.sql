-- Sessions per active customer by month.
select last_on as day, sessions_per_customer
from usage
where period_of = 'month'
order by day;
