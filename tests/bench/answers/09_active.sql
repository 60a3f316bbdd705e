-- Who pays how much on the last covered day? R9. One row a customer with MRR above 0, in the
-- reporting currency, with its place by size.
create or replace temp table active as
select
    s.customer_id,
    s.mrr,
    row_number() over (order by s.mrr desc, s.customer_id) as place,
    count(*) over () as customers,
    sum(s.mrr) over () as total
from stretch s
cross join known k
where s.starts_on <= k.complete_through
    and s.ends_on > k.complete_through
    and s.mrr > 0
    and k.covered_days > 0;
