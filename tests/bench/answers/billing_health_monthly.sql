-- What became of the money that was billed, by month of the invoice?
with sorted as (
    select
        date_trunc(
            'month',
            if(k.time_zone = 'UTC', i.issued_at, timezone(k.time_zone, timezone('UTC', i.issued_at)))
        )::date as month,
        i.currency,
        case
            when i.total = 0 then 'free'
            when i.total < 0 and i.status = 'void' then 'cancelled credit'
            when i.total < 0 then 'credited'
            when i.status = 'open'
                and i.due_at >= i.issued_at
                and if(k.time_zone = 'UTC', i.due_at, timezone(k.time_zone, timezone('UTC', i.due_at)))::date
                    <= k.complete_through
                then 'late'
            else i.status
        end as state,
        count(*) as invoices,
        sum(i.total)::bigint as total
    from invoice i
    cross join known k
    group by all
),
summed as (
    select
        o.month,
        sum(o.invoices) as invoices,
        coalesce(sum(o.invoices) filter (where o.state in ('paid', 'open', 'late', 'uncollectible')), 0) as invoices_billed,
        coalesce(sum(o.invoices) filter (where o.state = 'paid'), 0) as invoices_paid,
        coalesce(sum(o.invoices) filter (where o.state in ('open', 'late')), 0) as invoices_open,
        coalesce(sum(o.invoices) filter (where o.state = 'late'), 0) as invoices_late,
        coalesce(sum(o.invoices) filter (where o.state = 'uncollectible'), 0) as invoices_uncollectible,
        coalesce(sum(o.invoices) filter (where o.state in ('void', 'cancelled credit')), 0) as invoices_void,
        coalesce(sum(o.invoices) filter (where o.state = 'draft'), 0) as invoices_draft,
        coalesce(sum(o.invoices) filter (where o.state = 'credited'), 0) as invoices_credited,
        coalesce(sum(o.invoices) filter (where o.state = 'free'), 0) as invoices_free,
        coalesce(sum(o.total * r.cent) filter (where o.state in ('paid', 'open', 'late', 'uncollectible')), 0) as billed,
        coalesce(sum(o.total * r.cent) filter (where o.state = 'paid'), 0) as paid,
        coalesce(sum(o.total * r.cent) filter (where o.state in ('open', 'late')), 0) as open,
        coalesce(sum(o.total * r.cent) filter (where o.state = 'late'), 0) as late,
        coalesce(sum(o.total * r.cent) filter (where o.state = 'uncollectible'), 0) as uncollectible,
        coalesce(sum(o.total * r.cent) filter (where o.state = 'void'), 0) as void,
        coalesce(sum(o.total * r.cent) filter (where o.state = 'draft'), 0) as draft,
        coalesce(sum(o.total * r.cent) filter (where o.state = 'credited'), 0) as credited
    from sorted o
    join rate r
        on r.currency = o.currency
    group by o.month
)
select
    s.*, s.paid / nullif(s.billed, 0) as paid_share, s.open / nullif(s.billed, 0) as open_share,
    s.late / nullif(s.billed, 0) as late_share, s.uncollectible / nullif(s.billed, 0) as uncollectible_share,
    s.void / nullif(s.billed + s.void, 0) as void_share, s.draft / nullif(s.billed + s.draft, 0) as draft_share,
    s.month >= k.observed_from and last_day(s.month) <= k.complete_through as is_whole
from summed s
cross join known k
order by s.month;
