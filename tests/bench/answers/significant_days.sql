-- On which days did MRR change unusually, and who made it?
--
-- A day is compared with all days or, from 8 covered weeks on, with those of its weekday:
-- median and 1.4826 x median absolute deviation or, where that is 0, 1.2533 x the mean one.
with compared as (
    select
        d.day,
        d.closing - d.opening - d.preexisting as change,
        d.closing,
        d.churn_is_observable,
        if(k.covered_days >= 56, isodow(d.day), 0) as weekday
    from day d
    cross join known k
),
middle as (
    select
        c.weekday,
        count(*) as periods,
        list(c.change order by c.change) as changes,
        (changes[(periods + 1) // 2] + changes[periods // 2 + 1]) * 0.5 as expected
    from compared c
    group by c.weekday
),
deviation as (
    select
        c.weekday,
        list(abs(c.change - m.expected) order by abs(c.change - m.expected)) as sizes,
        ((sizes[(count(*) + 1) // 2] + sizes[count(*) // 2 + 1]) * 0.5)::double as median,
        avg(abs(c.change - m.expected))::double as mean
    from compared c
    join middle m
        on m.weekday = c.weekday
    group by c.weekday
),
measured as (
    select
        c.day,
        c.change,
        m.expected,
        c.change - m.expected as deviation,
        c.closing,
        if(
            c.weekday > 0,
            ['Mondays', 'Tuesdays', 'Wednesdays', 'Thursdays', 'Fridays', 'Saturdays', 'Sundays'][c.weekday],
            'all days'
        ) as compared_with,
        m.periods,
        if(v.median > 0, 1.4826 * v.median, 1.2533 * v.mean) as spread,
        case
            when v.median > 0 then 'median absolute deviation'
            when v.mean > 0 then 'mean absolute deviation'
            else 'none'
        end as spread_is,
        abs(c.change - m.expected)::double / nullif(spread, 0) as score,
        c.churn_is_observable
    from compared c
    join middle m
        on m.weekday = c.weekday
    join deviation v
        on v.weekday = c.weekday
),
found as (
    select *
    from measured
    where day between $first and $last
        and score >= $threshold
),
-- The largest in the direction of the deviation, until they make half of it.
kind_change as (
    select
        f.day,
        c.kind,
        sum(c.change) as change,
        any_value(f.deviation) as deviation
    from found f
    join change c
        on c.effective_on = f.day
    where c.kind not in ('preexisting', 'unpaid')
    group by f.day, c.kind
    having sum(c.change) <> 0
        and (sum(c.change) > 0) = (any_value(f.deviation) > 0)
),
kind_order as (
    select
        k.*,
        sum(k.change) over (partition by k.day order by abs(k.change) desc, k.kind) - k.change as before
    from kind_change k
),
kind as (
    select
        k.day,
        list(
            {'kind': k.kind, 'change': k.change, 'share': k.change / k.deviation}
            order by abs(k.change) desc, k.kind
        ) as kinds
    from kind_order k
    where 2 * abs(k.before) < abs(k.deviation)
    group by k.day
),
moved as (
    select
        f.day,
        m.customer_id,
        m.kind,
        sum(m.change * r.cent) as change,
        any_value(f.deviation) as deviation
    from movement m
    join found f
        on f.day = m.effective_on
    join rate r
        on r.currency = m.currency
    where m.change <> 0
        and m.kind <> 'preexisting'
    group by f.day, m.customer_id, m.kind
    having sum(m.change * r.cent) <> 0
        and (sum(m.change * r.cent) > 0) = (any_value(f.deviation) > 0)
),
ordered as (
    select
        m.*,
        sum(m.change) over (partition by m.day order by abs(m.change) desc, m.customer_id, m.kind) - m.change as before
    from moved m
),
driver as (
    select
        o.day,
        list(
            {
                'customer_id': o.customer_id, 'name': coalesce(u.name, u.customer_id), 'kind': o.kind, 'change': o.change,
                'share': o.change / o.deviation
            }
            order by abs(o.change) desc, o.customer_id, o.kind
        ) as drivers
    from ordered o
    left join customer u
        on u.customer_id = o.customer_id
    where 2 * abs(o.before) < abs(o.deviation)
    group by o.day
)
select
    f.day as first_on, f.day as last_on, f.change, f.expected, f.deviation, f.score, f.closing, f.compared_with, f.periods,
    f.spread, f.spread_is, coalesce(k.kinds, []) as kinds, coalesce(d.drivers, []) as drivers, f.churn_is_observable
from found f
left join kind k
    on k.day = f.day
left join driver d
    on d.day = f.day
order by f.day;
