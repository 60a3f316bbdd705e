-- How did each customer's MRR change? Rules R9 and R10.
--
-- One row a customer, currency and day on which MRR changes. Amounts a month, in the
-- customer's own currency. Days outside coverage are here too: the balance before it is
-- what the first covered day opens with. `customers` counts a customer once a day, however
-- many currencies change: its sum over days is how many have MRR.
create or replace view kpi.ledger as
select
    m.customer_id,
    m.currency,
    m.effective_on,
    m.kind::text as kind,
    m.change * 0.01 as change,
    m.balance * 0.01 as balance,
    m.customers
from ledger.movement_cents m
where m.change <> 0;

comment on view kpi.ledger is 'R9 and R10: one row a customer, currency and day on which MRR changes, in the customer''s currency.';
comment on column kpi.ledger.customer_id is 'The customer.';
comment on column kpi.ledger.currency is 'ISO 4217 code.';
comment on column kpi.ledger.effective_on is 'The day, in the reporting time zone.';
comment on column kpi.ledger.kind is 'preexisting, new, reactivation, expansion, contraction, rounding or churn.';
comment on column kpi.ledger.change is 'Change of MRR, a month.';
comment on column kpi.ledger.balance is 'MRR after it, a month.';
comment on column kpi.ledger.customers is '1 where the customer is gained, -1 where lost, on one row of that day; else 0.';
grant select on kpi.ledger to pgmrr_reader, pgmrr_writer;
