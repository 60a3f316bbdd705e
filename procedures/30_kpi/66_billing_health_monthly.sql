-- What became of the money that was billed, month by month? Rule R13.
--
-- One row a calendar month with invoices, by the date of the invoice in the reporting time
-- zone, in the reporting currency; totals with their taxes, subscriptions and one-offs
-- alike. It reads invoices, since most of them never reach the ledger. Only the sign of a
-- total decides where it stands:
--
--     billed    above 0, and paid, open or uncollectible: what customers were asked for, and
--               still owe or owed. The three shares of it add up to 1.
--     void      billing that was cancelled: not billed. Its share is that of billed + void.
--     draft     not billed yet. Its share is that of billed + drafts.
--     credited  below 0 and not void, whatever the status: kept apart, so that every share is
--               between 0 and 1
--     free      exactly 0; counted, in whatever status
--
-- Late is what is open after its due date at the end of coverage; an invoice without a due
-- date, or one that is due before it was issued (exports hold 1970), is never late.
create or replace view kpi.billing_health_monthly as
with sorted as (
    select
        date_trunc('month', i.issued_at at time zone s.time_zone)::date as month,
        i.currency,
        case
            when i.total = 0 then 'free'
            when i.total < 0 and i.status = 'void' then 'cancelled credit'
            when i.total < 0 then 'credited'
            when i.status = 'open' and i.due_at >= i.issued_at and (i.due_at at time zone s.time_zone)::date <= v.complete_through
                then 'late'
            else i.status
        end as state,
        count(*) as invoices,
        sum(i.total) * 0.01 as total
    from raw.invoice i
    cross join meta.setting s
    cross join kpi.coverage v
    where i.superseded_by is null
    group by 1, 2, 3
),
-- Currencies in which nothing recurs have no row in kpi.currency; their rates may be known.
reporting as (
    select coalesce(
        (select min(c.reporting_currency) from kpi.currency c),
        (select s.reporting_currency from meta.setting s),
        (select min(o.currency) from sorted o having count(distinct o.currency) = 1),
        'EUR'
    ) as currency
),
converted as (
    select
        o.month,
        o.state,
        o.invoices,
        o.total * coalesce(c.factor, kpi.conversion(o.currency, r.currency)) as total
    from sorted o
    cross join reporting r
    left join kpi.currency c
        on c.currency = o.currency
),
summed as (
    select
        c.month,
        sum(c.invoices)::bigint as invoices,
        coalesce(sum(c.invoices) filter (where c.state in ('paid', 'open', 'late', 'uncollectible')), 0)::bigint as invoices_billed,
        coalesce(sum(c.invoices) filter (where c.state = 'paid'), 0)::bigint as invoices_paid,
        coalesce(sum(c.invoices) filter (where c.state in ('open', 'late')), 0)::bigint as invoices_open,
        coalesce(sum(c.invoices) filter (where c.state = 'late'), 0)::bigint as invoices_late,
        coalesce(sum(c.invoices) filter (where c.state = 'uncollectible'), 0)::bigint as invoices_uncollectible,
        coalesce(sum(c.invoices) filter (where c.state in ('void', 'cancelled credit')), 0)::bigint as invoices_void,
        coalesce(sum(c.invoices) filter (where c.state = 'draft'), 0)::bigint as invoices_draft,
        coalesce(sum(c.invoices) filter (where c.state = 'credited'), 0)::bigint as invoices_credited,
        coalesce(sum(c.invoices) filter (where c.state = 'free'), 0)::bigint as invoices_free,
        coalesce(sum(c.total) filter (where c.state in ('paid', 'open', 'late', 'uncollectible')), 0) as billed,
        coalesce(sum(c.total) filter (where c.state = 'paid'), 0) as paid,
        coalesce(sum(c.total) filter (where c.state in ('open', 'late')), 0) as open,
        coalesce(sum(c.total) filter (where c.state = 'late'), 0) as late,
        coalesce(sum(c.total) filter (where c.state = 'uncollectible'), 0) as uncollectible,
        coalesce(sum(c.total) filter (where c.state = 'void'), 0) as void,
        coalesce(sum(c.total) filter (where c.state = 'draft'), 0) as draft,
        coalesce(sum(c.total) filter (where c.state = 'credited'), 0) as credited
    from converted c
    group by c.month
)
select
    m.month,
    m.invoices,
    m.invoices_billed,
    m.invoices_paid,
    m.invoices_open,
    m.invoices_late,
    m.invoices_uncollectible,
    m.invoices_void,
    m.invoices_draft,
    m.invoices_credited,
    m.invoices_free,
    m.billed,
    m.paid,
    m.open,
    m.late,
    m.uncollectible,
    m.void,
    m.draft,
    m.credited,
    m.paid / nullif(m.billed, 0) as paid_share,
    m.open / nullif(m.billed, 0) as open_share,
    m.late / nullif(m.billed, 0) as late_share,
    m.uncollectible / nullif(m.billed, 0) as uncollectible_share,
    m.void / nullif(m.billed + m.void, 0) as void_share,
    m.draft / nullif(m.billed + m.draft, 0) as draft_share,
    coalesce(
        m.month >= v.observed_from and (m.month + interval '1 month - 1 day')::date <= v.complete_through,
        false
    ) as is_whole
from summed m
cross join kpi.coverage v
order by m.month;

comment on view kpi.billing_health_monthly is 'What became of the money that was billed: one row a calendar month of invoice dates, totals with taxes in the reporting currency. billed = paid + open + uncollectible.';
comment on column kpi.billing_health_monthly.month is 'First day of the calendar month of the invoices.';
comment on column kpi.billing_health_monthly.invoices is 'Current invoices of any status and total.';
comment on column kpi.billing_health_monthly.invoices_billed is 'Those above 0 that are paid, open or uncollectible.';
comment on column kpi.billing_health_monthly.invoices_paid is 'Those above 0 that are paid.';
comment on column kpi.billing_health_monthly.invoices_open is 'Those above 0 that are open.';
comment on column kpi.billing_health_monthly.invoices_late is 'Those of the open ones whose due date has passed at the end of coverage.';
comment on column kpi.billing_health_monthly.invoices_uncollectible is 'Those above 0 that are uncollectible.';
comment on column kpi.billing_health_monthly.invoices_void is 'Those that were cancelled, free ones apart.';
comment on column kpi.billing_health_monthly.invoices_draft is 'Those above 0 that are not finalized.';
comment on column kpi.billing_health_monthly.invoices_credited is 'Those below 0 that were not cancelled.';
comment on column kpi.billing_health_monthly.invoices_free is 'Those of exactly 0.';
comment on column kpi.billing_health_monthly.billed is 'What customers were asked for: paid + open + uncollectible, above 0.';
comment on column kpi.billing_health_monthly.paid is 'What was paid of it.';
comment on column kpi.billing_health_monthly.open is 'What is still open of it.';
comment on column kpi.billing_health_monthly.late is 'What is open of it after its due date.';
comment on column kpi.billing_health_monthly.uncollectible is 'What was given up of it.';
comment on column kpi.billing_health_monthly.void is 'What was cancelled; not billed.';
comment on column kpi.billing_health_monthly.draft is 'What is drafted; not billed yet.';
comment on column kpi.billing_health_monthly.credited is 'Totals below 0 that were not cancelled; negative.';
comment on column kpi.billing_health_monthly.paid_share is 'paid / billed, 0 to 1; NULL where nothing was billed.';
comment on column kpi.billing_health_monthly.open_share is 'open / billed, 0 to 1.';
comment on column kpi.billing_health_monthly.late_share is 'late / billed, 0 to 1.';
comment on column kpi.billing_health_monthly.uncollectible_share is 'uncollectible / billed, 0 to 1.';
comment on column kpi.billing_health_monthly.void_share is 'void / (billed + void), 0 to 1.';
comment on column kpi.billing_health_monthly.draft_share is 'draft / (billed + draft), 0 to 1.';
comment on column kpi.billing_health_monthly.is_whole is 'False where the month is not covered as a whole.';
grant select on kpi.billing_health_monthly to pgmrr_reader, pgmrr_writer;
