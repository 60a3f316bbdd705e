-- In which currencies does the company bill, and at what rate are they converted?
-- Rule R13.
--
-- One row a currency of the ledger. The rates are constant, so that no movement is an
-- effect of exchange rates.
create or replace view kpi.currency as
select
    c.currency,
    c.reporting_currency,
    c.factor,
    e.per_euro,
    e.rate_on,
    e.source
from ledger.currency c
left join meta.exchange_rate e
    on e.currency = c.currency;

comment on view kpi.currency is
    'R13: the currencies the company bills in, one row each, with the constant factor to the reporting currency.';
comment on column kpi.currency.currency is 'ISO 4217 code.';
comment on column kpi.currency.reporting_currency is 'Currency of the reports; the same on every row.';
comment on column kpi.currency.factor is 'Units of the reporting currency for one unit.';
comment on column kpi.currency.per_euro is 'Units for one euro; NULL for the euro itself, and where no rate is needed.';
comment on column kpi.currency.rate_on is 'Day of the rate.';
comment on column kpi.currency.source is 'ECB or user.';
grant select on kpi.currency to pgmrr_reader, pgmrr_writer;
