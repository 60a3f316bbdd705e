-- What became of the invoices? R1 and R2.
--
-- An invoice that counts and recurs made a charge: a term but for the few that are known to be
-- another, so that these alone are joined.
with other as (
    select c.customer_id, c.invoice_id, c.basis
    from charge c
    where c.basis not in ('term', 'implied')
),
told as (
    select
        list_contains(string_split(trim(k.counted_statuses, '{}'), ','), i.status) as is_counted,
        i.subscription_id is not null and coalesce(i.line_period_start < i.line_period_end, false) as recurs,
        case
            when not is_counted then 'not counted'
            when recurs then 'charge'
            else 'one-off'
        end as fate,
        case
            when not is_counted then i.status
            when recurs then coalesce(o.basis, 'term')
            when i.subscription_id is null then 'no subscription'
            when i.line_period_start is null or i.line_period_end is null then 'no service period'
            else 'empty service period'
        end as detail,
        i.currency,
        i.total
    from invoice i
    cross join known k
    left join other o
        on o.customer_id = i.customer_id
        and o.invoice_id = i.invoice_id
)
select fate, detail, currency, count(*) as invoices, sum(total)::bigint * 0.01 as total
from told
group by fate, detail, currency
union all
select 'rejected', r.reason, null, count(*), null
from rejected r
group by r.reason
order by fate, detail, currency;
