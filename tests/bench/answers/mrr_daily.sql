-- MRR by day.
select day, closing, unpaid, customers, unpaid / nullif(closing, 0) as unpaid_share, mrr_is_complete
from day
where day between $first and $last
order by day;
