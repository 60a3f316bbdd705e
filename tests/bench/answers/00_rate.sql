-- What is a cent of each currency worth in the reporting currency? R13. One row a currency, with
-- all digits of the factor: figures are to be equal, not alike.
create or replace temp table rate as
select
    f.currency,
    f.reporting_currency,
    cast(f.factor as decimal(38, 24)) * cast(0.01 as decimal(3, 2)) as cent
from factor f;
