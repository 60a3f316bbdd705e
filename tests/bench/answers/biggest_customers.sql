-- Who carries the revenue, how much of it is unpaid, and where did they stand a month earlier?
with earlier as (
    select (k.complete_through - interval 1 month)::date as day
    from known k
    where (k.complete_through - interval 1 month)::date >= k.observed_from
),
before as (
    select
        s.customer_id,
        row_number() over (order by s.mrr desc, s.customer_id) as place
    from stretch s
    cross join earlier e
    where s.starts_on <= e.day
        and s.ends_on > e.day
        and s.mrr > 0
),
ranked as (
    select
        a.*,
        sum(a.mrr) over (order by a.place rows unbounded preceding) as cumulative,
        k.complete_through as day
    from active a
    cross join known k
    where a.place <= $limit
        and k.complete_through = $day
),
open as (
    select
        c.customer_id,
        c.currency,
        sum(c.mrr)::bigint as mrr
    from ranked r
    join charge c
        on c.customer_id = r.customer_id
    where c.starts_on <= r.day
        and c.ends_on > r.day
        and c.is_unpaid
    group by all
),
balance as (
    select
        m.customer_id,
        m.currency,
        arg_max(m.balance, m.effective_on) as balance
    from ranked r
    join movement m
        on m.customer_id = r.customer_id
        and m.effective_on <= r.day
    group by all
),
unpaid as (
    select
        o.customer_id,
        sum(least(greatest(o.mrr, 0), b.balance) * f.cent) as unpaid
    from open o
    join balance b
        on b.customer_id = o.customer_id
        and b.currency = o.currency
    join rate f
        on f.currency = o.currency
    group by o.customer_id
),
since as (
    select
        s.customer_id,
        min(s.starts_on) as customer_since
    from ranked r
    join stretch s
        on s.customer_id = r.customer_id
    group by s.customer_id
)
select
    r.place as rank, r.customer_id, coalesce(u.name, u.customer_id) as name, r.mrr, r.mrr / r.total as share,
    r.cumulative / r.total as cumulative_share, coalesce(p.unpaid, 0) as unpaid, f.customer_since, e.place as rank_before,
    e.place - r.place as rank_change, r.day
from ranked r
left join customer u
    on u.customer_id = r.customer_id
left join unpaid p
    on p.customer_id = r.customer_id
left join since f
    on f.customer_id = r.customer_id
left join before e
    on e.customer_id = r.customer_id
order by r.place;
