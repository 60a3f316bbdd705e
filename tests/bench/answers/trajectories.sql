-- The MRR of some customers on some days.
with shown as (
    select
        c.place,
        c.customer_id,
        d.day
    from (select unnest($ids) as customer_id, generate_subscripts($ids, 1) as place) c
    cross join day d
    where d.day between $first and $last
        and ($last::date - d.day) % $step = 0
),
balance as (
    select
        s.customer_id,
        s.starts_on,
        s.mrr
    from stretch s
    where list_contains($ids, s.customer_id)
)
select
    s.customer_id,
    s.day,
    coalesce(b.mrr, 0) as mrr
from shown s
asof left join balance b
    on b.customer_id = s.customer_id
    and b.starts_on <= s.day
order by s.place, s.day;
