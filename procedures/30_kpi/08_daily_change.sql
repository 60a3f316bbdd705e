-- By how much did MRR change on each day, by kind? Rules R9, R10 and R13.
--
-- One row a day, currency and kind, in the reporting currency. Company-wide series are
-- made from these totals and never touch the customers.
create or replace view kpi.daily_change as
select
    d.effective_on,
    d.currency,
    d.kind::text as kind,
    d.movements,
    d.customers,
    d.change * 0.01 * c.factor as change,
    d.change * 0.01 as change_in_currency,
    d.unpaid_change * 0.01 * c.factor as unpaid_change
from ledger.daily_change_cents d
join ledger.currency c
    on c.currency = d.currency;

comment on view kpi.daily_change is 'R10: changes of MRR, one row a day, currency and kind, in the reporting currency.';
comment on column kpi.daily_change.effective_on is 'The day, in the reporting time zone.';
comment on column kpi.daily_change.currency is 'Currency of the customers.';
comment on column kpi.daily_change.kind is 'Kind of the movements; unpaid where MRR stays and only its unpaid part changes.';
comment on column kpi.daily_change.movements is 'How many movements.';
comment on column kpi.daily_change.customers is 'Customers gained less customers lost; summed over currencies, each customer counts once.';
comment on column kpi.daily_change.change is 'Change of MRR, a month.';
comment on column kpi.daily_change.change_in_currency is 'The same in the customers'' currency.';
comment on column kpi.daily_change.unpaid_change is 'Change of that part of MRR whose invoices are open or drafts, a month.';
grant select on kpi.daily_change to pgmrr_reader, pgmrr_writer;
