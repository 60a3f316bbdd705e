-- Which drafts were never finalized? Rules R1 and R13.
--
-- One row a draft that is more than 3 days old when coverage ends, the oldest first.
-- Finalizing is a matter of an hour, and of three days at most where the billing system
-- waits for an answer; an older draft was forgotten, or nobody dares to send it. Drafts
-- count as MRR (R1): `mrr` is what rests on them on the last covered day, which a draft
-- that is deleted takes along.
create or replace view kpi.stale_drafts as
select
    i.invoice_id,
    i.customer_id,
    coalesce(u.name, i.customer_id) as name,
    i.subscription_id,
    (i.issued_at at time zone s.time_zone)::date as issued_on,
    v.complete_through - (i.issued_at at time zone s.time_zone)::date as age_days,
    i.currency,
    i.total * 0.01 as total,
    coalesce(c.mrr, 0) as mrr,
    i.batch_id,
    i.line_number
from raw.invoice i
cross join meta.setting s
cross join kpi.coverage v
left join raw.customer u
    on u.customer_id = i.customer_id
    and u.superseded_by is null
left join lateral (
    select sum(h.mrr * 0.01) as mrr
    from billing.charge_cents h
    where h.customer_id = i.customer_id
        and h.invoice_id = i.invoice_id
        and h.starts_on <= v.complete_through
        and h.ends_on > v.complete_through
) c on true
where i.superseded_by is null
    and i.status = 'draft'
    and (i.issued_at at time zone s.time_zone)::date < v.complete_through - 3
order by i.issued_at, i.invoice_id;

comment on view kpi.stale_drafts is 'Drafts more than 3 days old at the end of coverage, one row each, in their own currency, the oldest first.';
comment on column kpi.stale_drafts.invoice_id is 'The draft.';
comment on column kpi.stale_drafts.customer_id is 'The customer.';
comment on column kpi.stale_drafts.name is 'Its name; the customer_id where the source has none.';
comment on column kpi.stale_drafts.subscription_id is 'The subscription; NULL for a one-off.';
comment on column kpi.stale_drafts.issued_on is 'Date of the draft.';
comment on column kpi.stale_drafts.age_days is 'Days from then to the last covered day.';
comment on column kpi.stale_drafts.currency is 'ISO 4217 code.';
comment on column kpi.stale_drafts.total is 'Total, taxes included.';
comment on column kpi.stale_drafts.mrr is 'MRR of its charges in force on the last covered day, a month.';
comment on column kpi.stale_drafts.batch_id is 'Batch that brought this version.';
comment on column kpi.stale_drafts.line_number is 'Line of the file.';
grant select on kpi.stale_drafts to pgmrr_reader, pgmrr_writer;
