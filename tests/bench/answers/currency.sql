-- The reporting currency.
select min(reporting_currency) as currency
from rate;
