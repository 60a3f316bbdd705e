-- Which exchange rates are known? Rule R13. One row a currency.
create or replace view kpi.exchange_rate as
select
    e.currency,
    e.per_euro,
    e.rate_on,
    e.source
from meta.exchange_rate e
union all
select
    'EUR',
    1,
    null,
    null;

comment on view kpi.exchange_rate is 'R13: every exchange rate that is known, one row a currency.';
comment on column kpi.exchange_rate.currency is 'ISO 4217 code.';
comment on column kpi.exchange_rate.per_euro is 'Units of the currency for one euro.';
comment on column kpi.exchange_rate.rate_on is 'Day of the rate; NULL for the euro.';
comment on column kpi.exchange_rate.source is 'ECB or user; NULL for the euro.';
grant select on kpi.exchange_rate to pgmrr_reader, pgmrr_writer;
