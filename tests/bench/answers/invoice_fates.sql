-- What became of the invoices? R1 and R2.
--
-- An invoice that counts and recurs made a charge: a term but for the few that are known to be
-- another, so that these alone are joined. What decides is added up before it is put into words.
with other as (
    select c.customer_id, c.invoice_id, c.basis
    from charge c
    where c.basis not in ('term', 'implied')
),
kinds as (
    select
        i.status,
        i.currency,
        i.subscription_id is not null as has_subscription,
        i.line_period_start < i.line_period_end as has_service,
        o.basis,
        count(*) as invoices,
        sum(i.total)::bigint as total
    from invoice i
    left join other o
        on o.customer_id = i.customer_id
        and o.invoice_id = i.invoice_id
    group by all
),
told as (
    select
        case
            when not list_contains(k.counted_statuses, o.status) then 'not counted'
            when o.has_subscription and coalesce(o.has_service, false) then 'charge'
            else 'one-off'
        end as fate,
        case
            when fate = 'not counted' then o.status
            when fate = 'charge' then coalesce(o.basis, 'term')
            when not o.has_subscription then 'no subscription'
            when o.has_service is null then 'no service period'
            else 'empty service period'
        end as detail,
        o.currency,
        o.invoices,
        o.total
    from kinds o
    cross join known k
)
select fate, detail, currency, sum(invoices)::bigint as invoices, sum(total)::bigint * 0.01 as total
from told
group by fate, detail, currency
union all
select 'rejected', r.reason, null, count(*), null
from rejected r
group by r.reason
order by fate, detail, currency;
