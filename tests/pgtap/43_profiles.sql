-- The same ledger by the published rules of others.
begin;
select plan(19);

\ir companies/complete.sql

-- And two more: hal comes and goes within March, for 60.88 (30.00 for 15 days); ida, with 10 a
-- month, leaves on 03-01, is back from 03-11, and leaves again on 04-11.
insert into raw.customer (customer_id, batch_id, is_listed) values ('hal', 1, true), ('ida', 1, true);
insert into raw.invoice (
    customer_id, invoice_id, batch_id, subscription_id, currency, status, issued_at,
    period_start, period_end, line_period_start, line_period_end, total
)
select
    i.customer_id, format('in_%s_%s', i.customer_id, i.starts_on::date), 1, 'sub_' || i.customer_id, 'EUR', 'paid',
    i.starts_on at time zone 'UTC', i.starts_on at time zone 'UTC', i.starts_on at time zone 'UTC',
    i.starts_on at time zone 'UTC', i.ends_on at time zone 'UTC', i.total
from (
    values
    ('hal', '2024-03-05'::timestamp, '2024-03-20'::timestamp, 3000), ('ida', '2024-01-01', '2024-03-01', 2000),
    ('ida', '2024-03-11', '2024-04-11', 1000)
) i (customer_id, starts_on, ends_on, total);
call pipeline.refresh(null);

-- Who says what ----------------------------------------------------------------------------------

select results_eq(
    $$
    select p.profile, count(*), count(p.definition), count(*) filter (where p.definition is null and p.note is null)
    from kpi.profiles p
    group by p.profile, p.profile_place
    order by p.profile_place
    $$,
    $$ values ('simple', 8::bigint, 8::bigint, 0::bigint), ('stripe', 8, 4, 0), ('chartmogul', 8, 8, 0), ('profitwell', 8, 3, 0) $$,
    'profiles has a definition, or says why there is none'
);
select is_empty(
    $$
    select p.metric
    from kpi.profiles p
    where p.source !~ (case when p.profile = 'simple' then '^docs/' else '^https://' end)
        or (p.read_on is null) <> (p.profile = 'simple')
    $$,
    'every definition of others has its address and the day on which it was read'
);

select results_eq(
    $$ select p.metric from kpi.profiles p where p.profile = 'profitwell' and p.note like 'our reading: %' $$,
    $$ values ('customers_churned'), ('churned_mrr') $$,
    'what a page does not say in so many words is marked as a reading of it'
);

-- March ------------------------------------------------------------------------------------------
--
-- It opens with 360: ann 100, ben 90, cat 40, eve 100, fay 20, ida 10. It closes with 378.04 of 7:
-- ann +0.04 (rounding), cat -20, dan +30 (back on 03-01), fay +8, hal +60.88 -60.88, ida -10 +10.
--
--     simple      Nobody of the opening is gone. Churn 70.88, contraction 20, expansion 8, back 40.
--     stripe      From 03-02 on. Active then: ann, ben, cat, dan, eve, fay; new and churned: hal.
--     chartmogul  hal joined and churned, ida churned and came back: neither counts. ann's 4 cents do.
--     profitwell  hal is ignored, ida is not.
--     LTV         (1/6 of February + 0 of March) / 2; ChartMogul's six months are not there.
select results_eq(
    $$
    select
        c.metric, c.unit, c.profile, round(c.value, 6), round(c.numerator, 6), round(c.denominator, 6), c.differs, c.first_on, c.last_on
    from kpi.compare_profiles('2024-03-01', '2024-03-31') c
    where c.definition is not null
    $$,
    $$
    values
    ('customers_new', 'customers', 'simple', 1.0, 1.0, null::numeric, false, date '2024-03-01', date '2024-03-31'),
    ('customers_new', 'customers', 'stripe', 1, 1, null, false, '2024-03-02', '2024-03-31'),
    ('customers_new', 'customers', 'chartmogul', 1, 1, null, false, '2024-03-01', '2024-03-31'),
    ('customers_new', 'customers', 'profitwell', 0, 0, null, true, '2024-03-01', '2024-03-31'),
    ('customers_churned', 'customers', 'simple', 0, 0, null, false, '2024-03-01', '2024-03-31'),
    ('customers_churned', 'customers', 'stripe', 1, 1, null, true, '2024-03-02', '2024-03-31'),
    ('customers_churned', 'customers', 'chartmogul', 0, 0, null, false, '2024-03-01', '2024-03-31'),
    ('customers_churned', 'customers', 'profitwell', 1, 1, null, true, '2024-03-01', '2024-03-31'),
    ('customer_churn_rate', 'share', 'simple', 0, 0, 6, false, '2024-03-01', '2024-03-31'),
    ('customer_churn_rate', 'share', 'stripe', 0.142857, 1, 7, true, '2024-03-02', '2024-03-31'),
    ('customer_churn_rate', 'share', 'chartmogul', 0, 0, 6, false, '2024-03-01', '2024-03-31'),
    ('churned_mrr', 'currency', 'simple', 70.88, 70.88, null, false, '2024-03-01', '2024-03-31'),
    ('churned_mrr', 'currency', 'stripe', 60.88, 60.88, null, true, '2024-03-02', '2024-03-31'),
    ('churned_mrr', 'currency', 'chartmogul', 70.88, 70.88, null, false, '2024-03-01', '2024-03-31'),
    ('churned_mrr', 'currency', 'profitwell', 10, 10, null, true, '2024-03-01', '2024-03-31'),
    ('gross_mrr_churn_rate', 'share', 'simple', 0.252444, 90.88, 360, false, '2024-03-01', '2024-03-31'),
    ('gross_mrr_churn_rate', 'share', 'chartmogul', 0.252444, 90.88, 360, false, '2024-03-01', '2024-03-31'),
    ('net_mrr_churn_rate', 'share', 'simple', 0.119111, 42.88, 360, false, '2024-03-01', '2024-03-31'),
    ('net_mrr_churn_rate', 'share', 'chartmogul', 0.119000, 42.84, 360, true, '2024-03-01', '2024-03-31'),
    ('arpa', 'currency', 'simple', 54.005714, 378.04, 7, false, '2024-03-01', '2024-03-31'),
    ('arpa', 'currency', 'chartmogul', 54.005714, 378.04, 7, false, '2024-03-01', '2024-03-31'),
    ('ltv', 'currency', 'simple', 648.068571, 54.005714, 0.083333, false, '2024-03-01', '2024-03-31'),
    ('ltv', 'currency', 'chartmogul', null, null, null, null, '2024-03-01', '2024-03-31')
    $$,
    'compare_profiles reads March by each profile''s rules'
);
select results_eq(
    $$
    select d.metric, d.profile, d.customer_id, d.numerator, d.simple_numerator, d.denominator, d.simple_denominator, d.events
    from kpi.profile_differences('2024-03-01', '2024-03-31') d
    $$,
    $$
    values
    ('customers_new', 'profitwell', 'hal', 0.0, 1.0, null::numeric, null::numeric, 'new 2024-03-05, churn 2024-03-20'),
    ('customers_churned', 'stripe', 'hal', 1, 0, null, null, 'new 2024-03-05, churn 2024-03-20'),
    ('customers_churned', 'profitwell', 'ida', 1, 0, null, null, 'churn 2024-03-01, reactivation 2024-03-11'),
    ('customer_churn_rate', 'stripe', 'hal', 1, 0, 1, 0, 'new 2024-03-05, churn 2024-03-20'),
    ('customer_churn_rate', 'stripe', 'dan', 0, 0, 1, 0, 'reactivation 2024-03-01'),
    ('customer_churn_rate', 'stripe', 'ida', 0, 0, 0, 1, 'churn 2024-03-01, reactivation 2024-03-11'),
    ('churned_mrr', 'stripe', 'ida', 0, 10, null, null, 'churn 2024-03-01, reactivation 2024-03-11'),
    ('churned_mrr', 'profitwell', 'hal', 0, 60.88, null, null, 'new 2024-03-05, churn 2024-03-20'),
    ('net_mrr_churn_rate', 'chartmogul', 'ann', -0.04, 0, 100, 100, 'rounding 2024-03-01')
    $$,
    'profile_differences names the customers who make the difference'
);
-- hal is new in the range and leaves after it, in the same month: already ignored. Whoever leaves
-- in another month is not.
select results_eq(
    $$
    select c.profile, c.value
    from kpi.compare_profiles('2024-03-01', '2024-03-10') c
    where c.metric = 'customers_new'
    union all
    select c.profile, c.value
    from kpi.compare_profiles('2024-03-15', '2024-04-05') c
    where c.metric = 'customers_churned'
    $$,
    $$
    values
    ('simple', 1.0), ('stripe', 2), ('chartmogul', 1), ('profitwell', 0),  -- from 02-10 on, eve is new too
    ('simple', 2), ('stripe', 2), ('chartmogul', 2), ('profitwell', 1)  -- hal and ben; hal is ignored
    $$,
    'new and churned in one calendar month is looked at in whole months'
);
-- April has 30 days, and nobody comes in it: 3 of 7 leave, with 90 + 28 + 10 of 378.04.
select results_eq(
    $$
    select distinct c.metric, round(c.value, 6)
    from kpi.compare_profiles('2024-04-01', '2024-04-30') c
    where c.metric in ('customers_churned', 'customer_churn_rate', 'churned_mrr') and c.value is not null
    order by c.metric
    $$,
    $$ values ('churned_mrr', 128.000000), ('customer_churn_rate', 0.428571), ('customers_churned', 3.000000) $$,
    'where nobody comes in 30 days, all profiles agree'
);
select is_empty(
    $$ select d.customer_id from kpi.profile_differences('2024-04-01', '2024-04-30') d where d.metric <> 'ltv' $$,
    'and no customer makes a difference'
);
select results_eq(
    $$ select distinct a.place, c.first_on, c.last_on from (
        values (1, null::date, null::date), (2, null, '2024-03-15'), (3, '2024-04-15', null), (4, '2000-01-01', '2100-01-01')
    ) a (place, first_on, last_on) cross join lateral kpi.compare_profiles(a.first_on, a.last_on) c where c.profile = 'simple' order by a.place $$,
    $$
    values
    (1, date '2024-04-01', date '2024-04-30'), (2, '2024-03-01', '2024-03-15'), (3, '2024-04-15', '2024-04-30'),
    (4, '2024-01-01', '2024-04-30')
    $$,
    'without a first day the range begins with the month of its last day; it is clipped to coverage'
);
select is_empty(
    $$
    select c.metric from kpi.compare_profiles('2024-05-01', '2024-06-30') c
    union all
    select c.metric from kpi.compare_profiles('2023-01-01', '2023-12-31') c
    union all
    select d.metric from kpi.profile_differences('2024-05-01', '2024-06-30') d
    $$,
    'outside coverage there is nothing to compare'
);
-- A single day, the first: nothing to keep, and no 30 days.
select results_eq(
    $$
    select c.metric, c.profile, c.value, c.note
    from kpi.compare_profiles('2024-01-01', '2024-01-01') c
    where c.definition is not null and c.metric in ('customers_new', 'customer_churn_rate', 'net_mrr_churn_rate', 'ltv')
    $$,
    $$
    values
    ('customers_new', 'simple', 5.0, null), ('customers_new', 'stripe', null, 'not all of the 30 days are covered'),
    ('customers_new', 'chartmogul', 5, null), ('customers_new', 'profitwell', 5, null),
    ('customer_churn_rate', 'simple', null, 'nothing to divide by: there are no customers'),
    ('customer_churn_rate', 'stripe', null, 'not all of the 30 days are covered'),
    ('customer_churn_rate', 'chartmogul', null, 'nothing to divide by: there are no customers'),
    ('net_mrr_churn_rate', 'simple', null, 'nothing to divide by: there are no customers'),
    ('net_mrr_churn_rate', 'chartmogul', null, 'nothing to divide by: there are no customers'),
    ('ltv', 'simple', null, 'there is no whole month that opens with customers and in which churn is observable'),
    ('ltv', 'chartmogul', null, 'there are no six whole months with customers before the last month of the range')
    $$,
    'where a profile cannot say, it says why'
);
select throws_ok(
    $$ select * from kpi.compare_profiles('2024-03-31', '2024-03-01') $$,
    'MR006',
    'the range of days is upside down',
    'compare_profiles refuses a range that is upside down'
);
select throws_ok(
    $$ select * from kpi.profile_differences('2024-03-31', '2024-03-01') $$,
    'MR006',
    'the range of days is upside down',
    'profile_differences refuses a range that is upside down'
);

-- Identities ---------------------------------------------------------------------------------------
-- With a rate that leaves fractions without end, every figure must still add up exactly.

update meta.exchange_rate set per_euro = 1.0411;
call pipeline.update_currencies();

-- Ranges that begin and end on one of 5 days, four weeks apart: 5 x 6 / 2 = 15 of them.
create temp table span as
select f.day::date as first_on, l.day::date as last_on
from generate_series(date '2024-01-01', '2024-04-29', '28 days') f (day)
join generate_series(date '2024-01-01', '2024-04-29', '28 days') l (day) on l.day >= f.day;

select results_eq(
    $$
    select
        count(*),
        count(*) filter (
            where (r.customers_lost, r.customer_churn_rate, r.gross_mrr_churn_rate, r.net_mrr_churn_rate, r.arpa, r.ltv)
                is not distinct from (c.churned, c.rate, c.gross, c.net, c.arpa, c.ltv)
        ),
        count(c.rate)
    from span g
    cross join lateral kpi.retention(g.first_on, g.last_on) r
    cross join lateral (
        select
            max(c.value) filter (where c.metric = 'customers_churned') as churned,
            max(c.value) filter (where c.metric = 'customer_churn_rate') as rate,
            max(c.value) filter (where c.metric = 'gross_mrr_churn_rate') as gross,
            max(c.value) filter (where c.metric = 'net_mrr_churn_rate') as net,
            max(c.value) filter (where c.metric = 'arpa') as arpa,
            max(c.value) filter (where c.metric = 'ltv') as ltv
        from kpi.compare_profiles(g.first_on, g.last_on) c
        where c.profile = 'simple'
    ) c
    $$,
    $$ values (15::bigint, 15::bigint, 10::bigint) $$,
    'in any range, simple is kpi.retention'
);
-- LTV apart, chartmogul has 7 metrics, stripe 4, profitwell 3: 14 in 9 ranges, and 10 in the one whose
-- 30 days are not covered. Ranges that open with nobody have no rates to compare: 7 where 30 days are not
-- covered, twice, else 10, three times. 126 + 10 + 14 + 30 = 180.
select results_eq(
    $$
    select
        count(*),
        count(*) = count(*) filter (
            where o.numerator - s.numerator = coalesce(d.numerator, 0)
                and coalesce(o.denominator - s.denominator, 0) = coalesce(d.denominator, 0)
        ),
        count(d.numerator) > 50
    from span g
    cross join lateral kpi.compare_profiles(g.first_on, g.last_on) o
    join lateral kpi.compare_profiles(g.first_on, g.last_on) s
        on s.metric = o.metric
        and s.profile = 'simple'
    left join lateral (
        select
            d.metric,
            d.profile,
            sum(d.numerator - d.simple_numerator) as numerator,
            sum(d.denominator - d.simple_denominator) as denominator
        from kpi.profile_differences(g.first_on, g.last_on) d
        group by d.metric, d.profile
    ) d
        on d.metric = o.metric
        and d.profile = o.profile
    where o.profile <> 'simple'
        and o.metric <> 'ltv'
        and o.differs is not null
    $$,
    $$ values (180::bigint, true, true) $$,
    'in any range, what the customers differ by adds up to what the profiles differ by'
);

-- LTV ----------------------------------------------------------------------------------------------
--
-- Without dan and ida nobody leaves in February, a whole month that opens with customers.
savepoint with_losses;
delete from raw.invoice where customer_id in ('dan', 'ida');
call pipeline.refresh('{dan,ida}');
select results_eq(
    $$ select c.value, c.note from kpi.compare_profiles('2024-02-01', '2024-02-29') c where c.metric = 'ltv' and c.profile = 'simple' $$,
    $$ values (null::numeric, 'no churn in a whole month in which it is observable') $$,
    'that nobody left is said only where it could be seen'
);
rollback to with_losses;
--
-- In October only eve is left. ChartMogul takes April to September: 3 of 7, 3 of 4 (ann, cat and
-- dan on 05-01), then none: (3/7 + 3/4) / 6. Simple takes May to October: 3/4 / 6. In July, six
-- months before would begin with January, which opens with nobody.
update meta.batch set covered_through = '2024-10-31';
call pipeline.rebuild();
select results_eq(
    $$
    select a.last_on, c.profile, round(c.value, 6), c.differs
    from (values (date '2024-07-31'), ('2024-10-31')) a (last_on)
    cross join lateral kpi.compare_profiles(null, a.last_on) c
    where c.metric = 'ltv' and c.definition is not null
    order by a.last_on, c.profile desc
    $$,
    $$
    values
    (date '2024-07-31', 'simple', 446.017699, false),  -- 100 / ((1/6 + 0 + 3/7 + 3/4 + 0 + 0) / 6)
    ('2024-07-31', 'chartmogul', null, null),
    ('2024-10-31', 'simple', 800.000000, false),
    ('2024-10-31', 'chartmogul', 509.090909, true)
    $$,
    'ChartMogul''s LTV looks at the six months before the current one'
);

-- In an export that begins in the middle, oda becomes visible on 03-05. Stripe's 30 days begin on 03-01,
-- the day on which kim leaves: 1 / (kim, leo and max, and oda).
delete from raw.invoice;
delete from raw.customer;
call pipeline.refresh(null);
delete from meta.batch;
\ir companies/truncated.sql
select results_eq(
    $$
    select c.profile, c.value, c.numerator, c.denominator
    from kpi.compare_profiles('2025-03-01') c
    where c.metric = 'customer_churn_rate' and c.profile in ('simple', 'stripe')
    $$,
    $$ values ('simple', 1 / 3.0, 1::numeric, 3::numeric), ('stripe', 0.25, 1, 4) $$,
    'Stripe''s rate counts who becomes visible as there before'
);
-- max pays 0.03 less from 03-10 on: of the opening 180, 50 are lost with kim, and 0.03 to rounding.
update raw.invoice set total = 2997 where invoice_id = 'in_max2';
call pipeline.refresh('{max}');
select results_eq(
    $$
    select c.metric, c.profile, c.numerator, c.denominator
    from kpi.compare_profiles('2025-03-01') c
    where c.metric in ('gross_mrr_churn_rate', 'net_mrr_churn_rate') and c.definition is not null
    $$,
    $$
    values
    ('gross_mrr_churn_rate', 'simple', 50.00, 180.00), ('gross_mrr_churn_rate', 'chartmogul', 50.03, 180.00),
    ('net_mrr_churn_rate', 'simple', 50.00, 180.00), ('net_mrr_churn_rate', 'chartmogul', 50.03, 180.00)
    $$,
    'ChartMogul takes any decrease for a loss'
);

select * from finish();
rollback;
