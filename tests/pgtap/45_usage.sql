-- How sessions are spread, whose fell, and whether that tells of churn.
begin;
select plan(20);

\ir companies/complete.sql

select results_eq(
    $$ select u.customer_months, u.odds_ratio, u.is_related, u.statement from kpi.usage_and_churn() u $$,
    $$ values (0::bigint, null::numeric, null::boolean, 'There are no sessions.') $$,
    'without sessions usage_and_churn says so'
);
select is_empty(
    $$
    select u.customer_id from kpi.usage_by_customer('{2024-01-01, 2024-02-01}') u
    union all
    select u.customer_id from kpi.usage_at_risk() u
    union all
    select u.customer_id from kpi.usage_changes() u
    union all
    select e.month::text from kpi.engagement_distribution e
    $$,
    'without sessions there is no usage'
);

insert into usage.session (customer_id, session_number, created_at, batch_id)
select
    s.customer_id,
    row_number() over (partition by s.customer_id order by s.used_on),
    (s.used_on + time '12:00') at time zone 'UTC',
    1
from (
    values
    ('ann', date '2024-01-05'), ('ann', '2024-01-05'), ('ann', '2024-01-20'), ('ann', '2024-01-25'),
    ('ann', '2024-02-10'), ('ann', '2024-02-20'), ('ann', '2024-03-05'), ('ann', '2024-03-06'),
    ('ben', '2024-01-05'), ('ben', '2024-01-06'), ('ben', '2024-01-30'), ('ben', '2024-02-01'), ('ben', '2024-02-02'),
    ('ben', '2024-03-31'),
    ('cat', '2024-02-15'),
    ('fay', '2024-02-11'), ('fay', '2024-02-12'),
    ('gus', '2024-01-05'), ('gus', '2024-01-05')
) s (customer_id, used_on);

-- How sessions are spread ----------------------------------------------------------------------

select results_eq(
    $$
    select u.first_on, u.last_on, u.customer_id, u.sessions
    from kpi.usage_by_customer('{2023-06-01, 2024-02-01, 2024-02-11, 2025-01-01}') u
    $$,
    $$
    values
    (date '2024-01-01', date '2024-01-31', 'ann', 4::bigint), ('2024-01-01', '2024-01-31', 'ben', 3),
    ('2024-01-01', '2024-01-31', 'cat', 0), ('2024-01-01', '2024-01-31', 'dan', 0), ('2024-01-01', '2024-01-31', 'fay', 0),
    ('2024-02-01', '2024-02-10', 'ann', 1), ('2024-02-01', '2024-02-10', 'ben', 2), ('2024-02-01', '2024-02-10', 'cat', 0),
    ('2024-02-01', '2024-02-10', 'fay', 0),
    ('2024-02-11', '2024-04-30', 'ann', 3), ('2024-02-11', '2024-04-30', 'ben', 1), ('2024-02-11', '2024-04-30', 'cat', 1),
    ('2024-02-11', '2024-04-30', 'dan', 0), ('2024-02-11', '2024-04-30', 'eve', 0), ('2024-02-11', '2024-04-30', 'fay', 2)
    $$,
    'usage_by_customer has every customer who is active in a period, and only those'
);
select is_empty(
    $$
    select u.customer_id from kpi.usage_by_customer(null) u
    union all
    select u.customer_id from kpi.usage_by_customer('{2024-01-01}') u
    union all
    select u.customer_id from kpi.usage_by_customer('{2025-01-01, 2026-01-01}') u
    $$,
    'usage_by_customer has no row where there is no period, or none is covered'
);
-- January: 0 0 0 3 4. February: 0 1 2 2 2. March: 0 0 0 0 1 2. April: 0 0 0 0 0.
select results_eq(
    $$
    select
        e.month, e.customers_active, e.customers_without_sessions, e.minimum, e.tenth, e.quarter, e.median, e.three_quarters,
        e.nine_tenths, e.maximum
    from kpi.engagement_distribution e
    $$,
    $$
    values
    (date '2024-01-01', 5::bigint, 3::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 3::bigint, 4::bigint, 4::bigint),
    ('2024-02-01', 5, 1, 0, 0, 1, 2, 2, 2, 2),
    ('2024-03-01', 6, 4, 0, 0, 0, 0, 1, 2, 2),
    ('2024-04-01', 5, 5, 0, 0, 0, 0, 0, 0, 0)
    $$,
    'engagement_distribution shows the spread over active customers, those without sessions included'
);
select results_eq(
    $$
    select count(*), count(*) filter (where e.customers_active = d.customers_active and e.sessions = u.sessions + g.sessions)
    from kpi.engagement_monthly e
    join kpi.engagement_distribution d on d.month = e.month
    cross join lateral (select sum(u.sessions) as sessions from kpi.usage_by_customer(array[e.first_on, e.last_on + 1]) u) u
    cross join lateral (
        select count(*) as sessions from kpi.session s where s.customer_id = 'gus' and s.used_on between e.first_on and e.last_on
    ) g
    $$,
    $$ values (4::bigint, 4::bigint) $$,
    'active customers, and their sessions with those of gus, who never paid, are those of engagement_monthly'
);

-- kpi.usage_at_risk ----------------------------------------------------------------------------
--
-- On 02-29, 01-31 to 02-29 against 01-01 to 01-30: ann 2 of 4, ben 2 of 3; gus has no MRR.
-- On 04-30: ann 0 of 2 since 04-01; ben, whose sessions ended too, is gone.
select results_eq(
    $$
    select d.day, u.customer_id, u.name, u.mrr, u.sessions_before, u.sessions, u.change, u.last_used_on
    from (values (date '2024-02-29'), ('2024-04-30')) d (day)
    cross join lateral kpi.usage_at_risk(d.day) u
    order by d.day
    $$,
    $$
    values
    (date '2024-02-29', 'ann', 'Ann & Co', 100.00, 4::bigint, 2::bigint, -0.5, date '2024-02-20'),
    ('2024-04-30', 'ann', 'Ann & Co', 100.04, 2, 0, -1.0, '2024-03-06')
    $$,
    'usage_at_risk lists customers whose sessions fell by half or more in 30 days'
);
-- To 04-05 the 30 days begin on 03-07: ann's session of 03-06 is one of the 4 before.
select results_eq(
    $$ select u.customer_id, u.sessions_before, u.sessions from kpi.usage_at_risk('2024-04-05') u $$,
    $$ values ('ann', 4::bigint, 0::bigint), ('fay', 2, 0), ('cat', 1, 0) $$,
    'a session counts in one of the two times, the 30th day back in the earlier'
);
select results_eq(
    $$ select u.customer_id, u.sessions from kpi.usage_at_risk() u $$,
    $$ values ('ann', 0::bigint) $$,
    'without a day it is the last covered one'
);
select is_empty(
    $$
    select u.customer_id from kpi.usage_at_risk('2024-02-28') u
    union all
    select u.customer_id from kpi.usage_at_risk('2024-05-01') u
    union all
    select u.customer_id from kpi.usage_at_risk('2023-01-01') u
    $$,
    'usage_at_risk needs 60 covered days'
);

-- kpi.usage_changes and kpi.usage_and_churn ------------------------------------------------------
--
-- March looks at January and February, April at February and March. cat has no session in
-- January; fay comes on 01-10 and eve on 02-15, dan leaves on 02-01 and comes back on 03-01: none
-- of them had MRR on the first day and at the end. ben and fay leave in April.
select results_eq(
    $$ select u.churn_month, u.customer_id, u.mrr, u.sessions_before, u.sessions, u.fell, u.churned from kpi.usage_changes() u $$,
    $$
    values
    (date '2024-03-01', 'ann', 100.00, 4::bigint, 2::bigint, true, false), ('2024-03-01', 'ben', 90.00, 3, 2, false, false),
    ('2024-04-01', 'ann', 100.04, 2, 2, false, false), ('2024-04-01', 'ben', 90.00, 2, 1, true, true),
    ('2024-04-01', 'cat', 20.00, 1, 0, true, false), ('2024-04-01', 'fay', 28.00, 2, 0, true, true)
    $$,
    'usage_changes compares two months and looks for churn in the one after'
);
-- Fell: 2 churned, 2 stayed. Steady: 0 and 2. No stratum has a steady customer who churned, so 1/2
-- is added: 2.5 x 2.5 / (2.5 x 0.5) = 5, and its logarithm has the variance 3 / 2.5 + 1 / 0.5 = 3.2.
-- Of the one churn among ann and ben in April 1/2 is expected on ben, of that among cat and fay 1
-- on both: 2 - 1.5 - 1/2 = 0.
select results_eq(
    $$
    select
        u.first_month, u.last_month, u.customer_months, u.fell_churned, u.fell_stayed, u.steady_churned, u.steady_stayed,
        u.fell_churn_rate, u.steady_churn_rate, round(u.odds_ratio, 6), round(u.odds_ratio_low, 6), round(u.odds_ratio_high, 4),
        u.method, round(u.chi_squared, 6), u.is_related, u.statement
    from kpi.usage_and_churn() u
    $$,
    $$
    values (
        date '2024-03-01', date '2024-04-01', 6::bigint, 2::bigint, 2::bigint, 0::bigint, 2::bigint, 0.5, 0.0, 5.000000, 0.150070,
        166.5887, 'Haldane-Anscombe', 0.000000, false,
        'No relation between falling sessions and churn is found. Of 4 customer-months in which sessions fell by half or more, '
        || '2 churned in the following month (50.0 %); of 2 others, 0 (0.0 %). Odds ratio 5.00, 95 % interval 0.15 to 166.59.'
    )
    $$,
    'usage_and_churn counts, compares and says what it found'
);
select results_eq(
    $$
    select u.customer_months, u.fell_stayed, u.steady_stayed, u.odds_ratio, u.odds_ratio_high, u.method, u.chi_squared, u.is_related, u.statement
    from kpi.usage_and_churn('2024-02-15', '2024-04-29') u
    $$,
    $$
    values (
        2::bigint, 1::bigint, 1::bigint, null::numeric, null::numeric, null::text, null::numeric, null::boolean,
        'Nothing can be compared. Of 1 customer-months in which sessions fell by half or more, 0 churned in the following '
        || 'month (0.0 %); of 1 others, 0 (0.0 %).'
    )
    $$,
    'where nobody churned, nothing is claimed; a month of which a part is outside the range does not count'
);
select results_eq(
    $$
    select a.place, u.customer_months, u.fell_churn_rate, u.is_related, u.statement
    from (values (1, date '2024-02-01', date '2024-02-29'), (2, '2024-03-02', '2024-03-02'), (3, '2030-01-01', '2030-12-31')) a (place, first_on, last_on)
    cross join lateral kpi.usage_and_churn(a.first_on, a.last_on) u
    order by a.place
    $$,
    $$
    select
        n, 0::bigint, null::numeric, null::boolean,
        'Nothing can be compared: that needs a whole month with observable churn after two whole months with sessions.'
    from generate_series(1, 3) n
    $$,
    'without two months before, within a day and outside coverage there is nothing to compare'
);
select throws_ok(
    $$ select * from kpi.usage_and_churn('2024-03-31', '2024-03-01') $$,
    'MR006',
    'the range of days is upside down',
    'usage_and_churn refuses a range that is upside down'
);
select throws_ok(
    $$ select * from kpi.usage_changes('2024-03-31', '2024-03-01') $$,
    'MR006',
    'the range of days is upside down',
    'usage_changes refuses a range that is upside down'
);
-- On 04-30 ann is fading, who brings 40 % of MRR. No relation with churn was found, so the risk is low.
select results_eq(
    $$
    select u.is_related, r.severity, r.evidence, r.mrr
    from kpi.usage_and_churn() u
    cross join kpi.risks() r
    where r.risk = 'usage'
    $$,
    $$
    values (
        false, 'low',
        'Customers whose sessions fell by half or more in 30 days: 1, with 40.0 % of MRR. So far such customers are not seen to churn more often.',
        100.04
    )
    $$,
    'a risk that the past does not confirm is low'
);
-- In January nobody used the product any more: that says nothing of February.
delete from usage.session s where s.created_at < '2024-02-01 00:00 UTC';
select results_eq(
    $$ select u.churn_month, count(*) from kpi.usage_changes() u group by u.churn_month $$,
    $$ values (date '2024-04-01', 4::bigint) $$,
    'months without any session are no months of falling sessions'
);
-- Nor do months before churn can be seen: where all pay by the year, that is a year after the beginning.
savepoint before_years;
update meta.coverage set is_truncated = true;
delete from ledger.daily_term_cents d where d.months < 12;
select results_eq(
    $$ select c.churn_observable_from, (select count(*) from kpi.usage_changes() u) from kpi.coverage c $$,
    $$ values (date '2025-01-01', 0::bigint) $$,
    'months in which churn cannot be seen are left out'
);
rollback to before_years;
-- Churn that cannot be seen yet is none: the history is truncated and its shortest term a month.
update meta.batch set is_truncated = true, first_invoice_at = '2024-02-15 00:00 UTC';
update meta.setting set observed_from = '2024-03-01';
call pipeline.rebuild();
select is_empty(
    $$ select u.customer_id from kpi.usage_changes() u $$,
    'the months have to be covered'
);

select * from finish();
rollback;
