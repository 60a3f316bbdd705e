-- Which one-off invoices may stand in the place of a void or uncollectible one? Rule R2.
--
-- One row a one-off that is marked so (kpi.one_off_revenue) and each void or uncollectible
-- subscription invoice of its customer within 31 days, each in its own currency, the most
-- recent one-off first. What was void is no MRR, and neither is its replacement: where one
-- is certain, MRR lacks that customer.
create or replace view kpi.possible_replacements as
select
    r.invoice_id,
    r.customer_id,
    r.name,
    r.issued_on,
    r.status,
    r.currency,
    o.total * 0.01 as total,
    r.net,
    v.invoice_id as replaced_invoice_id,
    v.subscription_id as replaced_subscription_id,
    (v.issued_at at time zone s.time_zone)::date as replaced_issued_on,
    v.status as replaced_status,
    v.currency as replaced_currency,
    v.total * 0.01 as replaced_total,
    v.total = o.total and v.currency = o.currency as is_same_total,
    (o.issued_at at time zone s.time_zone)::date - (v.issued_at at time zone s.time_zone)::date as days_after
from kpi.one_off_revenue r
cross join meta.setting s
join raw.invoice o
    on o.customer_id = r.customer_id
    and o.invoice_id = r.invoice_id
    and o.superseded_by is null
join raw.invoice v
    on v.customer_id = r.customer_id
    and v.superseded_by is null
    and v.subscription_id is not null
    and v.status in ('void', 'uncollectible')
    -- 31 days, as hours: the session's time zone may have longer and shorter days.
    and v.issued_at between o.issued_at - interval '744 hours' and o.issued_at + interval '744 hours'
where r.is_possible_replacement
order by r.issued_on desc, r.invoice_id, abs(extract(epoch from o.issued_at - v.issued_at)), v.invoice_id;

comment on view kpi.possible_replacements is 'R2: one-off invoices with the void or uncollectible subscription invoices that they may replace, one row a pair, in their own currencies.';
comment on column kpi.possible_replacements.invoice_id is 'The one-off invoice.';
comment on column kpi.possible_replacements.customer_id is 'The customer.';
comment on column kpi.possible_replacements.name is 'Its name; the customer_id where the source has none.';
comment on column kpi.possible_replacements.issued_on is 'Date of the one-off.';
comment on column kpi.possible_replacements.status is 'Status of the one-off.';
comment on column kpi.possible_replacements.currency is 'ISO 4217 code of the one-off.';
comment on column kpi.possible_replacements.total is 'Total of the one-off, taxes included.';
comment on column kpi.possible_replacements.net is 'Total of the one-off less taxes.';
comment on column kpi.possible_replacements.replaced_invoice_id is 'The invoice that it may replace.';
comment on column kpi.possible_replacements.replaced_subscription_id is 'The subscription of that invoice.';
comment on column kpi.possible_replacements.replaced_issued_on is 'Date of that invoice.';
comment on column kpi.possible_replacements.replaced_status is 'void or uncollectible.';
comment on column kpi.possible_replacements.replaced_currency is 'ISO 4217 code of that invoice.';
comment on column kpi.possible_replacements.replaced_total is 'Total of that invoice, taxes included.';
comment on column kpi.possible_replacements.is_same_total is 'True where both totals and currencies are the same.';
comment on column kpi.possible_replacements.days_after is 'Days from that invoice to the one-off; negative where the one-off came first.';
grant select on kpi.possible_replacements to pgmrr_reader, pgmrr_writer;
