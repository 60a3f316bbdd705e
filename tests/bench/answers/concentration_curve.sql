-- Which share of MRR do the largest customers bring, by how many of them?
with ranked as (
    select
        a.place,
        a.customers,
        a.total,
        sum(a.mrr) over (order by a.place rows unbounded preceding) as mrr
    from active a
    where (select k.complete_through from known k) = $last
)
select 0 as rank, 0.0::double as customer_share, 0.0::double as cumulative_share
where exists (from ranked)
union all
select r.place, r.place / r.customers, r.mrr / r.total
from ranked r
where r.place <= 10
    or r.place * 100 // r.customers > (r.place - 1) * 100 // r.customers
order by rank;
