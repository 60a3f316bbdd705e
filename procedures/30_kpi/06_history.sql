-- What does a look-up of a customer's MRR need to know? Rules R9, R11 and R13.
--
-- One row a customer, those who never paid included, with the bounds of coverage and the
-- factors to the reporting currency on every row: kpi.mrr_at reads this view alone, two
-- rows of two tables. Each table and view that a statement names costs it a lock and a
-- check of rights, as much as finding the row.
create or replace view kpi.history as
select
    h.customer_id,
    h.currency,
    h.days,
    h.currencies,
    h.balances as balances_in_cents,
    v.factors,
    v.observed_from,
    v.complete_through
from ledger.history_cents h
cross join meta.coverage v;

comment on view kpi.history is 'R9, R11 and R13: the history of MRR in the customer''s currency, one row a customer, with coverage and factors.';
comment on column kpi.history.customer_id is 'The customer.';
comment on column kpi.history.currency is 'ISO 4217 code of all balances; NULL where there are several, or none.';
comment on column kpi.history.days is 'The days on which a balance changes, in order, in the reporting time zone.';
comment on column kpi.history.currencies is 'The currency that changes on each of them.';
comment on column kpi.history.balances_in_cents is 'MRR in that currency from each of them on, in cents a month.';
comment on column kpi.history.factors is 'An object: units of the reporting currency for one unit of each currency.';
comment on column kpi.history.observed_from is 'First day on which MRR is known; the same on every row.';
comment on column kpi.history.complete_through is 'Last day on which MRR is known; the same on every row.';
grant select on kpi.history to pgmrr_reader, pgmrr_writer;
