-- How many customers are known, ever had MRR, and have it now.
select
    (select count(*) from customer) as known,
    (select count(distinct s.customer_id) from stretch s where s.starts_on <= k.complete_through) as ever_with_mrr,
    (select coalesce(sum(c.customers), 0)::bigint from change c where c.effective_on <= k.complete_through) as with_mrr,
    k.complete_through as counted_on
from known k;
