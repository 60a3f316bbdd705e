-- What does each customer pay on the last covered day? Rules R5, R9 and R11.
--
-- One row a customer and currency of which a charge is in force that day, in the customer's
-- currency; kept by the refresh, so that what is asked most often touches neither ledger nor
-- charges. by_month, by_year and by_other add up the
-- charges in force by their term: credits count in full there, and so they can fall below
-- zero, as MRR never does.
create or replace view kpi.paying as
select
    (select v.paying_on from meta.coverage v) as day,
    p.customer_id,
    p.currency,
    p.mrr * 0.01 as mrr,
    p.unpaid * 0.01 as unpaid,
    p.by_month * 0.01 as by_month,
    p.by_year * 0.01 as by_year,
    p.by_other * 0.01 as by_other,
    p.mrr > 0 as has_mrr,
    p.is_only_currency
from ledger.paying_cents p
where p.mrr > 0
    or (p.by_month, p.by_year, p.by_other) <> (0, 0, 0);

comment on view kpi.paying is 'R9: what each customer pays on the last covered day, one row a customer and currency, in the customer''s currency.';
comment on column kpi.paying.day is 'The last covered day; the same on every row.';
comment on column kpi.paying.customer_id is 'The customer.';
comment on column kpi.paying.currency is 'ISO 4217 code.';
comment on column kpi.paying.mrr is 'MRR, a month.';
comment on column kpi.paying.unpaid is 'That part of it whose invoices are open or drafts, a month.';
comment on column kpi.paying.by_month is 'Sum of the charges in force whose term is a month; credits can take it below 0.';
comment on column kpi.paying.by_year is 'The same of those whose term is a year.';
comment on column kpi.paying.by_other is 'The same of those with another term.';
comment on column kpi.paying.has_mrr is 'True where MRR is above 0; credits can leave none.';
comment on column kpi.paying.is_only_currency is 'True where the customer has no row in another currency.';
grant select on kpi.paying to pgmrr_reader, pgmrr_writer;
