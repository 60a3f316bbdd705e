-- Which charges make the MRR of the last covered day, and how firm is each? Rules R1 to R9.
--
-- One row a charge in force that day with MRR above 0, in the reporting currency. `discount`
-- is the share of the list price that was taken off: discount / (net + discount), since an
-- invoice's subtotal may be net of its discount already.
create or replace view kpi.charge_running as
select
    c.customer_id,
    c.invoice_id,
    c.basis::text as basis,
    c.mrr * 0.01 * y.factor as mrr,
    c.is_unpaid,
    case when c.net > 0 and i.discount > 0 then i.discount::numeric / (c.net + i.discount) else 0 end as discount
from billing.charge_cents c
join ledger.currency y
    on y.currency = c.currency
join raw.invoice i
    on i.customer_id = c.customer_id
    and i.invoice_id = c.invoice_id
    and i.superseded_by is null
where c.mrr > 0
    and c.starts_on <= (select v.complete_through from meta.coverage v)
    and c.ends_on > (select v.complete_through from meta.coverage v where v.observed_from <= v.complete_through);

comment on view kpi.charge_running is 'R1 to R9: the charges in force on the last covered day with MRR above 0, one row each, in the reporting currency.';
comment on column kpi.charge_running.customer_id is 'The customer.';
comment on column kpi.charge_running.invoice_id is 'The invoice; for an implied charge, the renewal that proves it.';
comment on column kpi.charge_running.basis is 'term, proration, days, implied or listed.';
comment on column kpi.charge_running.mrr is 'MRR, a month.';
comment on column kpi.charge_running.is_unpaid is 'True where the invoice is open or a draft.';
comment on column kpi.charge_running.discount is 'Share of the list price that was taken off, 0 to 1.';
grant select on kpi.charge_running to pgmrr_reader, pgmrr_writer;
