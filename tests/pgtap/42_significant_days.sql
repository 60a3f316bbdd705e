-- Days, weeks and months in which MRR changed unusually, and who made it.
begin;
select plan(20);

\ir companies/complete.sql

-- What a failing statement tells: SQLSTATE, message, DETAIL and HINT.
create function pg_temp.failure(p_statement text)
returns text[]
language plpgsql
as $$
declare
    v_message text;
    v_detail text;
    v_hint text;
begin
    execute p_statement;
    return null;
exception
    when others then
        get stacked diagnostics
            v_message = message_text,
            v_detail = pg_exception_detail,
            v_hint = pg_exception_hint;
        return array[sqlstate, v_message, v_detail, v_hint];
end;
$$;

-- Days ---------------------------------------------------------------------------------------
--
-- 121 covered days, a Monday first: 18 Mondays and Tuesdays, 17 of each other day. By weekday:
--
--     Mondays     +230 on 01-01 and -90 on 04-01; else 0. The median is 0, and so is the median
--                 absolute deviation. The mean one is 320 / 18; 1.2533 x that is 22.280889.
--     Wednesdays  +20 on 01-10 and -28 on 04-10: 1.2533 x 48 / 17 = 3.538729
--     Thursdays   +100 on 02-15; 02-01 gains 30 and loses 30: 1.2533 x 100 / 17 = 7.372353
--     Fridays     +10.04 on 03-01: 1.2533 x 10.04 / 17 = 0.740184
--     Sundays     +8 on 03-10: 1.2533 x 8 / 17 = 0.589788
select results_eq(
    $$
    select d.day, d.change, d.expected, d.deviation, round(d.score, 6), d.closing, d.compared_with, d.churn_is_observable
    from kpi.significant_days() d
    $$,
    $$
    values
    (date '2024-01-01', 230.00, 0.0, 230.00, 10.322748, 230.00, 'Mondays', true),
    ('2024-01-10', 20.00, 0.0, 20.00, 5.651746, 250.00, 'Wednesdays', true),
    ('2024-02-15', 100.00, 0.0, 100.00, 13.564191, 350.00, 'Thursdays', true),
    ('2024-03-01', 10.04, 0.0, 10.04, 13.564191, 360.04, 'Fridays', true),
    ('2024-03-10', 8.00, 0.0, 8.00, 13.564191, 368.04, 'Sundays', true),
    ('2024-04-01', -90.00, 0.0, -90.00, 4.039336, 278.04, 'Mondays', true),
    ('2024-04-10', -28.00, 0.0, -28.00, 7.912444, 250.04, 'Wednesdays', true)
    $$,
    'significant_days measures a day by the days of its weekday'
);
select results_eq(
    $$
    select d.day
    from (values (1, 5.651746), (2, 5.651747), (3, 1000)) a (place, threshold)
    cross join lateral kpi.significant_days('2024-01-02', '2024-04-09', a.threshold) d
    order by a.place, d.day
    $$,
    $$
    values
    (date '2024-01-10'), ('2024-02-15'), ('2024-03-01'), ('2024-03-10'), ('2024-02-15'), ('2024-03-01'), ('2024-03-10')
    $$,
    'the range and the threshold choose among the days; they change no score'
);
select results_eq(
    $$
    select d.day
    from kpi.period_changes('day') c
    cross join lateral kpi.significant_days('2024-01-02', '2024-02-01', c.score) d
    where c.first_on = '2024-01-10'
    $$,
    $$ values (date '2024-01-10') $$,
    'a score that is exactly the threshold is enough'
);
-- 01-01 gains ann 100, ben 60, cat 40 and dan 30: 160 of 230 are the first to pass half.
-- 03-01 gains 10.04: dan +30, cat -20, ann +0.04. 02-01 changed as much as expected: not at all.
select results_eq(
    $$
    select d.day, k.place, k.customer_id, k.name, k.kind, k.change, round(k.share, 6), round(k.cumulative_share, 6)
    from (values (date '2024-01-01'), ('2024-02-01'), ('2024-03-01'), ('2024-04-10'), ('2024-05-01')) d (day)
    cross join lateral kpi.significant_day_drivers(d.day) k
    order by d.day, k.place
    $$,
    $$
    values
    (date '2024-01-01', 1::bigint, 'ann', 'Ann & Co', 'new', 100.00, 0.434783, 0.434783),
    ('2024-01-01', 2, 'ben', 'Ben Ltd', 'new', 60.00, 0.260870, 0.695652),
    ('2024-03-01', 1, 'dan', 'dan', 'reactivation', 30.00, 2.988048, 2.988048),
    ('2024-04-10', 1, 'fay', 'fay', 'churn', -28.00, 1.000000, 1.000000)
    $$,
    'the drivers are the largest changes that make up half of the deviation, both currencies together'
);
select results_eq(
    $$
    select
        d.day,
        (select string_agg(format('%s %s %s', k ->> 'kind', k ->> 'change', round((k ->> 'share')::numeric, 6)), ', ') from jsonb_array_elements(d.kinds) k),
        (select string_agg(format('%s %s %s', k ->> 'customer_id', k ->> 'change', round((k ->> 'share')::numeric, 6)), ', ') from jsonb_array_elements(d.drivers) k)
    from kpi.significant_days(null, '2024-03-09') d
    $$,
    $$
    values
    (date '2024-01-01', 'new 230 1.000000', 'ann 100 0.434783, ben 60 0.260870'),
    ('2024-01-10', 'new 20 1.000000', 'fay 20 1.000000'),
    ('2024-02-15', 'new 100 1.000000', 'eve 100 1.000000'),
    ('2024-03-01', 'reactivation 30 2.988048', 'dan 30 2.988048')
    $$,
    'significant_days carries the kinds and the drivers of each day'
);
select results_eq(
    $$
    select count(*), count(*) filter (where l.drivers = d.drivers)
    from kpi.significant_days() d
    cross join lateral (
        select jsonb_agg(
            jsonb_build_object('customer_id', k.customer_id, 'name', k.name, 'kind', k.kind, 'change', trim_scale(k.change), 'share', trim_scale(k.share))
            order by k.place
        ) as drivers
        from kpi.significant_day_drivers(d.day) k
    ) l
    $$,
    $$ values (7::bigint, 7::bigint) $$,
    'significant_day_drivers lists what significant_days carries'
);
select results_eq(
    $$ select d.day, d.customer_id from kpi.significant_day_drivers('2024-04-01') d $$,
    $$ values (date '2024-04-01', 'ben') $$,
    'a single day has its drivers'
);
-- Half is reached by the first of two equal drivers: the customers' ids decide the order.
select results_eq(
    $$
    select d.first_on, d.place, d.customer_id, d.share, d.cumulative_share
    from kpi.change_drivers('{2024-02-01, 2024-01-01}', '{2024-02-01, 2024-01-10}', '{60, 500}') d
    $$,
    $$
    values
    (date '2024-01-01', 1::bigint, 'ann', 0.2, 0.2), ('2024-01-01', 2, 'ben', 0.12, 0.32),
    ('2024-01-01', 3, 'cat', 0.08, 0.4), ('2024-01-01', 4, 'dan', 0.06, 0.46), ('2024-01-01', 5, 'fay', 0.04, 0.5),
    ('2024-02-01', 1, 'ben', 0.5, 0.5)
    $$,
    'change_drivers ends at half of the deviation, or with all that went in its direction'
);
select is_empty(
    $$
    select d.place from kpi.change_drivers('{2024-01-01}', '{2024-01-01}', '{-10}') d
    union all
    select d.place from kpi.change_drivers('{2024-01-01}', '{2024-01-01}', '{0}') d
    union all
    select d.place from kpi.change_drivers('{}', '{}', '{}') d
    union all
    select d.place from kpi.change_drivers(null, null, null) d
    $$,
    'where the deviation lies in what did not happen, nobody drove it'
);

-- Weeks and months ---------------------------------------------------------------------------
--
-- 17 whole weeks; the last two days belong to none. +230, +20, +100, +10.04, +8, -90, -28 and ten
-- times 0: 1.2533 x 486.04 / 17 = 35.832584.
select results_eq(
    $$
    select s.first_on, s.last_on, s.change, s.expected, round(s.score, 6), s.compared_with, s.periods, s.spread_is
    from kpi.significant_periods('week', null, null, 2.5) s
    $$,
    $$
    values
    (date '2024-01-01', date '2024-01-07', 230.00, 0.0, 6.418739, 'all weeks', 17::bigint, 'mean absolute deviation'),
    ('2024-02-12', '2024-02-18', 100.00, 0.0, 2.790756, 'all weeks', 17, 'mean absolute deviation'),
    ('2024-04-01', '2024-04-07', -90.00, 0.0, 2.511680, 'all weeks', 17, 'mean absolute deviation')
    $$,
    'significant_periods measures whole weeks by all whole weeks'
);
-- +250, +100, +18.04 and -118: the median is 59.02, the deviations from it are 190.98, 40.98,
-- 40.98 and 177.02, and 1.4826 x their median, 109, is 161.6034.
select results_eq(
    $$
    select
        c.first_on, c.last_on, c.change, c.closing, c.compared_with, c.periods, c.expected, c.spread, c.spread_is, round(c.score, 6)
    from kpi.period_changes('month') c
    $$,
    $$
    values
    (
        date '2024-01-01', date '2024-01-31', 250.00, 250.00, 'all months', 4::bigint, 59.02, 161.6034,
        'median absolute deviation', 1.181782
    ),
    ('2024-02-01', '2024-02-29', 100.00, 350.00, 'all months', 4, 59.02, 161.6034, 'median absolute deviation', 0.253584),
    ('2024-03-01', '2024-03-31', 18.04, 368.04, 'all months', 4, 59.02, 161.6034, 'median absolute deviation', 0.253584),
    ('2024-04-01', '2024-04-30', -118.00, 250.04, 'all months', 4, 59.02, 161.6034, 'median absolute deviation', 1.095398)
    $$,
    'period_changes takes the mean of the two middle months for their median'
);
-- April deviates by -177.02: ben -90 is more than half of it.
select results_eq(
    $$
    select s.first_on, s.deviation, s.drivers -> 0 ->> 'customer_id', jsonb_array_length(s.drivers), s.kinds -> 0 ->> 'kind'
    from kpi.significant_periods('month', '2024-02-01', '2024-04-30', 1) s
    $$,
    $$ values (date '2024-04-01', -177.02, 'ben', 1, 'churn') $$,
    'a month''s drivers are those of its deviation'
);
select is_empty(
    $$ select s.first_on from kpi.significant_periods('month', '2024-04-02', '2024-05-31', 1) s $$,
    'a period of which a part lies outside the range is left out'
);

-- Outside coverage, and what is no question ----------------------------------------------------

select is_empty(
    $$
    select d.day from kpi.significant_days('2023-01-01', '2023-12-31', 0.1) d
    union all
    select d.day from kpi.significant_days('2024-05-01', '2030-12-31', 0.1) d
    $$,
    'no day outside coverage is significant'
);
select results_eq(
    $$ select (pg_temp.failure(s.statement))[1:2] || (pg_temp.failure(s.statement))[4] from (
        values
        (1, $q$ select kpi.significant_days('2024-03-31', '2024-03-01') $q$),
        (2, $q$ select kpi.significant_periods('quarter') $q$),
        (3, $q$ select kpi.significant_periods(null) $q$),
        (4, $q$ select kpi.significant_days(null, null, 0) $q$),
        (5, $q$ select kpi.significant_days(null, null, null) $q$)
    ) s (place, statement) order by s.place $$,
    $$
    values
    (array['MR006', 'the range of days is upside down', 'Give the earlier day first.']),
    (array['MR004', 'the grain must be day, week or month, not ''quarter''', 'Give day, week or month, and a threshold, which usually is 3.5: select * from kpi.significant_periods(''week'', p_threshold => 3.5).']),
    (array['MR004', 'the grain must be day, week or month, not NULL', 'Give day, week or month, and a threshold, which usually is 3.5: select * from kpi.significant_periods(''week'', p_threshold => 3.5).']),
    (array['MR004', 'the threshold must be above 0, not 0', 'Give day, week or month, and a threshold, which usually is 3.5: select * from kpi.significant_periods(''week'', p_threshold => 3.5).']),
    (array['MR004', 'the threshold must be above 0, not NULL', 'Give day, week or month, and a threshold, which usually is 3.5: select * from kpi.significant_periods(''week'', p_threshold => 3.5).'])
    $$,
    'a range upside down, a grain and a threshold that are none are refused'
);

-- Customers who were there before ------------------------------------------------------------
--
-- With a truncated history, a customer whose first invoice renews becomes visible on 02-06, with
-- 500. That is no change of MRR; that it leaves on 03-06 is one.
insert into raw.customer (customer_id, batch_id, is_listed) values ('old', 1, true);
insert into raw.invoice (
    customer_id, invoice_id, batch_id, subscription_id, currency, status, issued_at,
    period_start, period_end, line_period_start, line_period_end, total
)
values (
    'old', 'in_old', 1, 'sub_old', 'EUR', 'paid', '2024-02-06 00:00 UTC', '2024-01-06 00:00 UTC', '2024-02-06 00:00 UTC',
    '2024-02-06 00:00 UTC', '2024-03-06 00:00 UTC', 50000
);
update meta.batch set is_truncated = true;
call pipeline.rebuild();
select results_eq(
    $$
    select c.first_on, c.change, (
        select string_agg(m.kind || ' ' || round(m.change, 2), ', ') from kpi.movements(c.first_on, c.first_on) m
    ), (select count(*) from kpi.significant_day_drivers(c.first_on))
    from kpi.period_changes('day') c
    where c.first_on in ('2024-02-06', '2024-03-06')
    $$,
    $$
    values
    (date '2024-02-06', 0.00, 'preexisting 500.00', 0::bigint),
    ('2024-03-06', -500.00, 'churn -500.00', 1)
    $$,
    'a customer who becomes visible is no change, and no driver'
);
delete from raw.invoice where customer_id = 'old';
update meta.batch set is_truncated = false;
call pipeline.rebuild();

-- Weekdays from 8 weeks on ---------------------------------------------------------------------
--
-- 55 days: +230, +20, +100 and 52 times 0: 1.2533 x 350 / 55 = 7.975545.
update meta.batch set covered_through = '2024-02-24';
call pipeline.rebuild();
select results_eq(
    $$ select d.day, d.compared_with, round(d.score, 6) from kpi.significant_days(null, null, 2.5) d $$,
    $$
    values
    (date '2024-01-01', 'all days', 28.838153), ('2024-01-10', 'all days', 2.507665), ('2024-02-15', 'all days', 12.538327)
    $$,
    'below 8 covered weeks, a day is measured by all days'
);
update meta.batch set covered_through = '2024-02-25';
call pipeline.rebuild();
select results_eq(
    $$ select d.day, d.compared_with from kpi.significant_days() d $$,
    $$ values (date '2024-01-01', 'Mondays'), ('2024-01-10', 'Wednesdays'), ('2024-02-15', 'Thursdays') $$,
    'from 8 covered weeks on, by those of its weekday'
);
-- A single covered day is what it is measured by; so are days on which nothing changes.
update meta.batch set covered_through = '2024-01-01';
call pipeline.rebuild();
select results_eq(
    $$ select c.first_on, c.change, c.expected, c.spread, c.spread_is, c.score from kpi.period_changes('day') c $$,
    $$ values (date '2024-01-01', 230.00, 230.00, 0.0, 'none', null::numeric) $$,
    'a single day has no score'
);
delete from raw.invoice;
call pipeline.rebuild();
select is_empty(
    $$ select d.day from kpi.significant_days(null, null, 0.001) d $$,
    'where nothing changes, no day is significant'
);

select * from finish();
rollback;
