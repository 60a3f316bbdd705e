-- The forecast: what it rests on, its arithmetic, the calendar of renewals, and where there is none.
begin;
select plan(29);

-- Without data ---------------------------------------------------------------------------------

select results_eq(
    $$ select s.is_possible, s.grain, s.periods, s.reach_months, s.explanation from kpi.forecast_status s $$,
    $$ values (false, null::text, 0, 0, 'There is no covered day yet: nothing to forecast.') $$,
    'without data there is a reason'
);
select results_eq(
    $$
    select
        (select count(*) from kpi.forecast() f),
        (select count(*) from kpi.scenario() s),
        (select count(*) from kpi.forecast_backtest() b),
        (select count(*) from kpi.forecast_history h),
        (select count(*) from kpi.risks() r)
    $$,
    $$ values (0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint) $$,
    'and no forecast, scenario, backtest and risk'
);

-- A company of seven months: 100 new in the middle of each, and a tenth lost of what can leave.
-- 400 of the first 1,000 are paid for a year: they can leave in January 2025 at the earliest.
--
--     month  opening   at risk   churn   closing
--     02     1000.00   600.00   -60.00   1040.00
--     03     1040.00   640.00   -64.00   1076.00
--     04     1076.00   676.00   -67.60   1108.40
--     05     1108.40   708.40   -70.84   1137.56
--     06     1137.56   737.56   -73.76   1163.80
--     07     1163.80   763.80   -76.38   1187.42
insert into ledger.currency (currency, reporting_currency, factor) values ('EUR', 'EUR', 1);
update meta.coverage
set is_truncated = false, observed_from = '2024-01-01', complete_through = '2024-07-31', longest_term_months = 12;
insert into ledger.daily_change_cents (effective_on, currency, kind, movements, customers, change, unpaid_change)
values
('2024-01-01', 'EUR', 'new', 10, 10, 100000, 0),
('2024-02-01', 'EUR', 'churn', 1, -1, -6000, 0),
('2024-02-15', 'EUR', 'new', 1, 1, 10000, 0),
('2024-03-01', 'EUR', 'churn', 1, -1, -6400, 0),
('2024-03-15', 'EUR', 'new', 1, 1, 10000, 0),
('2024-04-01', 'EUR', 'churn', 1, -1, -6760, 0),
('2024-04-15', 'EUR', 'new', 1, 1, 10000, 0),
('2024-05-01', 'EUR', 'churn', 1, -1, -7084, 0),
('2024-05-15', 'EUR', 'new', 1, 1, 10000, 0),
('2024-06-01', 'EUR', 'churn', 1, -1, -7376, 0),
('2024-06-15', 'EUR', 'new', 1, 1, 10000, 0),
('2024-07-01', 'EUR', 'churn', 1, -1, -7638, 0),
('2024-07-15', 'EUR', 'new', 1, 1, 10000, 0);
insert into ledger.daily_term_cents (starts_on, currency, months, is_renewal, charges, mrr)
values ('2024-01-01', 'EUR', 12, false, 4, 40000), ('2024-01-01', 'EUR', 1, false, 6, 60000);

select results_eq(
    $$
    select s.is_possible, s.grain, s.usable_from, s.complete_through, s.periods, s.reach_months, s.explanation
    from kpi.forecast_status s
    $$,
    $$
    values (
        true, 'month', date '2024-01-01', date '2024-07-31', 6, 7,
        'It rests on 6 months, through 2024-07-31, and reaches 7 months ahead.'
    )
    $$,
    'the first month is where it starts from, and the other six are what it learns from'
);
select results_eq(
    $$ select h.period, h.first_on, h.last_on, h.opening, h.at_risk, h.new, h.churn, h.closing from kpi.forecast_history h $$,
    $$
    values
    (1, date '2024-02-01', date '2024-02-29', 1000.00, 600.00, 100.00, -60.00, 1040.00),
    (2, '2024-03-01', '2024-03-31', 1040, 640, 100, -64, 1076),
    (3, '2024-04-01', '2024-04-30', 1076, 676, 100, -67.6, 1108.4),
    (4, '2024-05-01', '2024-05-31', 1108.4, 708.4, 100, -70.84, 1137.56),
    (5, '2024-06-01', '2024-06-30', 1137.56, 737.56, 100, -73.76, 1163.8),
    (6, '2024-07-01', '2024-07-31', 1163.8, 763.8, 100, -76.38, 1187.42)
    $$,
    'the history leaves the annual customers out of what is at risk'
);

-- Churn is 412.58 of 4,125.76 at risk: 0.10000097. The annual term ends on 2025-01-01; of the
-- 400, 360 renew and are paid beyond February.
select results_eq(
    $$ select f.month, f.last_on, f.opening, f.new, f.churn, f.point from kpi.forecast(12, 0.8, 'movements') f $$,
    $$
    values
    (1, date '2024-08-31', 1187.42, 100.00, -78.74, 1208.68),
    (2, '2024-09-30', 1208.68, 100, -80.87, 1227.81),
    (3, '2024-10-31', 1227.81, 100, -82.78, 1245.03),
    (4, '2024-11-30', 1245.03, 100, -84.50, 1260.53),
    (5, '2024-12-31', 1260.53, 100, -86.05, 1274.48),
    (6, '2025-01-31', 1274.48, 100, -127.45, 1247.03),
    (7, '2025-02-28', 1247.03, 100, -88.70, 1258.33)
    $$,
    'annual customers can leave when their term ends, and not before; the forecast ends where its history does'
);
select results_eq(
    $$
    select f.point = f.opening + f.new + f.reactivation + f.expansion + f.contraction + f.churn, f.low <= f.point, f.point <= f.high
    from kpi.forecast(7, 0.95, 'movements') f
    group by 1, 2, 3
    $$,
    $$ values (true, true, true) $$,
    'the kinds add up to the point, and the interval holds it'
);
select results_eq(
    $$
    select f.month, f.method, f.point
    from unnest(array['naive', 'drift']) with ordinality m (name, place)
    cross join lateral kpi.forecast(2, 0.8, m.name) f
    order by m.place, f.month
    $$,
    $$
    values (1, 'naive', 1187.42), (2, 'naive', 1187.42), (1, 'drift', 1218.66), (2, 'drift', 1249.89)
    $$,
    'naive stays; drift adds (1187.42 - 1000) / 6 = 31.2367 a month'
);
select results_eq(
    $$ select s.month, s.base, s.better, s.worse, s.better_difference, s.worse_difference from kpi.scenario(1) s $$,
    $$ values (1, 1208.68, 1249.43, 1168.99, 40.75, -39.69) $$,
    'better: 125 new and 62.99 lost; worse: 80 new and 98.43 lost'
);
select results_eq(
    $$ select s.base, s.better, s.worse from kpi.scenario(3, 1, 1, 1) s where s.month = 3 $$,
    $$ values (1245.03, 1245.03, 1245.03) $$,
    'with factors of 1 all cases are the same'
);
select results_eq(
    $$ select c.origin, c.method, c.is_judged, c.origins, c.tries, c.mae from kpi.forecast_choice c $$,
    $$
    values
    (3, 'movements', false, 0::bigint, 0::bigint, null::numeric), (4, 'movements', false, 1, 1, null),
    (5, 'movements', false, 2, 3, null), (6, 'movements', false, 3, 6, null)
    $$,
    'six months are too short to judge methods: auto takes movements'
);
select results_eq(
    $$
    select b.periods_ahead, b.origins, round(b.mae, 4), round(b.bias, 4), round(b.mase, 6), b.coverage_95
    from kpi.forecast_backtest() b
    where b.method = 'naive'
    $$,
    $$
    values
    (1, 3::bigint, 26.3400, -26.3400, 0.763675, 1.0::numeric), (2, 2, 52.6300, -52.6300, 1.491525, 1.0),
    (3, 1, 79.0200, -79.0200, 2.186900, 1.0)
    $$,
    'naive was short by 29.16, 26.24 and 23.62 a month ahead, in units of 36.1333, 34.39 and 32.76'
);

select results_eq(
    $$
    select f.method, count(*), count(*) filter (where (f.low, f.high) = (least(round(s.q[1], 2), f.point), greatest(round(s.q[2], 2), f.point)))
    from unnest(array['movements', 'naive']) m (name)
    cross join lateral kpi.forecast(3, 0.8, m.name) f
    join (
        select 'movements' as method, s.step, s.quantiles as q
        from kpi.forecast_movement_spread('{6}', 3, 2000, '{0.1, 0.9}') s
        union all
        select s.method, s.step, s.quantiles
        from kpi.forecast_level_spread('{6}', 3, 2000, '{0.1, 0.9}') s
    ) s
        on s.method = f.method
        and s.step = f.month
    group by f.method
    order by f.method
    $$,
    $$ values ('movements', 3::bigint, 3::bigint), ('naive', 3, 3) $$,
    'an interval of 80 % leaves out a tenth on either side'
);
-- Three methods, one to three months ahead, each seen from the ends of the third to the fifth month.
select results_eq(
    $$
    select
        count(*),
        count(*) filter (where (b.coverage_50, b.coverage_80, b.coverage_95) = (i.within_50, i.within_80, i.within_95)),
        count(*) filter (where b.coverage_80 < b.coverage_95)
    from kpi.forecast_backtest() b
    join (
        select
            t.method,
            t.step,
            avg((t.actual between round(s.quantiles[1], 2) and round(s.quantiles[6], 2))::integer) as within_95,
            avg((t.actual between round(s.quantiles[2], 2) and round(s.quantiles[5], 2))::integer) as within_80,
            avg((t.actual between round(s.quantiles[3], 2) and round(s.quantiles[4], 2))::integer) as within_50
        from kpi.forecast_tries t
        join kpi.forecast_level_spread('{3,4,5}', 3, 300, '{0.025, 0.1, 0.25, 0.75, 0.9, 0.975}') s
            on s.method = t.method
            and s.origin = t.origin
            and s.step = t.step
        group by t.method, t.step
    ) i
        on i.method = b.method
        and i.step = b.periods_ahead
    $$,
    $$ values (9::bigint, 9::bigint, 3::bigint) $$,
    'the backtest counts how often what came lay in the interval of each level'
);

-- 30 came back in July and 30 were added, 5 a month each. Of 1,247.42 are 847.42 at risk: base 110 won and
-- 84.74 lost; better 125 + 6.25 + 6.25 and 67.79; worse 80 + 4 + 4 and 105.93.
savepoint before_changes;
insert into ledger.daily_change_cents (effective_on, currency, kind, movements, customers, change, unpaid_change)
values ('2024-07-20', 'EUR', 'reactivation', 1, 1, 3000, 0), ('2024-07-20', 'EUR', 'expansion', 1, 0, 3000, 0);
select results_eq(
    $$ select s.base, s.better, s.worse from kpi.scenario(1) s $$,
    $$ values (1272.68, 1317.13, 1229.49) $$,
    'a scenario has more or fewer customers come back, and more or less expansion'
);
rollback to before_changes;

-- August brings nothing: of seven months the last six won 5 x 100, whatever February won.
insert into ledger.daily_change_cents (effective_on, currency, kind, movements, customers, change, unpaid_change)
values ('2024-02-20', 'EUR', 'new', 1, 1, 60000, 0);
update meta.coverage
set complete_through = '2024-08-31';
select results_eq(
    $$ select r.origin, round(r.new, 4) from kpi.forecast_rates(1) r where r.origin >= 6 order by r.origin $$,
    $$ values (6, 200.0000), (7, 83.3333) $$,  -- (700 + 5 x 100) / 6, 500 / 6
    'rates are those of the last six months'
);
rollback to before_changes;

-- 90 by the quarter from 01-01 were not renewed on 04-01: only what is paid for a year stays.
insert into ledger.daily_term_cents (starts_on, currency, months, is_renewal, charges, mrr)
values ('2024-01-01', 'EUR', 3, false, 1, 9000);
select results_eq(
    $$ select r.origin, r.paid_beyond from kpi.forecast_rates(2) r where r.origin = 6 $$,
    $$ values (6, '{400,400}'::numeric[]) $$,
    'a term that ended holds nothing'
);
rollback to before_changes;

-- What leaves it little to say ------------------------------------------------------------------

update meta.coverage
set complete_through = '2024-06-30';
select results_eq(
    $$ select s.grain, s.periods, s.reach_months from kpi.forecast_status s $$,
    $$ values ('month', 5, 6) $$,
    'five months are enough for months: from 01-01 to 06-30 it reaches 181 days ahead'
);
update meta.coverage
set complete_through = '2024-05-31';
select results_eq(
    $$ select s.grain, s.periods, s.reach_months from kpi.forecast_status s $$,
    $$ values ('week', 21, 5) $$,
    'of four months it takes the 21 weeks in 151 days'
);
update meta.coverage
set complete_through = '2024-03-10';
select results_eq(
    $$ select s.grain, s.periods, s.reach_months from kpi.forecast_status s $$,
    $$ values ('week', 9, 2) $$,
    'of 69 days it takes weeks'
);
select results_eq(
    $$ select h.first_on, h.last_on, h.opening, h.at_risk from kpi.forecast_history h where h.period = 1 $$,
    $$ values (date '2024-01-08', date '2024-01-14', 1000.00, 600.00) $$,
    'who pays by the month can leave in any week'
);
select results_eq(
    $$ select f.month, f.last_on from kpi.forecast(6) f $$,
    $$ values (1, date '2024-04-07'), (2, '2024-05-12') $$,
    'and its months end with the week that ends nearest to them'
);
update meta.coverage
set complete_through = '2024-01-25';
select results_eq(
    $$ select s.grain, s.periods, s.reach_months, (select count(*) from kpi.forecast(6) f) from kpi.forecast_status s $$,
    $$ values ('day', 24, 1, 1::bigint) $$,
    'of 24 days it takes days, and says a month'
);
select results_eq(
    $$ select count(*), count(*) filter (where c.is_judged or c.method <> 'movements') from kpi.forecast_choice c $$,
    $$ values (18::bigint, 0::bigint) $$,
    'days tell no method from a luckier one, not even at the first origins'
);
update meta.coverage
set complete_through = '2024-01-20';
select results_eq(
    $$ select s.is_possible, s.explanation, (select count(*) from kpi.forecast() f) from kpi.forecast_status s $$,
    $$ values (false, 'No forecast: churn can be seen on 19 days from 2024-01-01 to 2024-01-20; it takes 20.', 0::bigint) $$,
    'of 19 days it says nothing'
);

-- A truncated history: churn can be seen from 02-01 on, and 50 that only become visible are no growth.
update meta.coverage
set is_truncated = true, complete_through = '2024-03-10';
insert into ledger.daily_change_cents (effective_on, currency, kind, movements, customers, change, unpaid_change)
values ('2024-02-20', 'EUR', 'preexisting', 1, 1, 5000, 0);
select results_eq(
    $$
    select s.usable_from, s.grain, s.periods, (select h.opening from kpi.forecast_history h where h.period = 1), s.mrr
    from kpi.forecast_status s
    $$,
    $$ values (date '2024-02-01', 'day', 39, 1050.00, 1026.00) $$,
    'what becomes visible later was there from the start'
);
update meta.coverage
set complete_through = '2024-01-31';
select is(
    (select s.explanation from kpi.forecast_status s),
    'No forecast: churn can be seen from 2024-02-01 on, and MRR is known through 2024-01-31.',
    'where churn cannot be seen there is no forecast'
);

-- Bad questions -----------------------------------------------------------------------------------

select throws_ok(
    $$ select * from kpi.forecast(0) $$, 'MR004', 'a forecast takes one month or more, not 0', 'a forecast looks ahead'
);
select throws_ok(
    $$ select * from kpi.forecast(6, 0.8, 'astrology') $$, 'MR004', 'there is no method ''astrology''', 'a method must be known'
);
select throws_ok($$ select * from kpi.scenario(6, 0) $$, 'MR004', 'a factor is above 0', 'a factor must be above 0');

select * from finish();
rollback;
