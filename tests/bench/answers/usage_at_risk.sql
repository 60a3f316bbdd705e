-- Who uses the product half as much as before, or less, in the 30 days to the last covered one?
with used as (
    select
        s.customer_id,
        if(k.time_zone = 'UTC', s.created_at, timezone(k.time_zone, timezone('UTC', s.created_at)))::date as used_on,
        k.complete_through as day
    from session s
    cross join known k
    where k.covered_days >= 60
),
counted as (
    select
        u.customer_id,
        count(*) filter (where u.used_on <= u.day - 30) as sessions_before,
        count(*) filter (where u.used_on > u.day - 30) as sessions,
        max(u.used_on) as last_used_on
    from used u
    where u.used_on between u.day - 59 and u.day
    group by u.customer_id
)
select
    c.customer_id, coalesce(u.name, u.customer_id) as name, a.mrr, c.sessions_before, c.sessions,
    c.sessions / c.sessions_before - 1 as change, c.last_used_on
from counted c
join active a
    on a.customer_id = c.customer_id
left join customer u
    on u.customer_id = c.customer_id
where c.sessions_before > 0
    and 2 * c.sessions <= c.sessions_before
order by a.mrr desc, c.customer_id;
