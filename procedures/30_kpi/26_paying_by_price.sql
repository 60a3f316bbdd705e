-- How many customers pay which price on the last covered day? Rules R5, R9 and R11.
--
-- One row a currency, MRR, and MRR by term, in the customers' currency: kpi.paying, counted, as
-- the refresh keeps it. Prices are few where customers are many, and what is asked of all of
-- them alike begins with these rows. Who has MRR in several currencies is counted in each of them.
create or replace view kpi.paying_by_price as
select
    (select v.paying_on from meta.coverage v) as day,
    p.currency,
    p.is_only_currency,
    kpi.dominant_term(p.by_month, p.by_year, p.by_other) as term,
    p.mrr * 0.01 as mrr,
    p.customers
from ledger.price_cents p;

comment on view kpi.paying_by_price is 'R9: how many customers pay which price on the last covered day, one row a currency, MRR above 0, and MRR by term, in the customers'' currency.';
comment on column kpi.paying_by_price.day is 'The last covered day; the same on every row.';
comment on column kpi.paying_by_price.currency is 'ISO 4217 code.';
comment on column kpi.paying_by_price.is_only_currency is 'True for customers who have no row of kpi.paying in another currency.';
comment on column kpi.paying_by_price.term is 'Term that carries most of this MRR: month, year or other.';
comment on column kpi.paying_by_price.mrr is 'MRR of each of these customers in this currency, a month.';
comment on column kpi.paying_by_price.customers is 'How many customers.';
grant select on kpi.paying_by_price to pgmrr_reader, pgmrr_writer;
