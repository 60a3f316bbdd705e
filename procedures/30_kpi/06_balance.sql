-- What is each customer's MRR after each change? Rule R9.
--
-- The narrow side of the ledger, which one index holds whole: a look-up of a
-- customer's MRR reads nothing else. Days on which only the unpaid part of MRR
-- changes have rows here as well.
create or replace view kpi.balance as
select
    m.customer_id,
    m.currency,
    m.effective_on,
    m.balance * 0.01 as balance
from ledger.movement_cents m;

comment on view kpi.balance is 'R9: MRR after each change, one row a customer, currency and day, in the customer''s currency.';
comment on column kpi.balance.customer_id is 'The customer.';
comment on column kpi.balance.currency is 'ISO 4217 code.';
comment on column kpi.balance.effective_on is 'First day of this balance, in the reporting time zone.';
comment on column kpi.balance.balance is 'MRR from that day on, a month.';
grant select on kpi.balance to pgmrr_reader, pgmrr_writer;
