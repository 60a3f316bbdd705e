-- Is what is kept ready for readers what ledger and charges say? Rules R9, R11 and R12.
--
-- One row a check, described in kpi.checks: how many things were compared, how many of them
-- are wrong, and one of these as an example. Reads ledger and charges some times, and
-- all invoices.
create or replace view kpi.invariants_of_reads as
with covered as (
    select
        v.observed_from,
        v.complete_through as day,
        v.paying_on
    from meta.coverage v
    where v.observed_from <= v.complete_through
),
-- The ledger, not the charges, tells what is paid.
balance as (
    select
        m.customer_id,
        m.currency,
        sum(m.change) as mrr,
        sum(m.unpaid_change) as unpaid
    from covered v
    join ledger.movement_cents m
        on m.effective_on <= v.day
    group by m.customer_id, m.currency
),
running as (
    select
        c.customer_id,
        c.currency,
        coalesce(100 * sum(c.mrr) filter (where c.starts_on <= v.day and c.term = 'month'), 0) as by_month,
        coalesce(100 * sum(c.mrr) filter (where c.starts_on <= v.day and c.term = 'year'), 0) as by_year,
        coalesce(100 * sum(c.mrr) filter (where c.starts_on <= v.day and c.term = 'other'), 0) as by_other,
        least(min(c.starts_on) filter (where c.starts_on > v.day), min(c.ends_on)) as next_on
    from covered v
    join kpi.charge_term c
        on c.ends_on > v.day
    where c.mrr <> 0
    group by c.customer_id, c.currency
),
paying as (
    select
        coalesce(p.customer_id, r.customer_id) as customer_id,
        (
            (p.mrr, p.unpaid, p.by_month, p.by_year, p.by_other, p.next_on, p.is_only_currency) = (
                coalesce(b.mrr, 0), coalesce(b.unpaid, 0), r.by_month, r.by_year, r.by_other, r.next_on,
                count(r.currency) over (partition by r.customer_id) = 1
            )
        ) is not true as is_wrong
    from ledger.paying_cents p
    full join running r
        on r.customer_id = p.customer_id
        and r.currency = p.currency
    left join balance b
        on b.customer_id = r.customer_id
        and b.currency = r.currency
),
price as (
    select (k.customers is distinct from p.customers) as is_wrong
    from ledger.price_cents k
    full join (
        select
            c.currency,
            c.is_only_currency,
            c.by_month,
            c.by_year,
            c.by_other,
            c.mrr,
            count(*) as customers
        from ledger.paying_cents c
        where c.mrr > 0
        group by c.currency, c.is_only_currency, c.by_month, c.by_year, c.by_other, c.mrr
    ) p
        on p.currency = k.currency
        and p.is_only_currency = k.is_only_currency
        and p.by_month = k.by_month
        and p.by_year = k.by_year
        and p.by_other = k.by_other
        and p.mrr = k.mrr
),
moved as (
    select
        m.customer_id,
        m.currency,
        case
            when m.effective_on >= v.observed_from then date_trunc('month', m.effective_on::timestamp)
            else date_trunc('month', v.observed_from::timestamp) - interval '1 month'
        end::date as month,
        m.effective_on,
        m.kind,
        m.customers,
        m.change
    from covered v
    join ledger.movement_cents m
        on m.effective_on <= v.day
    where m.change <> 0
),
life as (
    select
        m.customer_id,
        date_trunc('month', min(m.effective_on)::timestamp)::date as cohort,
        min(m.month) as first_month,
        bool_or(m.kind = 'new') as is_new,
        count(distinct m.currency) > 1 as has_several
    from moved m
    group by m.customer_id
),
monthly as (
    select
        m.customer_id,
        m.currency,
        m.month,
        sum(m.customers) as customers,
        sum(m.change) as change,
        sum(sum(m.change)) over (partition by m.customer_id, m.currency order by m.month) as closing
    from moved m
    group by m.customer_id, m.currency, m.month
),
by_cohort as (
    select
        l.cohort,
        l.is_new,
        m.month,
        m.currency,
        case when l.has_several then l.customer_id else '' end as customer_id,
        count(*) as members,
        sum(m.customers) as customers,
        sum(m.change) as change,
        count(*) filter (where m.closing = 0 and m.change < 0 and not l.has_several) as lost,
        coalesce(sum(m.change) filter (where m.closing > m.change and not l.has_several), 0) as net_change,
        coalesce(sum(least(m.change, 0)) filter (where m.closing > m.change and not l.has_several), 0) as losses
    from monthly m
    join life l
        on l.customer_id = m.customer_id
    group by 1, 2, 3, 4, 5
),
cohort as (
    select
        coalesce(k.cohort, c.cohort) as cohort,
        coalesce(k.month, c.month) as month,
        (
            (k.members, k.customers, k.change, k.lost, k.net_change, k.losses)
            = (c.members, c.customers, c.change, c.lost, c.net_change, c.losses)
        ) is not true as is_wrong
    from ledger.cohort_month_cents k
    full join by_cohort c
        on c.cohort = k.cohort
        and c.is_new = k.is_new
        and c.month = k.month
        and c.currency = k.currency
        and c.customer_id = k.customer_id
    union all
    -- Each customer arrives once, in the first month in which anything is said of it.
    select
        coalesce(k.cohort, l.cohort),
        coalesce(k.month, l.month),
        k.arrived is distinct from l.arrived
    from (
        select c.cohort, c.is_new, c.month, sum(c.arrived) as arrived
        from ledger.cohort_month_cents c
        group by c.cohort, c.is_new, c.month
        having sum(c.arrived) <> 0
    ) k
    full join (
        select c.cohort, c.is_new, c.first_month as month, count(*) as arrived
        from life c
        group by c.cohort, c.is_new, c.first_month
    ) l
        on l.cohort = k.cohort
        and l.is_new = k.is_new
        and l.month = k.month
),
-- The days of a history in order, each with what MRR changes by on it.
told as (
    select
        h.customer_id,
        d.day,
        d.mrr - lag(d.mrr, 1, 0.0) over (partition by h.customer_id order by d.place) as change
    from ledger.history h
    cross join lateral unnest(h.days, h.mrr) with ordinality as d (day, mrr, place)
),
-- Who is known begins with nothing, before all days.
followed as (
    select
        c.customer_id,
        '0001-01-01'::date as day,
        0 as change
    from raw.customer c
    where c.superseded_by is null
    union all
    select
        m.customer_id,
        m.effective_on,
        sum(m.change * 0.01 * u.factor)
    from ledger.movement_cents m
    join ledger.currency u
        on u.currency = m.currency
    where m.change <> 0
    group by m.customer_id, m.effective_on
),
history as (
    select
        coalesce(t.customer_id, f.customer_id) as customer_id,
        (t.change is distinct from f.change) as is_wrong
    from told t
    full join followed f
        on f.customer_id = t.customer_id
        and f.day = t.day
),
-- Kept up to another day than the last covered one, it would not be read.
day_kept as (
    select
        v.paying_on,
        (v.paying_on = c.day or (v.paying_on is null and c.day is null)) is not true as is_wrong
    from meta.coverage v
    left join covered c on true
),
fate as (
    select
        coalesce(k.customer_id, i.customer_id) as customer_id,
        (
            (k.invoices, k.above_zero, k.total, k.last_batch_id)
            = (i.invoices, i.above_zero, i.total, i.last_batch_id)
        ) is not true as is_wrong
    from (
        select
            f.customer_id,
            f.currency,
            f.status,
            case when f.status = any(s.counted_statuses) then f.became else f.status end as detail,
            sum(f.invoices) as invoices,
            sum(f.above_zero) as above_zero,
            sum(f.total) * 0.01 as total,
            max(f.last_batch_id) as last_batch_id
        from billing.fate_cents f
        cross join meta.setting s
        group by 1, 2, 3, 4
    ) k
    full join (
        select
            f.customer_id,
            f.currency,
            f.status,
            f.detail,
            count(*) as invoices,
            count(*) filter (where f.total > 0) as above_zero,
            sum(f.total) as total,
            max(f.batch_id) as last_batch_id
        from kpi.invoice_fate f
        group by 1, 2, 3, 4
    ) i
        on i.customer_id = k.customer_id
        and i.currency = k.currency
        and i.status = k.status
        and i.detail = k.detail
)
select
    'customers paying' as check_name,
    count(*) as compared,
    count(*) filter (where p.is_wrong) as wrong,
    min(p.example) filter (where p.is_wrong) as example
from (
    select
        c.is_wrong,
        c.customer_id as example
    from paying c
    union all
    select
        k.is_wrong,
        'the count of a price'
    from price k
) p
union all
select
    'histories',
    count(*),
    count(*) filter (where h.is_wrong),
    min(h.customer_id) filter (where h.is_wrong)
from history h
union all
select
    'cohorts by month',
    count(*),
    count(*) filter (where c.is_wrong),
    min(c.example) filter (where c.is_wrong)
from (
    select
        k.is_wrong,
        format('cohort %s in %s', to_char(k.cohort, 'YYYY-MM'), to_char(k.month, 'YYYY-MM')) as example
    from cohort k
    union all
    select
        d.is_wrong,
        format('kept up to %s', to_char(d.paying_on, 'YYYY-MM-DD'))
    from day_kept d
) c
union all
select
    'fates by customer',
    count(*),
    count(*) filter (where f.is_wrong),
    min(f.customer_id) filter (where f.is_wrong)
from fate f;

comment on view kpi.invariants_of_reads is 'Whether what is kept for readers, of customers on the last covered day, of their histories, of cohorts in each month and of the fates of invoices, is what ledger, charges and invoices say: one row a check, a part of kpi.invariants.';
comment on column kpi.invariants_of_reads.check_name is 'Name of the check, described in kpi.checks.';
comment on column kpi.invariants_of_reads.compared is 'How many things were compared.';
comment on column kpi.invariants_of_reads.wrong is 'How many of them are wrong.';
comment on column kpi.invariants_of_reads.example is 'One of those; NULL where none is wrong.';
grant select on kpi.invariants_of_reads to pgmrr_reader, pgmrr_writer;
