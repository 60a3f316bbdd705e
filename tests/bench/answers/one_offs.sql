-- Which invoices count and do not recur, and which may stand in the place of another?
with one_off as (
    select i.*
    from invoice i
    cross join known k
    where list_contains(k.counted_statuses, i.status)
        and not (i.subscription_id is not null and coalesce(i.line_period_start < i.line_period_end, false))
)
select
    i.invoice_id, i.customer_id, coalesce(u.name, u.customer_id) as name,
    if(k.time_zone = 'UTC', i.issued_at, timezone(k.time_zone, timezone('UTC', i.issued_at)))::date as issued_on,
    (
        i.total - if(
            i.exclusive_tax is null and i.inclusive_tax is null,
            coalesce(i.tax, 0),
            coalesce(i.exclusive_tax, 0) + coalesce(i.inclusive_tax, 0)
        )
    ) * 0.01 as net,
    i.currency, i.status,
    case
        when i.subscription_id is null then 'no subscription'
        when i.line_period_start is null or i.line_period_end is null then 'no service period'
        else 'empty service period'
    end as reason,
    exists (
        from invoice o
        where o.customer_id = i.customer_id
            and o.subscription_id is not null
            and o.status in ('void', 'uncollectible')
            and o.issued_at between i.issued_at - interval 744 hours and i.issued_at + interval 744 hours
    ) as is_possible_replacement
from one_off i
cross join known k
left join customer u
    on u.customer_id = i.customer_id
order by issued_on, i.invoice_id;
