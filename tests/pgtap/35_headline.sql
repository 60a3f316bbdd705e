-- The three KPIs of business health.
begin;
select plan(9);

\ir companies/complete.sql

-- The last covered month is April, the one before it March, in which none of five customers
-- is lost and the quick ratio is 38 / 20.
select results_eq(
    $$
    select
        h.place, h.kpi, h.value, h.unit, round(h.change, 6), h.change_unit, h.second_kpi, round(h.second_value, 6),
        h.second_unit, h.first_on, h.last_on
    from kpi.headline h
    $$,
    $$
    values
    (
        1, 'MRR', 250.04, 'EUR' collate "C", -0.320617, 'share', 'NRR', 0.679383, 'share', date '2024-04-01',
        date '2024-04-30'
    ),
    (2, 'Customer churn', 2 / 6.0, 'share', 0.333333, 'points', 'Revenue churn', 0.320617, 'share', '2024-04-01', '2024-04-30'),
    (3, 'Quick ratio', 0, 'ratio', -1.9, 'ratio', 'GRR', 0.679383, 'share', '2024-04-01', '2024-04-30')
    $$,
    'headline shows MRR with growth and NRR, churn, and the quick ratio, each with its window'
);
select results_eq(
    $$ select count(*), count(*) filter (where h.meaning ~ '^[A-Z].+\.$') from kpi.headline h $$,
    $$ values (3::bigint, 3::bigint) $$,
    'headline says in a sentence what each KPI means'
);
select results_eq(
    $$
    select
        m.value = d.closing, m.second_value = r.nrr, c.value = r.customer_churn_rate,
        c.second_value = r.gross_mrr_churn_rate, c.change = r.customer_churn_rate - p.customer_churn_rate,
        q.value = r.quick_ratio, q.second_value = r.grr
    from kpi.retention('2024-04-01', '2024-04-30') r
    cross join kpi.retention('2024-03-01', '2024-03-31') p
    join kpi.mrr_daily d on d.day = r.last_on
    join kpi.headline m on m.place = 1
    join kpi.headline c on c.place = 2
    join kpi.headline q on q.place = 3
    $$,
    $$ values (true, true, true, true, true, true, true) $$,
    'headline''s figures are those of retention and mrr_daily'
);

-- March has 3 sessions by ann, April 2 by ann, one by fay, and one by gus, who pays nothing.
-- Active in April are ann, cat, dan, eve, and fay until 04-10; in March ben as well.
insert into usage.session (customer_id, session_number, created_at, batch_id)
values
('ann', 1, '2024-03-01 12:00 UTC', 1), ('ann', 2, '2024-03-02 00:00 UTC', 1), ('ann', 3, '2024-03-31 23:59 UTC', 1),
('ann', 4, '2024-04-01 00:00 UTC', 1), ('ann', 5, '2024-04-30 23:59 UTC', 1), ('fay', 1, '2024-04-09 12:00 UTC', 1),
('gus', 1, '2024-04-20 12:00 UTC', 1), ('ann', 6, '2024-05-01 00:00 UTC', 1);

select results_eq(
    $$
    select
        h.place, h.kpi, h.value, h.unit, round(h.change, 6), h.change_unit, h.second_kpi, h.second_value, h.second_unit,
        h.first_on, h.last_on
    from kpi.headline h
    where h.place = 3
    $$,
    $$
    values (
        3, 'Engagement', 4 / 5.0, 'sessions per customer' collate "C", 0.300000,  -- 4 / 5 less 3 / 6
        'sessions per customer', 'Sessions', 4::numeric, 'sessions', date '2024-04-01', date '2024-04-30'
    )
    $$,
    'where there are sessions, headline shows engagement in place of the quick ratio'
);
select results_eq(
    $$ select array_agg(h.kpi order by h.place) from kpi.headline h $$,
    $$ values ('{MRR,"Customer churn",Engagement}'::text[]) $$,
    'headline has exactly three rows with sessions too'
);

-- A month to the day, whatever its length.
update meta.batch set covered_through = '2024-02-29';
call pipeline.refresh(null);
select results_eq(
    $$
    select h.kpi, round(h.value, 6), round(h.change, 6), round(h.second_value, 6), h.first_on, h.last_on
    from kpi.headline h
    $$,
    $$
    values
    ('MRR', 350.000000, 0.400000, 1.000000, date '2024-02-01', date '2024-02-29'),
    ('Customer churn', 0.200000, null, 0.120000, '2024-02-01', '2024-02-29'),  -- January opens with nobody
    ('Engagement', 0.000000, 0.000000, 0, '2024-02-01', '2024-02-29')
    $$,
    'headline is about a whole month where coverage ends with one'
);

-- The month to 02-10 opens with 250 of five customers, loses dan and his 30, and wins 30. Of
-- the month before it only ten days are covered.
update meta.batch set covered_through = '2024-02-10';
call pipeline.refresh(null);
select results_eq(
    $$
    select h.kpi, round(h.value, 6), round(h.change, 6), round(h.second_value, 6), h.first_on, h.last_on
    from kpi.headline h
    $$,
    $$
    values
    ('MRR', 250.000000, 0.000000, 1.000000, date '2024-01-11', date '2024-02-10'),
    ('Customer churn', 0.200000, null, 0.120000, '2024-01-11', '2024-02-10'),
    ('Engagement', 0.000000, null, 0, '2024-01-11', '2024-02-10')
    $$,
    'headline compares with the month before, and not where part of it is not covered'
);

-- A single day on which all is won: nothing to compare with.
update meta.batch set covered_through = '2024-01-01';
call pipeline.refresh(null);
select results_eq(
    $$ select h.kpi, h.value, h.change, h.second_value, h.first_on, h.last_on from kpi.headline h $$,
    $$
    values
    ('MRR', 230.00, null::numeric, null::numeric, date '2024-01-01', date '2024-01-01'),
    ('Customer churn', null, null, null, '2024-01-01', '2024-01-01'),
    ('Engagement', 0.00, null, 0, '2024-01-01', '2024-01-01')
    $$,
    'headline has its three rows on the first day of all'
);

-- An export that begins in the middle: 180 on 02-27, of kim 50, leo 100 and max 30. kim leaves, and
-- oda's 40, which become visible, are no growth: 130 / 180 - 1. The month before can't be compared.
delete from usage.session;
delete from raw.invoice;
delete from raw.customer;
call pipeline.refresh(null);
delete from meta.batch;
\ir companies/truncated.sql
select results_eq(
    $$
    select h.kpi, round(h.value, 6), round(h.change, 6), round(h.second_value, 6), h.first_on, h.last_on
    from kpi.headline h
    $$,
    $$
    values
    ('MRR', 170.000000, -0.277778, 0.722222, date '2025-02-28', date '2025-03-30'),
    ('Customer churn', 0.333333, null, 0.277778, '2025-02-28', '2025-03-30'),
    ('Quick ratio', 0.000000, null, 0.722222, '2025-02-28', '2025-03-30')
    $$,
    'who only becomes visible is no growth in the headline'
);

select * from finish();
rollback;
