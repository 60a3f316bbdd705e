-- What the data can say and what it cannot: an export that starts in the middle of a
-- company's life.
begin;
select plan(31);

\ir companies/truncated.sql

-- leo's renewal is open, and so is the year before that it proves: unpaid from the first day on.
savepoint before_open;
update raw.invoice set status = 'open' where invoice_id = 'in_leo1';
call pipeline.refresh('{leo}');
select results_eq(
    $$ select d.day, d.closing, d.unpaid from kpi.mrr_daily d where d.day in ('2025-01-02', '2025-01-15', '2025-03-30') $$,
    $$ values (date '2025-01-02', 150.00, 100.00), ('2025-01-15', 150.00, 100.00), ('2025-03-30', 170.00, 100.00) $$,
    'what was unpaid before coverage opens it'
);
rollback to before_open;

-- An older export, of 2024-11-15 18:00 to 2024-12-20, moves the beginning of the history. It
-- brings nothing of kim and leo, and yet takes from kim the cycle of December that her renewal
-- proved: it would be in that export.
savepoint before_older;
insert into meta.batch (batch_id, kind, source, is_truncated, first_invoice_at, last_invoice_at)
values (2, 'import', 'stripe', true, '2024-11-15 18:00 UTC', '2024-12-20 12:00 UTC');
insert into raw.customer (customer_id, batch_id, is_listed) values ('pat', 2, true);
insert into raw.invoice (
    customer_id, invoice_id, batch_id, subscription_id, currency, status, issued_at, line_period_start, line_period_end, total
)
values (
    'pat', 'in_pat1', 2, 'sub_pat', 'EUR', 'paid', '2024-11-15 18:00 UTC', '2024-11-15 18:00 UTC',
    '2024-12-15 18:00 UTC', 1000
);
call pipeline.refresh('{pat}');
select results_eq(
    $$ select c.observed_from, c.complete_through from kpi.coverage c $$,
    $$ values (date '2024-11-16', date '2025-03-30') $$,
    'two exports are known from the beginning of the one to the end of the other'
);
select results_eq(
    $$ select c.customer_id, c.starts_on from kpi.charge c where c.basis = 'implied' order by c.customer_id $$,
    $$ values ('leo' collate "C", date '2024-01-15') $$,
    'where the history begins earlier, customers are judged anew whom the batch does not touch'
);
rollback to before_older;
-- Of leo's year and a free plan by the month, churn shows after a year: who pays nothing can't leave.
delete from raw.invoice where customer_id <> 'leo';
insert into raw.invoice (
    customer_id, invoice_id, batch_id, subscription_id, currency, status, issued_at, line_period_start, line_period_end, total
)
values (
    'max', 'in_max_free', 1, 'sub_max', 'EUR', 'paid', '2025-02-10 00:00 UTC', '2025-02-10 00:00 UTC',
    '2025-03-10 00:00 UTC', 0
);
call pipeline.refresh(null);
select results_eq(
    $$
    select c.shortest_term_months, c.longest_term_months, c.churn_observable_from, a.churn_observable_from
    from kpi.coverage c
    cross join pipeline.coverage_as_of(1) a
    $$,
    $$ values (12, 12, date '2026-01-02', date '2026-01-02') $$,
    'a free plan does not say when churn can be seen, now or as of a batch'
);
rollback to before_older;

-- ned begins on 03-31, the day after coverage: known, but not yet one who ever paid.
select results_eq(
    $$ select c.known, c.ever_with_mrr, c.with_mrr, c.counted_on from kpi.customer_count c $$,
    $$ values (5::bigint, 4::bigint, 3::bigint, date '2025-03-30') $$,
    'customer_count leaves out what begins after coverage'
);

-- kpi.coverage -----------------------------------------------------------------------------
--
-- Covered: 30 + 28 + 30 days. Hidden: leo's 100 renewed within 88 days, so 100 x 365 / 88 in a
-- year, less the 100 that are visible.
select results_eq(
    $$
    select
        v.is_truncated, v.first_invoice_on, v.observed_from, v.complete_through, v.covered_days,
        v.shortest_term_months, v.longest_term_months, v.mrr_complete_from, v.churn_observable_from,
        round(v.hidden_annual_mrr, 6)
    from kpi.coverage v
    $$,
    $$
    values (
        true, date '2025-01-01', date '2025-01-02', date '2025-03-30', 88, 1, 12, date '2026-01-02',
        date '2025-02-02', 314.772727
    )
    $$,
    'coverage leaves out the partial first and last day of an export, and tells what it cannot see'
);
select is(
    (select v.explanation from kpi.coverage v),
    'MRR is known from 2025-01-02 to 2025-03-30; on other days it is unknown. The export starts in the middle of the '
    || 'company''s life: before 2026-01-02 MRR is a lower bound, since customers with terms of up to 12 months may not '
    || 'have been billed yet. Churn cannot be seen before 2025-02-02, so rates that need it are empty until then. '
    || 'The price of a cycle that only its renewal proves is not known, nor is that of a change of term that credits an '
    || 'invoice from before the export.',
    'coverage says the same in words'
);
select results_eq(
    $$
    select d.day, kpi.mrr_total_at(d.day), kpi.mrr_at('kim', d.day), kpi.mrr_at('ned', d.day)
    from unnest('{2025-01-01, 2025-01-02, 2025-03-01, 2025-03-30, 2025-03-31}'::date[]) d (day)
    $$,
    $$
    values
    (date '2025-01-01', null::numeric, null::numeric, null::numeric), ('2025-01-02', 150.00, 50.00, 0.00),
    ('2025-03-01', 130.00, 0.00, 0.00), ('2025-03-30', 170.00, 0.00, 0.00), ('2025-03-31', null, null, null)
    $$,
    'MRR outside coverage is unknown, neither 0 nor the half of it'
);
select results_eq(
    $$
    select e.invoice_id, e.basis::text, e.mrr, e.starts_on, e.ends_on, e.net, e.note
    from kpi.mrr_explain('leo', '2025-01-14') e
    $$,
    $$ values ('in_leo1', 'implied', 100.00, date '2024-01-15', date '2025-01-15', null::numeric, 'proved by the renewal') $$,
    'mrr_explain shows a cycle that the export hides and the renewal proves'
);

select results_eq(
    $$
    select (select count(*) from kpi.charge c), count(*), count(distinct f.invoice_id), min(f.detail)
    from kpi.invoice_fate f
    $$,
    $$ values (9::bigint, 7::bigint, 7::bigint, 'term' collate "C") $$,
    'invoice_fate has an invoice once also where it proves the cycle before it'
);

-- The waterfall ----------------------------------------------------------------------------

select results_eq(
    $$
    select
        m.month, m.first_on, m.last_on, m.opening, m.preexisting, m.new, m.churn, m.closing, m.customers_opening,
        m.customers_preexisting, m.customers_new, m.customers_churned, m.customers
    from kpi.mrr_monthly m
    $$,
    $$
    values
    (
        date '2025-01-01', date '2025-01-02', date '2025-01-31', 150.00, 0.00, 0.00, 0.00, 150.00, 2::bigint, 0::bigint,
        0::bigint, 0::bigint, 2::bigint
    ),
    ('2025-02-01', '2025-02-01', '2025-02-28', 150.00, 0, 30.00, 0, 180.00, 2, 0, 1, 0, 3),
    ('2025-03-01', '2025-03-01', '2025-03-30', 180.00, 40.00, 0, -50.00, 170.00, 3, 1, 0, 1, 3)
    $$,
    'the first month opens with what renewals prove, and who was there before is not new'
);
-- March: (170 - 180 - 40) / 180.
select results_eq(
    $$
    select m.month, m.is_whole, m.mrr_is_complete, m.churn_is_observable, round(m.growth, 6)
    from kpi.mrr_monthly m
    $$,
    $$
    values
    (date '2025-01-01', false, false, false, null::numeric), ('2025-02-01', true, false, false, null),
    ('2025-03-01', false, false, true, -0.277778)
    $$,
    'growth does not count who was there before, and is NULL where churn cannot be seen in the whole month'
);

-- kpi.retention_trailing -----------------------------------------------------------------------

select results_eq(
    $$ select r.months, r.opening, r.nrr, r.note from kpi.retention_trailing() r $$,
    $$
    values
    (3, null::numeric, null::numeric, 'it begins on 2024-12-31, and MRR is known from 2025-01-02 on'),
    (12, null, null, 'it begins on 2024-03-31, and MRR is known from 2025-01-02 on')
    $$,
    'a window that begins before the history has no rate, and says so'
);
savepoint before_april;
update meta.batch set last_invoice_at = '2025-04-11 12:00 UTC';
call pipeline.refresh(null);
select results_eq(
    $$ select r.months, r.opening, r.customers_opening, r.nrr, r.note from kpi.retention_trailing() r where r.months = 3 $$,
    $$ values (3, 150.00, 2::bigint, null::numeric, 'it begins on 2025-01-11, and churn can be seen from 2025-02-02 on') $$,
    'a window in which churn cannot be seen has no rate, and says so'
);
rollback to before_april;

-- By day ----------------------------------------------------------------------------------

select results_eq(
    $$
    select d.churn_is_observable, min(d.day), max(d.day), count(*), bool_or(d.mrr_is_complete)
    from kpi.mrr_daily d
    group by d.churn_is_observable
    order by d.churn_is_observable
    $$,
    $$
    values
    (false, date '2025-01-02', date '2025-02-01', 31::bigint, false), (true, '2025-02-02', '2025-03-30', 57, false)
    $$,
    'every day says whether churn is observable and MRR is complete'
);
select results_eq(
    $$ select m.effective_on, m.customer_id, m.kind::text, m.change from kpi.movements() m $$,
    $$
    values
    (date '2025-02-10', 'max', 'new', 30.00), ('2025-03-01', 'kim', 'churn', -50.00),
    ('2025-03-05', 'oda', 'preexisting', 40.00)
    $$,
    'movements before and after coverage are not listed'
);

-- Rates ------------------------------------------------------------------------------------

select results_eq(
    $$
    select
        r.month, r.customers_lost, round(r.customer_churn_rate, 6), round(r.gross_mrr_churn_rate, 6), round(r.nrr, 6),
        round(r.grr, 6), r.quick_ratio, r.ltv, r.note
    from kpi.retention_monthly r
    $$,
    $$
    values
    (
        date '2025-01-01', 0::bigint, null::numeric, null::numeric, null::numeric, null::numeric, null::numeric,
        null::numeric, 'churn is not observable yet'
    ),
    ('2025-02-01', 0, null, null, null, null, null, null, 'churn is not observable yet'),
    -- 1 of 3 is lost, 50 of 180; nothing is won. Part of a month gives no LTV.
    ('2025-03-01', 1, 0.333333, 0.277778, 0.722222, 0.722222, 0, null, 'part of a month')
    $$,
    'rates that need churn are NULL until it can be seen in the whole month, and say why'
);
select results_eq(
    $$
    select a.first_on, r.churn_is_observable, r.mrr_is_complete, r.customer_churn_rate is null
    from unnest('{2025-02-01, 2025-02-02}'::date[]) a (first_on)
    cross join lateral kpi.retention(a.first_on, '2025-02-28') r
    $$,
    $$ values (date '2025-02-01', false, false, true), ('2025-02-02', true, false, false) $$,
    'retention knows its rates from the first day on which churn is observable'
);
-- kim is lost. Whether there were others before churn became observable cannot be told.
select results_eq(
    $$
    select r.first_on, r.last_on, r.opening, r.closing, r.customers_opening, r.customers_lost, r.customer_churn_rate
    from kpi.retention_by_period('{2024-06-01, 2025-06-01}') r
    $$,
    $$ values (date '2025-01-02', date '2025-03-30', 150.00, 170.00, 2::bigint, 1::bigint, null::numeric) $$,
    'a period that begins before coverage opens with what renewals prove'
);
select results_eq(
    $$
    select h.kpi, round(h.value, 6), h.unit, round(h.change, 6), h.second_kpi, round(h.second_value, 6), h.first_on, h.last_on
    from kpi.headline h
    $$,
    $$
    values
    ('MRR', 170.000000, 'EUR' collate "C", -0.277778, 'NRR', 0.722222, date '2025-02-28', date '2025-03-30'),
    ('Customer churn', 0.333333, 'share', null, 'Revenue churn', 0.277778, '2025-02-28', '2025-03-30'),
    ('Quick ratio', 0.000000, 'ratio', null, 'GRR', 0.722222, '2025-02-28', '2025-03-30')
    $$,
    'headline looks back a month, and compares only where churn was observable before it'
);

-- Settings ---------------------------------------------------------------------------------

-- A year that begins is no renewal that returns in a year.
insert into raw.invoice (
    customer_id, invoice_id, batch_id, subscription_id, currency, status, issued_at, period_start, period_end,
    line_period_start, line_period_end, total
)
values (
    'kim', 'in_year', 1, 'sub_year', 'EUR', 'paid', '2025-03-20 00:00 UTC', '2025-03-20 00:00 UTC',
    '2025-03-20 00:00 UTC', '2025-03-20 00:00 UTC', '2026-03-20 00:00 UTC', 24000
);
call pipeline.refresh('{kim}');
select results_eq(
    $$ select round(v.hidden_annual_mrr, 6), kpi.mrr_total_at('2025-03-30') from kpi.coverage v $$,
    $$ values (314.772727, 190.00) $$,
    'hidden annual MRR is estimated from renewals alone'
);
delete from raw.invoice where invoice_id = 'in_year';

-- Without the annual invoice and what it implies, all terms are of one month.
update meta.setting set counted_statuses = '{paid}';
update raw.invoice set status = 'open' where customer_id = 'leo';
call pipeline.rebuild();
select is(
    (select v.explanation from kpi.coverage v),
    'MRR is known from 2025-01-02 to 2025-03-30; on other days it is unknown. The export starts in the middle of the '
    || 'company''s life: before 2025-02-02 MRR is a lower bound, since customers with terms of up to a month may not '
    || 'have been billed yet. Churn cannot be seen before 2025-02-02, so rates that need it are empty until then. '
    || 'The price of a cycle that only its renewal proves is not known, nor is that of a change of term that credits an '
    || 'invoice from before the export.',
    'coverage speaks of the terms that count'
);
update meta.setting set counted_statuses = default;
call pipeline.rebuild();

-- In Auckland the first invoice is of 01-02 7:00 and the last one of 04-01 1:00.
update meta.setting set time_zone = 'Pacific/Auckland';
call pipeline.rebuild();
select results_eq(
    $$ select v.first_invoice_on, v.observed_from, v.complete_through from kpi.coverage v $$,
    $$ values (date '2025-01-02', date '2025-01-03', date '2025-03-31') $$,
    'coverage is in days of the reporting time zone'
);
select results_eq(
    $$ select m.effective_on, m.customer_id from kpi.movements() m where m.kind = 'churn' $$,
    $$ values (date '2025-03-02', 'kim') $$,
    'movements are on days of the reporting time zone'
);

update meta.setting set time_zone = 'UTC', observed_from = '2025-02-15';
call pipeline.rebuild();
select results_eq(
    $$
    select v.observed_from, v.covered_days, v.churn_observable_from, m.month, m.first_on, m.opening, m.preexisting, m.new
    from kpi.coverage v
    cross join kpi.mrr_monthly m
    $$,
    $$
    values
    (date '2025-02-15', 44, date '2025-03-15', date '2025-02-01', date '2025-02-15', 180.00, 0.00, 0.00),
    ('2025-02-15', 44, '2025-03-15', '2025-03-01', '2025-03-01', 180.00, 40.00, 0.00)
    $$,
    'a setting moves the first day on which MRR is known'
);
select results_eq(
    $$ select h.kpi, h.first_on, h.last_on from kpi.headline h $$,
    $$
    values
    ('MRR', date '2025-03-15', date '2025-03-30'), ('Customer churn', '2025-03-15', '2025-03-30'),
    ('Quick ratio', '2025-03-15', '2025-03-30')
    $$,
    'headline begins where churn becomes observable'
);

update meta.setting set observed_from = '2025-03-10';
call pipeline.rebuild();
select results_eq(
    $$ select h.kpi, h.value, h.change, h.second_value, h.first_on, h.last_on from kpi.headline h $$,
    $$
    values
    ('MRR', 170.00, null::numeric, null::numeric, date '2025-03-10', date '2025-03-30'),
    ('Customer churn', null, null, null, '2025-03-10', '2025-03-30'),
    ('Quick ratio', null, null, null, '2025-03-10', '2025-03-30')
    $$,
    'headline has its three rows and their window also where churn is not observable at all'
);

update meta.setting set observed_from = '2025-03-30';
call pipeline.rebuild();
select results_eq(
    $$
    select v.covered_days, d.day, d.opening, d.closing, d.customers, m.is_whole
    from kpi.coverage v
    cross join kpi.mrr_daily d
    cross join kpi.mrr_monthly m
    $$,
    $$ values (1, date '2025-03-30', 170.00, 170.00, 3::bigint, false) $$,
    'a single covered day opens and closes with the MRR of that day'
);

-- An export within one day covers no whole day.
update meta.setting set observed_from = null;
update meta.batch set last_invoice_at = first_invoice_at;
call pipeline.rebuild();
select results_eq(
    $$ select v.observed_from, v.complete_through, v.covered_days, v.hidden_annual_mrr, v.explanation from kpi.coverage v $$,
    $$
    values (
        date '2025-01-02', date '2024-12-31', 0, null::numeric, 'The invoices cover less than one whole day.'
    )
    $$,
    'an export within one day covers no whole day'
);
insert into usage.session (customer_id, session_number, created_at, batch_id) values ('leo', 1, '2025-01-01 12:00 UTC', 1);
select results_eq(
    $$
    select
        (select count(*) from kpi.mrr_daily d),
        (select count(*) from kpi.mrr_monthly m),
        (select count(*) from kpi.retention_monthly r),
        (select count(*) from kpi.engagement_monthly e),
        (select count(*) from kpi.headline h),
        (select count(*) from kpi.movements() m),
        (select count(*) from kpi.retention() r),
        (select count(*) from kpi.biggest_customers() b),
        kpi.month_boundaries()
    $$,
    $$ values (0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, null::date[]) $$,
    'where nothing is covered there is no row'
);

select is_empty(
    $$
    select c.cohort_name from kpi.cohort_retention() c
    union all
    select c.cohort_name from kpi.cohort_retention('signup') c
    union all
    select s.segment from kpi.segment('term') s
    union all
    select m.segment from kpi.mrr_monthly_by('currency') m
    union all
    select r.note from kpi.retention_trailing() r
    union all
    select r.segment from kpi.retention_by('price_band') r
    union all
    select c.customers::text from kpi.concentration() c
    union all
    select r.customer_id from kpi.renewals() r
    $$,
    'without a covered day there are no cohorts, segments, concentration and renewals'
);

select * from finish();
rollback;
