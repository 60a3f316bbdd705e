-- What became of each cohort in each covered month? Rules R9 to R12.
--
-- One row a cohort, month and currency, in the currency; a customer with several currencies
-- has rows of its own. Kept by the refresh, up to the last covered day, so that what is asked
-- month by month never touches the customers. No row where nothing is kept of that day.
create or replace view kpi.cohort_month as
select
    k.cohort,
    k.is_new,
    k.month,
    k.currency,
    nullif(k.customer_id, '') as customer_id,
    k.arrived,
    k.customers,
    k.change * 0.01 as change,
    k.lost,
    k.net_change * 0.01 as net_change,
    k.losses * 0.01 as losses
from ledger.cohort_month_cents k
where (select v.paying_on = v.complete_through from meta.coverage v);

comment on view kpi.cohort_month is 'R12: what became of each cohort in each covered month, one row a cohort, month and currency, in the currency; a customer with several currencies has rows of its own.';
comment on column kpi.cohort_month.cohort is 'The month of the first movement, by its first day.';
comment on column kpi.cohort_month.is_new is 'True where that movement is of the kind new.';
comment on column kpi.cohort_month.month is 'The month, by its first day; what came before coverage stands in the month before the first.';
comment on column kpi.cohort_month.currency is 'ISO 4217 code.';
comment on column kpi.cohort_month.customer_id is 'The customer, where it has several currencies; NULL for all who have one.';
comment on column kpi.cohort_month.arrived is 'Customers whose first movement is in this month, each in one row.';
comment on column kpi.cohort_month.customers is 'Customers gained less customers lost by movements.';
comment on column kpi.cohort_month.change is 'Change of MRR, a month.';
comment on column kpi.cohort_month.lost is 'Customers with MRR at the opening and none at the closing; 0 where customer_id is not NULL.';
comment on column kpi.cohort_month.net_change is 'Change of MRR of those with MRR at the opening, a month; 0 where customer_id is not NULL.';
comment on column kpi.cohort_month.losses is 'The same of those among them whose MRR fell.';
grant select on kpi.cohort_month to pgmrr_reader, pgmrr_writer;
