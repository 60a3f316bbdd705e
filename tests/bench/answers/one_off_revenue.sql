-- Which revenue counts and does not recur? R2.
select
    i.status,
    case
        when i.subscription_id is null then 'no subscription'
        when i.line_period_start is null or i.line_period_end is null then 'no service period'
        else 'empty service period'
    end as reason,
    i.currency,
    count(*) as invoices,
    sum(
        i.total - if(
            i.exclusive_tax is null and i.inclusive_tax is null,
            coalesce(i.tax, 0),
            coalesce(i.exclusive_tax, 0) + coalesce(i.inclusive_tax, 0)
        )
    )::bigint * 0.01 as net,
    max(
        i.total - if(
            i.exclusive_tax is null and i.inclusive_tax is null,
            coalesce(i.tax, 0),
            coalesce(i.exclusive_tax, 0) + coalesce(i.inclusive_tax, 0)
        )
    ) * 0.01 as largest
from invoice i
cross join known k
where list_contains(k.counted_statuses, i.status)
    and not (i.subscription_id is not null and coalesce(i.line_period_start < i.line_period_end, false))
group by all
order by i.status, reason, i.currency;
