-- Whose MRR rests on nothing that was ever paid? Rules R1, R9 and R13.
--
-- One row a customer with MRR above 0 on the last covered day who never paid: no current
-- invoice with a total above 0 is paid, and the source counts no payment. The largest MRR
-- first, in the reporting currency. With a truncated history a customer whose payments the
-- source does not count may have paid before the export began: `may_have_paid_before` says
-- so.
create or replace view kpi.never_paid as
with active as (
    select
        m.customer_id collate "C" as customer_id,
        m.mrr
    from kpi.mrr_by_customer(null) m
),
total as materialized (
    select sum(d.change) as mrr
    from kpi.daily_change d
    where d.effective_on <= (select v.complete_through from kpi.coverage v)
),
unpaid as (
    select
        a.customer_id,
        a.mrr
    from active a
    left join raw.customer u
        on u.customer_id = a.customer_id
        and u.superseded_by is null
    where coalesce(u.payment_count, 0) = 0
        and a.customer_id not in (
            select f.customer_id
            from billing.fate_cents f
            where f.status = 'paid'
                and f.above_zero > 0
        )
),
-- They are few: an array of them is looked up by the key, where a join would read all rows.
begun as (
    select
        l.customer_id,
        min(l.effective_on) as since
    from kpi.ledger l
    where l.customer_id = any(array(select n.customer_id from unpaid n))
    group by l.customer_id
),
owed as (
    select
        i.customer_id,
        sum(i.amount) filter (where i.status = 'open') as open,
        sum(i.amount) filter (where i.status = 'draft') as draft,
        sum(i.amount) filter (where i.status = 'uncollectible') as uncollectible,
        count(*) filter (where i.status = 'open') as invoices_open
    from (
        select
            i.customer_id,
            i.status,
            i.total * 0.01 * coalesce(
                c.factor,
                kpi.conversion(i.currency, (select min(r.reporting_currency) from kpi.currency r))
            ) as amount
        from raw.invoice i
        left join kpi.currency c
            on c.currency = i.currency
        where i.customer_id = any(array(select n.customer_id from unpaid n))
            and i.superseded_by is null
            and i.total > 0
    ) i
    group by i.customer_id
)
select
    n.customer_id,
    coalesce(u.name, n.customer_id) as name,
    n.mrr,
    n.mrr / t.mrr as share,
    coalesce(o.open, 0) as open,
    coalesce(o.draft, 0) as draft,
    coalesce(o.uncollectible, 0) as uncollectible,
    coalesce(o.invoices_open, 0) as invoices_open,
    s.since,
    v.is_truncated and u.payment_count is null as may_have_paid_before
from unpaid n
join begun s
    on s.customer_id = n.customer_id
left join owed o
    on o.customer_id = n.customer_id
cross join total t
cross join kpi.coverage v
left join raw.customer u
    on u.customer_id = n.customer_id
    and u.superseded_by is null
order by n.mrr desc, n.customer_id collate "C";

comment on view kpi.never_paid is 'Customers with MRR on the last covered day who never paid an invoice, one row each, in the reporting currency, the largest MRR first.';
comment on column kpi.never_paid.customer_id is 'The customer.';
comment on column kpi.never_paid.name is 'Its name; the customer_id where the source has none.';
comment on column kpi.never_paid.mrr is 'MRR on the last covered day.';
comment on column kpi.never_paid.share is 'Share of the company''s MRR that day, 0 to 1.';
comment on column kpi.never_paid.open is 'Totals of its open invoices, taxes included.';
comment on column kpi.never_paid.draft is 'Totals of its drafts, taxes included.';
comment on column kpi.never_paid.uncollectible is 'Totals of its uncollectible invoices, taxes included.';
comment on column kpi.never_paid.invoices_open is 'How many of its invoices with a total above 0 are open.';
comment on column kpi.never_paid.since is 'First day on which it had MRR.';
comment on column kpi.never_paid.may_have_paid_before is 'True where the history is truncated and the source counts no payments: it may have paid before.';
grant select on kpi.never_paid to pgmrr_reader, pgmrr_writer;
