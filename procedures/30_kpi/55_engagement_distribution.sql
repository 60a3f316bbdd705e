-- How are sessions spread over the active customers, month by month? Rule R12.
--
-- One row a covered calendar month, clipped to coverage, with active customers; none where
-- there are no sessions. A quantile is the least number of sessions that so many of the
-- customers do not pass, so it is one that occurs.
--
-- The boundaries are found once, in a materialized step: the functions that take them
-- are inlined and would find them anew for each row.
create or replace view kpi.engagement_distribution as
with boundary as materialized (
    select kpi.month_boundaries() as days
)
select
    date_trunc('month', u.first_on::timestamp)::date as month,
    u.first_on,
    u.last_on,
    count(*) as customers_active,
    count(*) filter (where u.sessions = 0) as customers_without_sessions,
    min(u.sessions) as minimum,
    percentile_disc(0.1) within group (order by u.sessions) as tenth,
    percentile_disc(0.25) within group (order by u.sessions) as quarter,
    percentile_disc(0.5) within group (order by u.sessions) as median,
    percentile_disc(0.75) within group (order by u.sessions) as three_quarters,
    percentile_disc(0.9) within group (order by u.sessions) as nine_tenths,
    max(u.sessions) as maximum
from boundary b
cross join lateral kpi.usage_by_customer(b.days) u
group by u.first_on, u.last_on
order by u.first_on;

comment on view kpi.engagement_distribution is 'How sessions are spread over the active customers: one row a covered calendar month; none where there are no sessions.';
comment on column kpi.engagement_distribution.month is 'First day of the calendar month.';
comment on column kpi.engagement_distribution.first_on is 'First covered day of it.';
comment on column kpi.engagement_distribution.last_on is 'Last covered day of it.';
comment on column kpi.engagement_distribution.customers_active is 'Customers with MRR above 0 on at least one covered day of it.';
comment on column kpi.engagement_distribution.customers_without_sessions is 'Those of them without a session in it.';
comment on column kpi.engagement_distribution.minimum is 'Fewest sessions of an active customer.';
comment on column kpi.engagement_distribution.tenth is 'Sessions that 10 % of the active customers do not pass.';
comment on column kpi.engagement_distribution.quarter is 'Sessions that 25 % do not pass.';
comment on column kpi.engagement_distribution.median is 'Sessions that 50 % do not pass.';
comment on column kpi.engagement_distribution.three_quarters is 'Sessions that 75 % do not pass.';
comment on column kpi.engagement_distribution.nine_tenths is 'Sessions that 90 % do not pass.';
comment on column kpi.engagement_distribution.maximum is 'Most sessions of an active customer.';
grant select on kpi.engagement_distribution to pgmrr_reader, pgmrr_writer;
