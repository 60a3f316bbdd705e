-- How much do customers use the product, in each period that a read asks for? R12. One row a
-- period; none where there are no sessions at all.
create or replace temp table usage as
with used as (
    select
        s.customer_id,
        case
            when k.time_zone = 'UTC' then s.created_at
            else timezone(k.time_zone, timezone('UTC', s.created_at))
        end::date as used_on
    from session s
    cross join known k
),
counted as (
    select
        a.period_of,
        a.first_on,
        count(*) as sessions,
        count(distinct u.customer_id) as customers
    from asked a
    join used u
        on u.used_on between a.first_on and a.last_on
    group by all
),
paying as (
    select
        a.period_of,
        a.first_on,
        count(distinct s.customer_id) as customers
    from asked a
    join stretch s
        on s.starts_on <= a.last_on
        and s.ends_on > a.first_on
    where s.mrr > 0
        and exists (from session)
    group by all
)
select
    a.period_of,
    a.first_on,
    a.last_on,
    coalesce(c.sessions, 0) as sessions,
    coalesce(c.customers, 0) as customers_with_sessions,
    coalesce(p.customers, 0) as customers_active,
    coalesce(c.sessions, 0) / nullif(p.customers, 0) as sessions_per_customer
from asked a
left join counted c
    on c.period_of = a.period_of
    and c.first_on = a.first_on
left join paying p
    on p.period_of = a.period_of
    and p.first_on = a.first_on
where exists (from session);
