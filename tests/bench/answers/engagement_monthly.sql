-- How much do customers use the product, by month?
select
    date_trunc('month', first_on)::date as month, first_on, last_on, sessions, customers_with_sessions, customers_active,
    sessions_per_customer
from usage
where period_of = 'month'
order by month;
