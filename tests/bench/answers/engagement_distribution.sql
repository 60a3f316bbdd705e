-- How are sessions spread over the active customers, by month? A quantile is one that occurs.
with active as (
    select distinct
        a.first_on,
        a.last_on,
        s.customer_id
    from asked a
    join stretch s
        on s.starts_on <= a.last_on
        and s.ends_on > a.first_on
    where a.period_of = 'month'
        and s.mrr > 0
        and exists (from session)
),
used as (
    select
        greatest(date_trunc('month', u.used_on)::date, u.observed_from) as first_on,
        u.customer_id,
        count(*) as sessions
    from (
        select
            s.customer_id,
            k.observed_from,
            k.complete_through,
            if(k.time_zone = 'UTC', s.created_at, timezone(k.time_zone, timezone('UTC', s.created_at)))::date as used_on
        from session s
        cross join known k
    ) u
    where u.used_on between u.observed_from and u.complete_through
    group by all
),
counted as (
    select
        a.first_on,
        a.last_on,
        list_sort(list(coalesce(u.sessions, 0))) as sessions,
        count(*) as customers_active
    from active a
    left join used u
        on u.first_on = a.first_on
        and u.customer_id = a.customer_id
    group by a.first_on, a.last_on
)
select
    date_trunc('month', first_on)::date as month, first_on, last_on, customers_active,
    len(list_filter(sessions, lambda one: one = 0)) as customers_without_sessions, sessions[1] as minimum,
    sessions[ceil(0.1 * customers_active)::integer] as tenth, sessions[ceil(0.25 * customers_active)::integer] as quarter,
    sessions[ceil(0.5 * customers_active)::integer] as median,
    sessions[ceil(0.75 * customers_active)::integer] as three_quarters,
    sessions[ceil(0.9 * customers_active)::integer] as nine_tenths, sessions[-1] as maximum
from counted
order by month;
