-- How much customers use the product.
begin;
select plan(9);

\ir companies/complete.sql

select is_empty(
    $$ select e.month from kpi.engagement_monthly e $$,
    'engagement_monthly has no row where there are no sessions at all'
);

-- January: ann, ben, cat, dan and fay pay. February: ann, ben, cat, eve and fay. March: all six.
-- April: ann, cat, dan and eve, and fay until 04-10. gus never pays.
insert into usage.session (customer_id, session_number, created_at, batch_id)
values
('ann', 1, '2023-12-31 23:59 UTC', 1), ('ann', 2, '2024-01-01 00:00 UTC', 1), ('ann', 3, '2024-01-15 12:00 UTC', 1),
('ben', 1, '2024-01-31 23:59 UTC', 1), ('gus', 1, '2024-01-31 23:59 UTC', 1), ('ann', 4, '2024-02-01 00:00 UTC', 1),
('ann', 5, '2024-04-30 23:59 UTC', 1), ('fay', 1, '2024-04-30 23:59 UTC', 1), ('ann', 6, '2024-05-01 00:00 UTC', 1);

select results_eq(
    $$
    select
        e.month, e.first_on, e.last_on, e.sessions, e.customers_with_sessions, e.customers_active,
        round(e.sessions_per_customer, 6)
    from kpi.engagement_monthly e
    $$,
    $$
    values
    (date '2024-01-01', date '2024-01-01', date '2024-01-31', 4::bigint, 3::bigint, 5::bigint, 0.800000),
    ('2024-02-01', '2024-02-01', '2024-02-29', 1, 1, 5, 0.200000),
    ('2024-03-01', '2024-03-01', '2024-03-31', 0, 0, 6, 0.000000),
    ('2024-04-01', '2024-04-01', '2024-04-30', 2, 2, 5, 0.400000)
    $$,
    'engagement_monthly divides the sessions of covered days by the customers with MRR on any of them'
);
select results_eq(
    $$
    select e.first_on, e.last_on, e.sessions, e.customers_active
    from kpi.engagement_by_period('{2023-01-01, 2024-01-02, 2024-04-11, 2025-01-01}') e
    $$,
    $$
    values
    (date '2024-01-01', date '2024-01-01', 1::bigint, 4::bigint), ('2024-01-02', '2024-04-10', 4, 6),
    ('2024-04-11', '2024-04-30', 2, 4)
    $$,
    'engagement_by_period looks at the covered days of its periods alone'
);
select is_empty(
    $$
    select e.first_on from kpi.engagement_by_period(null) e
    union all
    select e.first_on from kpi.engagement_by_period('{}') e
    union all
    select e.first_on from kpi.engagement_by_period('{2024-01-01}') e
    union all
    select e.first_on from kpi.engagement_by_period('{2025-01-01, 2026-01-01}') e
    $$,
    'engagement_by_period has no row where there is no period, or none is covered'
);

-- Identities -----------------------------------------------------------------------------

select results_eq(
    $$
    select count(*), count(*) filter (where e.sessions = s.sessions)
    from kpi.engagement_monthly e
    cross join lateral (select count(*) as sessions from kpi.session s where s.used_on between e.first_on and e.last_on) s
    $$,
    $$ values (4::bigint, 4::bigint) $$,
    'the sessions of a month are those of its covered days'
);
-- 121 single days.
select results_eq(
    $$
    select count(*), count(*) filter (where e.customers_active = d.customers and e.first_on = d.day and e.last_on = d.day)
    from kpi.mrr_daily d
    cross join lateral kpi.engagement_by_period(array[d.day, d.day + 1]) e
    $$,
    $$ values (121::bigint, 121::bigint) $$,
    'the customers active on a day are those with MRR at its end'
);

-- A day is a day in the reporting time zone: 19:00 of the day before in New York.
update meta.setting set time_zone = 'America/New_York';
call pipeline.rebuild();
select results_eq(
    $$ select s.used_on, count(*) from kpi.session s group by s.used_on order by s.used_on $$,
    $$
    values
    (date '2023-12-31', 2::bigint), ('2024-01-15', 1), ('2024-01-31', 3), ('2024-04-30', 3)
    $$,
    'a session is used on a day of the reporting time zone'
);
select results_eq(
    $$ select e.month, e.sessions, e.customers_with_sessions from kpi.engagement_monthly e $$,
    $$ values (date '2024-01-01', 4::bigint, 3::bigint), ('2024-02-01', 0, 0), ('2024-03-01', 0, 0), ('2024-04-01', 3, 2) $$,
    'engagement_monthly follows the reporting time zone'
);

-- Nobody pays any more: nobody is active.
update meta.setting set time_zone = 'UTC';
delete from raw.invoice;
call pipeline.rebuild();
select results_eq(
    $$ select e.month, e.sessions, e.customers_active, e.sessions_per_customer from kpi.engagement_monthly e limit 1 $$,
    $$ values (date '2024-01-01', 4::bigint, 0::bigint, null::numeric) $$,
    'sessions per customer are NULL where no customer is active'
);

select * from finish();
rollback;
