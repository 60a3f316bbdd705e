-- Churn and retention, by month and in any range of days.
begin;
select plan(22);

\ir companies/complete.sql

-- kpi.retention_monthly ------------------------------------------------------------------
--
--     February  opens with 250: ann 100, ben 60, cat 40, dan 30, fay 20.
--               They close with 100 + 90 + 40 + 0 + 20 = 250; the lesser of both: 220.
--               Lost: dan. Churn 30, expansion 30, new 100.
--     March     opens with 350: ann 100, ben 90, cat 40, eve 100, fay 20.
--               They close with 100.04 + 90 + 20 + 100 + 28 = 338.04; the lesser of both: 330.
--               Lost: none. Contraction 20, expansion 8, reactivation 30.
--     April     opens with 368.04: ann 100.04, ben 90, cat 20, dan 30, eve 100, fay 28.
--               They close with 250.04, and so the lesser of both. Lost: ben and fay. Churn 118.
select results_eq(
    $$
    select r.month, r.first_on, r.last_on, r.opening, r.closing, r.customers_opening, r.customers_lost, r.note
    from kpi.retention_monthly r
    $$,
    $$
    values
    (
        date '2024-01-01', date '2024-01-01', date '2024-01-31', 0.00, 250.00, 0::bigint, 0::bigint,
        'nothing to keep: the opening is 0'
    ),
    ('2024-02-01', '2024-02-01', '2024-02-29', 250.00, 350.00, 5, 1, null),
    ('2024-03-01', '2024-03-01', '2024-03-31', 350.00, 368.04, 5, 0, null),
    ('2024-04-01', '2024-04-01', '2024-04-30', 368.04, 250.04, 6, 2, null)
    $$,
    'retention_monthly counts the customers who were there at the opening and are gone at the closing'
);
select results_eq(
    $$
    select r.month, round(r.customer_churn_rate, 6), round(r.gross_mrr_churn_rate, 6), round(r.net_mrr_churn_rate, 6)
    from kpi.retention_monthly r
    $$,
    $$
    values
    (date '2024-01-01', null::numeric, null::numeric, null::numeric),
    ('2024-02-01', 0.200000, 0.120000, 0.000000),   -- 1 / 5, 30 / 250, (30 - 30) / 250
    ('2024-03-01', 0.000000, 0.057143, -0.051429),  -- 0 / 5, 20 / 350, (20 - 8 - 30) / 350
    ('2024-04-01', 0.333333, 0.320617, 0.320617)    -- 2 / 6, 118 / 368.04, the same
    $$,
    'churn rates are shares of the opening; net churn is negative where more comes back than goes'
);
select results_eq(
    $$ select r.month, round(r.nrr, 6), round(r.grr, 6), round(r.quick_ratio, 6) from kpi.retention_monthly r $$,
    $$
    values
    (date '2024-01-01', null::numeric, null::numeric, null::numeric),
    ('2024-02-01', 1.000000, 0.880000, 4.333333),  -- 250 / 250, 220 / 250, (100 + 30) / 30
    ('2024-03-01', 0.965829, 0.942857, 1.900000),  -- 338.04 / 350, 330 / 350, (8 + 30) / 20
    ('2024-04-01', 0.679383, 0.679383, 0.000000)   -- 250.04 / 368.04, the same, 0 / 118
    $$,
    'NRR and GRR follow the customers of the opening; the quick ratio needs something lost'
);
-- The mean churn rates so far: 0.2; (0.2 + 0) / 2; (0.2 + 0 + 1/3) / 3 = 8/45.
select results_eq(
    $$ select r.month, r.arpa, round(r.ltv, 6) from kpi.retention_monthly r $$,
    $$
    values
    (date '2024-01-01', 50.00, null::numeric),
    ('2024-02-01', 70.00, 350.000000),
    ('2024-03-01', 61.34, 613.400000),
    ('2024-04-01', 62.51, 351.618750)
    $$,
    'LTV is ARPA by the mean customer churn rate of the months so far'
);

-- kpi.retention --------------------------------------------------------------------------
--
-- February to April opens with 250: ann 100, ben 60, cat 40, dan 30, fay 20. They close with
-- 100.04 + 0 + 20 + 30 + 0 = 150.04; the lesser of both: 150. Lost: ben and fay. dan left and
-- came back. Churn 148, contraction 20, expansion 38, reactivation 30, new 100.
select results_eq(
    $$
    select
        r.first_on, r.last_on, r.opening, r.closing, r.customers_opening, r.customers_lost, r.customer_churn_rate,
        r.gross_mrr_churn_rate, r.net_mrr_churn_rate, r.nrr, r.grr, r.quick_ratio, r.arpa, round(r.ltv, 6),
        r.mrr_is_complete, r.churn_is_observable
    from kpi.retention('2024-02-01', '2024-04-30') r
    $$,
    $$
    values (
        date '2024-02-01', date '2024-04-30', 250.00, 250.04, 5::bigint, 2::bigint, 0.4,  -- 2 / 5
        0.672, 0.4, 0.60016, 0.6, 1.0,  -- 168 / 250, (168 - 38 - 30) / 250, 150.04 / 250, 150 / 250, 168 / 168
        62.51, 351.618750, true, true
    )
    $$,
    'retention over three months follows the customers from the first opening to the last closing'
);
-- ARPA is 250.04 / 4, and the mean of the whole months before April is (0.2 + 0) / 2.
select results_eq(
    $$ select r.arpa, r.ltv from kpi.retention('2024-02-01', '2024-04-15') r $$,
    $$ values (62.51, 625.1) $$,
    'LTV looks back at whole months that end in the range'
);
select results_eq(
    $$
    select r.first_on, r.last_on
    from (
        values (1, null::date, null::date), (2, '2000-01-01', '2100-01-01'), (3, '2024-04-01', null), (4, null, '2024-01-31')
    ) a (place, first_on, last_on)
    cross join lateral kpi.retention(a.first_on, a.last_on) r
    order by a.place
    $$,
    $$
    values
    (date '2024-01-01', date '2024-04-30'), ('2024-01-01', '2024-04-30'), ('2024-04-01', '2024-04-30'),
    ('2024-01-01', '2024-01-31')
    $$,
    'retention is clipped to coverage; a bound that is NULL is that of coverage'
);
select is_empty(
    $$ select r.nrr from kpi.retention('2024-05-01', '2025-01-01') r $$,
    'retention has no row where no day of the range is covered'
);
select results_eq(
    $$
    select r.opening, r.closing, r.customers_opening, r.customers_lost, r.nrr, r.quick_ratio
    from kpi.retention('2024-02-14', '2024-02-14') r
    $$,
    $$ values (250.00, 250.00, 4::bigint, 0::bigint, 1.0, null::numeric) $$,
    'retention over a single day on which nothing happens keeps everything'
);
-- ben leaves that day: 1 of 6, and 90 of 368.04.
select results_eq(
    $$
    select r.customers_lost, round(r.customer_churn_rate, 6), round(r.gross_mrr_churn_rate, 6), round(r.grr, 6)
    from kpi.retention('2024-04-01', '2024-04-01') r
    $$,
    $$ values (1::bigint, 0.166667, 0.244539, 0.755461) $$,
    'retention over a single day counts who leaves on it'
);

-- kpi.retention_trailing -----------------------------------------------------------------
--
-- Three months that end on 04-30 are February to April, as above; twelve begin before coverage.
select results_eq(
    $$
    select
        r.months, r.first_on, r.last_on, r.opening, r.closing, r.customers_opening, r.customers_lost,
        r.customer_churn_rate, r.gross_mrr_churn_rate, r.net_mrr_churn_rate, r.nrr, r.grr, r.quick_ratio, r.note
    from kpi.retention_trailing() r
    $$,
    $$
    values
    (
        3, date '2024-02-01', date '2024-04-30', 250.00, 250.04, 5::bigint, 2::bigint, 0.4, 0.672, 0.4, 0.60016, 0.6, 1.0,
        null
    ),
    (
        12, '2023-05-01', '2024-04-30', null, null, null, null, null, null, null, null, null, null,
        'it begins on 2023-05-01, and MRR is known from 2024-01-01 on'
    )
    $$,
    'retention_trailing looks back 3 and 12 months, or says why it cannot'
);
select results_eq(
    $$ select r.months, r.first_on, r.opening, r.nrr, r.quick_ratio, r.note from kpi.retention_trailing('2024-03-31') r $$,
    $$
    values
    (3, date '2024-01-01', 0.00, null::numeric, null::numeric, 'nothing to keep: the opening is 0'),
    (12, '2023-04-01', null, null, null, 'it begins on 2023-04-01, and MRR is known from 2024-01-01 on')
    $$,
    'a company''s first three months have nothing to keep'
);
select is_empty(
    $$
    select r.months from kpi.retention_trailing('2023-12-31') r
    union all
    select r.months from kpi.retention_trailing('2024-05-01') r
    $$,
    'retention_trailing has no row outside coverage'
);

-- Periods that a caller gives --------------------------------------------------------------

select results_eq(
    $$
    select r.first_on, r.last_on, r.customers_opening, r.customers_lost, round(r.nrr, 6), round(r.grr, 6)
    from kpi.retention_by_period('{2024-02-01, 2024-03-01, 2024-05-01}') r
    $$,
    $$
    values
    (date '2024-02-01', date '2024-02-29', 5::bigint, 1::bigint, 1.000000, 0.880000),
    -- From 350 of ann, ben, cat, eve and fay, ann's 100.04, cat's 20 and eve's 100 remain.
    ('2024-03-01', '2024-04-30', 5, 2, 0.628686, 0.628571)
    $$,
    'retention_by_period takes the first days of consecutive periods and the day after the last'
);
-- Before April nobody is lost; in May, after coverage, everybody would be.
select results_eq(
    $$
    select r.first_on, r.last_on, r.customers_opening, r.customers_lost, round(r.nrr, 6)
    from kpi.retention_by_period('{2023-06-01, 2024-04-10, 2024-12-31}') r
    $$,
    $$
    values
    (date '2024-01-01', date '2024-04-09', 0::bigint, 0::bigint, null::numeric),
    ('2024-04-10', '2024-04-30', 5, 1, 0.899295)  -- 250.04 / 278.04
    $$,
    'retention_by_period looks at the covered days of its periods alone'
);
select results_eq(
    $$
    select r.first_on, r.customers_lost, r.net_change, r.losses
    from kpi.retention_of('{2023-06-01, 2024-03-01, 2024-12-31}') r
    $$,
    $$ values (date '2024-03-01', 2::bigint, -129.96, -130.00) $$,  -- ann +0.04, ben -90, cat -20, fay -20
    'retention_of looks at the covered days of its periods alone'
);
select is_empty(
    $$
    select r.first_on from kpi.retention_by_period(null) r
    union all
    select r.first_on from kpi.retention_by_period('{}') r
    union all
    select r.first_on from kpi.retention_by_period('{2024-02-01}') r
    union all
    select r.first_on from kpi.retention_of(null) r
    union all
    select r.first_on from kpi.retention_of('{}') r
    $$,
    'without a period there is no row'
);

-- Identities -----------------------------------------------------------------------------
-- With a rate that leaves fractions without end, every figure must still add up exactly.

update meta.exchange_rate set per_euro = 1.0411;
call pipeline.update_currencies();

-- Ranges that begin and end on one of 18 days, a week apart: 18 x 19 / 2 = 171 of them. Those
-- that begin on the first day of all, 18, open with nothing.
create temp table span as
select f.day as first_on, l.day as last_on
from generate_series(date '2024-01-01', '2024-04-29', '7 days') f (day)
join generate_series(date '2024-01-01', '2024-04-29', '7 days') l (day) on l.day >= f.day;

select results_eq(
    $$
    select
        count(*),
        count(*) filter (where r.grr between 0 and 1),
        count(*) filter (where r.grr is null and r.opening = 0),
        count(*) filter (where r.grr <= r.nrr or r.opening = 0),
        count(*) filter (where r.customer_churn_rate between 0 and 1 or r.opening = 0)
    from span g
    cross join lateral kpi.retention(g.first_on::date, g.last_on::date) r
    $$,
    $$ values (171::bigint, 153::bigint, 18::bigint, 171::bigint, 171::bigint) $$,
    'in any range, GRR is between 0 and 1 and at most NRR, and NULL where the range opens with nothing'
);
-- The same by looking at each customer's MRR the day before the range and on its last day.
select results_eq(
    $$
    select
        count(*),
        count(*) filter (where r.customers_lost = c.lost and r.customers_opening = c.opening),
        count(*) filter (where round(r.nrr, 12) = c.nrr and round(r.grr, 12) = c.grr)
    from span g
    cross join lateral kpi.retention(g.first_on::date, g.last_on::date) r
    cross join lateral (
        select
            count(*) as opening,
            count(*) filter (where m.after = 0) as lost,
            round(sum(m.after) / sum(m.before), 12) as nrr,
            round(sum(least(m.before, m.after)) / sum(m.before), 12) as grr
        from (
            select kpi.mrr_at(u.customer_id, g.first_on::date - 1) as before, kpi.mrr_at(u.customer_id, g.last_on::date) as after
            from kpi.customer u
        ) m
        where m.before > 0
    ) c
    $$,
    $$ values (171::bigint, 171::bigint, 153::bigint) $$,
    'in any range, retention is what mrr_at says of each customer'
);
select results_eq(
    $$
    select count(*), count(*) filter (
        where (m.opening, m.closing, m.customers_lost, m.nrr, m.grr, m.quick_ratio, m.ltv)
            is not distinct from (r.opening, r.closing, r.customers_lost, r.nrr, r.grr, r.quick_ratio, r.ltv)
    )
    from kpi.retention_monthly m
    cross join lateral kpi.retention(m.first_on, m.last_on) r
    $$,
    $$ values (4::bigint, 4::bigint) $$,
    'retention of a month is the month''s row in retention_monthly'
);

-- The company goes on: cat leaves on 2024-08-01, one of four; eve leaves in the last month,
-- which is only a part of one. LTV / ARPA is 6 / the sum of the last six churn rates.
update meta.batch set covered_through = '2025-02-20';
update raw.invoice set line_period_end = '2025-05-01 00:00 UTC' where invoice_id in ('in_ann_4', 'in_dan_2');
update raw.invoice set line_period_end = '2024-08-01 00:00 UTC' where invoice_id = 'in_cat_3USD';
call pipeline.refresh(null);

select results_eq(
    $$
    select m.month, m.is_whole, m.note, round(m.ltv / m.arpa, 6), round(r.ltv / r.arpa, 6)
    from kpi.retention_monthly m
    cross join lateral kpi.retention(m.first_on, m.last_on) r
    where m.month >= '2024-09-01'
    $$,
    $$
    values
    (date '2024-09-01', true, null, 10.285714, 10.285714),  -- April to September: 1/3 and 1/4
    ('2024-10-01', true, null, 24.000000, 24.000000),       -- from May to October: 1/4
    ('2024-11-01', true, null, 24.000000, 24.000000),
    ('2024-12-01', true, null, 24.000000, 24.000000),
    ('2025-01-01', true, null, 24.000000, 24.000000),
    ('2025-02-01', false, 'part of a month', 24.000000, 24.000000)  -- August to January, all of them whole
    $$,
    'LTV looks back at up to six whole months, the same in retention and in retention_monthly'
);

-- Of the customers of 2024-02-01, ann (100.04 for 13 months) and dan (60 for 14) are there.
select results_eq(
    $$
    select r.months, r.first_on, r.customers_opening, r.customers_lost, round(r.grr, 6), r.note
    from kpi.retention_trailing('2025-01-31') r
    $$,
    $$
    values
    (3, date '2024-11-01', 3::bigint, 0::bigint, 1.000000, null),
    (12, '2024-02-01', 5, 3, 0.046468, null)  -- (7.70 + 4.29) / (210 + 50 / 1.0411)
    $$,
    'retention_trailing follows the customers of twelve months ago'
);

select * from finish();
rollback;
