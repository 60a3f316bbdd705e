-- Which credits found nothing to take away? Rule "Credits" after R8.
--
-- One row a credit of which a part could not be matched to running charges, in the
-- customer's currency.
create or replace view kpi.unmatched_credits as
select
    c.invoice_id,
    c.customer_id,
    u.name,
    c.subscription_id,
    c.currency,
    c.starts_on,
    nullif(c.ends_on, 'infinity') as ends_on,
    c.net * 0.01 as net,
    c.mrr * 0.01 as mrr,
    c.unmatched * 0.01 as unmatched
from billing.charge_cents c
left join kpi.customer u
    on u.customer_id = c.customer_id
where c.unmatched > 0;

comment on view kpi.unmatched_credits is 'Credits of which a part found no running charge, one row each, in the customer''s currency.';
comment on column kpi.unmatched_credits.invoice_id is 'The invoice.';
comment on column kpi.unmatched_credits.customer_id is 'The customer.';
comment on column kpi.unmatched_credits.name is 'Its name.';
comment on column kpi.unmatched_credits.subscription_id is 'The subscription.';
comment on column kpi.unmatched_credits.currency is 'ISO 4217 code.';
comment on column kpi.unmatched_credits.starts_on is 'First day in force.';
comment on column kpi.unmatched_credits.ends_on is 'First day no longer in force.';
comment on column kpi.unmatched_credits.net is 'Invoice total less taxes.';
comment on column kpi.unmatched_credits.mrr is 'MRR it took away, a month.';
comment on column kpi.unmatched_credits.unmatched is 'MRR it could not take away, a month.';
grant select on kpi.unmatched_credits to pgmrr_reader, pgmrr_writer;
