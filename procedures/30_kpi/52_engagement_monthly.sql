-- How much do customers use the product, month by month? Rule R12.
--
-- One row a covered calendar month, clipped to coverage; none where there are no
-- sessions.
--
-- The boundaries are found once, in a materialized step: the functions that take them
-- are inlined and would find them anew for each row.
create or replace view kpi.engagement_monthly as
with boundary as materialized (
    select kpi.month_boundaries() as days
)
select
    date_trunc('month', e.first_on::timestamp)::date as month,
    e.first_on,
    e.last_on,
    e.sessions,
    e.customers_with_sessions,
    e.customers_active,
    e.sessions_per_customer
from boundary b
cross join lateral kpi.engagement_by_period(b.days) e;

comment on view kpi.engagement_monthly is 'Use of the product by month: one row a covered calendar month; none where there are no sessions.';
comment on column kpi.engagement_monthly.month is 'First day of the calendar month.';
comment on column kpi.engagement_monthly.first_on is 'First covered day of it.';
comment on column kpi.engagement_monthly.last_on is 'Last covered day of it.';
comment on column kpi.engagement_monthly.sessions is 'Sessions in it.';
comment on column kpi.engagement_monthly.customers_with_sessions is 'Customers with at least one session in it.';
comment on column kpi.engagement_monthly.customers_active is 'Customers with MRR above 0 on at least one covered day of it.';
comment on column kpi.engagement_monthly.sessions_per_customer is 'Sessions / active customers.';
grant select on kpi.engagement_monthly to pgmrr_reader, pgmrr_writer;
