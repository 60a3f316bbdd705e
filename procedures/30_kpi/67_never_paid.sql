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
total as (
    select sum(a.mrr) as mrr
    from active a
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
        and not exists (
            select
            from billing.fate_cents f
            where f.customer_id = a.customer_id
                and f.status = 'paid'
                and f.above_zero > 0
        )
)
select
    n.customer_id,
    coalesce(u.name, n.customer_id) as name,
    n.mrr,
    n.mrr / t.mrr as share,
    o.open,
    o.draft,
    o.uncollectible,
    o.invoices_open,
    (select min(l.effective_on) from kpi.ledger l where l.customer_id = n.customer_id) as since,
    v.is_truncated and u.payment_count is null as may_have_paid_before
from unpaid n
cross join total t
cross join kpi.coverage v
left join raw.customer u
    on u.customer_id = n.customer_id
    and u.superseded_by is null
cross join lateral (
    select
        coalesce(sum(i.total * 0.01 * f.factor) filter (where i.status = 'open'), 0) as open,
        coalesce(sum(i.total * 0.01 * f.factor) filter (where i.status = 'draft'), 0) as draft,
        coalesce(sum(i.total * 0.01 * f.factor) filter (where i.status = 'uncollectible'), 0) as uncollectible,
        count(*) filter (where i.status = 'open') as invoices_open
    from raw.invoice i
    cross join lateral (
        select coalesce(
            (select c.factor from kpi.currency c where c.currency = i.currency),
            kpi.conversion(i.currency, (select min(c.reporting_currency) from kpi.currency c))
        ) as factor
    ) f
    where i.customer_id = n.customer_id
        and i.superseded_by is null
        and i.total > 0
) o
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
