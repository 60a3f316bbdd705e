-- Which charges make the MRR, and where does each stand? Rules R1 to R8.
--
-- One row an invoice and basis, amounts in the customer's currency, with the file and
-- line that the invoice was read from.
create or replace view kpi.charge as
select
    c.customer_id,
    c.subscription_id,
    c.invoice_id,
    c.currency,
    c.mrr * 0.01 as mrr,
    c.basis::text as basis,
    c.starts_on,
    nullif(c.ends_on, 'infinity') as ends_on,
    c.starts_at,
    nullif(c.ends_at, 'infinity') as ends_at,
    c.net * 0.01 as net,
    c.amount * 0.01 as amount,
    c.months,
    c.unmatched * 0.01 as unmatched,
    c.is_unpaid,
    i.status,
    f.file,
    i.line_number,
    i.batch_id,
    nullif(
        concat_ws(
            ', ',
            case when c.ends_on <= c.starts_on then 'shorter than a day' end,
            case when c.ends_at < c.billed_until then 'ended early by a new cycle' end,
            case when c.amount <> c.net then 'settles what was unused before' end,
            case when c.carries_arrears then 'carries arrears' end,
            case when c.basis = 'implied' then 'proved by the renewal' end
        ),
        ''
    ) as note
from billing.charge_cents c
join raw.invoice i
    on i.customer_id = c.customer_id
    and i.invoice_id = c.invoice_id
    and i.superseded_by is null
join meta.batch b
    on b.batch_id = i.batch_id
left join lateral (
    select max(f.file ->> 'name') as file
    from jsonb_array_elements(b.files) as f (file)
    where f.file ->> 'role' <> 'customers'
) f on true;

comment on view kpi.charge is 'R1 to R8: the charges, one row an invoice and basis, in the customer''s currency, with file and line of the invoice.';
comment on column kpi.charge.customer_id is 'The customer.';
comment on column kpi.charge.subscription_id is 'The subscription.';
comment on column kpi.charge.invoice_id is 'The invoice; for an implied charge, the renewal that proves it.';
comment on column kpi.charge.currency is 'ISO 4217 code.';
comment on column kpi.charge.mrr is 'MRR, a month; of a credit, what it really takes away.';
comment on column kpi.charge.basis is 'term, proration, days, implied or listed.';
comment on column kpi.charge.starts_on is 'First day in force.';
comment on column kpi.charge.ends_on is 'First day no longer in force; NULL where it goes on.';
comment on column kpi.charge.starts_at is 'Start of service.';
comment on column kpi.charge.ends_at is 'End of service; NULL where it goes on.';
comment on column kpi.charge.net is 'Invoice total less taxes.';
comment on column kpi.charge.amount is 'The money that MRR was computed from: net, and what restarts and swaps add.';
comment on column kpi.charge.months is 'Whole months of the term, or of the cycle that a proration belongs to.';
comment on column kpi.charge.unmatched is 'The rest of a credit that found nothing to take away, a month.';
comment on column kpi.charge.is_unpaid is 'True where the invoice is open or a draft.';
comment on column kpi.charge.status is 'Status of the invoice.';
comment on column kpi.charge.file is 'File that the invoice was read from.';
comment on column kpi.charge.line_number is 'Line of the file.';
comment on column kpi.charge.batch_id is 'Batch that brought the invoice.';
comment on column kpi.charge.note is 'What is special about it.';
grant select on kpi.charge to pgmrr_reader, pgmrr_writer;
