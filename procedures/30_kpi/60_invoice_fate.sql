-- What became of each invoice? Rules R1 and R2.
--
-- One row a current invoice. A recurring one that counts made a charge, whose basis is
-- its detail; the others say why they did not. Nothing is left out: the rows are those
-- of billing.invoice.
create or replace view kpi.invoice_fate as
select
    i.invoice_id,
    i.customer_id,
    i.subscription_id,
    i.currency,
    i.status,
    (i.issued_at at time zone s.time_zone)::date as issued_on,
    i.total * 0.01 as total,
    case
        when c.invoice_id is not null then 'charge'
        when i.status = any(s.counted_statuses) then 'one-off'
        else 'not counted'
    end as fate,
    case
        when c.invoice_id is not null then c.basis::text
        when i.status <> all(s.counted_statuses) then i.status
        when i.subscription_id is null then 'no subscription'
        when i.line_period_start is null or i.line_period_end is null then 'no service period'
        else 'empty service period'
    end as detail,
    i.batch_id,
    i.line_number
from raw.invoice i
cross join meta.setting s
left join billing.charge_cents c
    on c.customer_id = i.customer_id
    and c.invoice_id = i.invoice_id
    and c.basis <> 'implied'
where i.superseded_by is null;

comment on view kpi.invoice_fate is 'What became of each current invoice, one row each: a charge, a one-off, or not counted, and why.';
comment on column kpi.invoice_fate.invoice_id is 'The invoice.';
comment on column kpi.invoice_fate.customer_id is 'The customer billed.';
comment on column kpi.invoice_fate.subscription_id is 'The subscription billed.';
comment on column kpi.invoice_fate.currency is 'ISO 4217 code.';
comment on column kpi.invoice_fate.status is 'Status of the invoice.';
comment on column kpi.invoice_fate.issued_on is 'Date of the invoice.';
comment on column kpi.invoice_fate.total is 'Total, taxes included, in its currency.';
comment on column kpi.invoice_fate.fate is 'charge, one-off or not counted.';
comment on column kpi.invoice_fate.detail is 'Basis of the charge (term, proration, days, listed), or why it made none.';
comment on column kpi.invoice_fate.batch_id is 'Batch that brought this version.';
comment on column kpi.invoice_fate.line_number is 'Line of the file.';
grant select on kpi.invoice_fate to pgmrr_reader, pgmrr_writer;
