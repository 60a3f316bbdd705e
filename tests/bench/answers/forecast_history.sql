-- MRR of the last year, by day.
select day, closing
from day
where day >= (select complete_through from known) - 365
order by day;
