-- How many invoices met which fate? Rules R1 and R2.
--
-- One row a fate, detail and currency: what kpi.invoice_fate says of each invoice, counted.
-- Most invoices are paid, of a subscription, for a time, and make a charge of whole months; so
-- the others are counted one by one, and of these only those with another basis are looked up.
create or replace view kpi.invoice_fates as
with ordinary as (
    select
        coalesce(c.basis, 'term') as basis,
        i.currency,
        count(*) as invoices,
        sum(i.total) as total
    from raw.invoice i
    left join billing.charge_cents c
        on c.customer_id = i.customer_id
        and c.invoice_id = i.invoice_id
        and c.basis not in ('term', 'implied')
    where i.superseded_by is null
        and i.status = 'paid'
        and i.subscription_id is not null
        and i.line_period_end > i.line_period_start
    group by 1, 2
),
other as (
    select
        f.fate,
        f.detail,
        f.currency,
        count(*) as invoices,
        sum(f.total) as total
    from kpi.invoice_fate f
    join raw.invoice i
        on i.customer_id = f.customer_id
        and i.invoice_id = f.invoice_id
        and i.batch_id = f.batch_id
    where i.superseded_by is null
        and (
            i.status <> 'paid'
            or i.subscription_id is null
            or i.line_period_start is null
            or greatest(i.line_period_start, i.line_period_end) = i.line_period_start
        )
    group by f.fate, f.detail, f.currency
)
select
    m.fate,
    m.detail,
    m.currency,
    sum(m.invoices)::bigint as invoices,
    sum(m.total) as total
from (
    select
        case when n.counts then 'charge' else 'not counted' end as fate,
        case when n.counts then o.basis::text else 'paid' end as detail,
        o.currency,
        o.invoices,
        o.total * 0.01 as total
    from ordinary o
    cross join (select 'paid' = any(s.counted_statuses) as counts from meta.setting s) n
    union all
    select
        o.fate,
        o.detail,
        o.currency,
        o.invoices,
        o.total
    from other o
) m
group by m.fate, m.detail, m.currency;

comment on view kpi.invoice_fates is 'R1 and R2: what became of the invoices, one row a fate, detail and currency, in that currency.';
comment on column kpi.invoice_fates.fate is 'charge, one-off or not counted.';
comment on column kpi.invoice_fates.detail is 'Basis of the charges (term, proration, days, listed), or why there are none.';
comment on column kpi.invoice_fates.currency is 'ISO 4217 code.';
comment on column kpi.invoice_fates.invoices is 'How many invoices.';
comment on column kpi.invoice_fates.total is 'Sum of what they were billed, with taxes.';
grant select on kpi.invoice_fates to pgmrr_reader, pgmrr_writer;
