-- Cohorts, by first MRR and by signup, of a whole life and of a part of one.
begin;
select plan(16);

\ir companies/complete.sql

-- By the month of the first MRR: ann, ben, cat, dan and fay in January, eve in February.
--
--     January's   250 from 5; 250 from ann 100, ben 90, cat 40, fay 20;
--                 268.04 from ann 100.04, ben 90, cat 20, dan 30, fay 28; 150.04 from ann, cat, dan
select results_eq(
    $$
    select
        c.cohort_name, c.cohort, c.month_number, c.month, c.last_on, c.cohort_customers, c.customers, c.mrr,
        round(c.customer_share, 6), round(c.mrr_share, 6), c.note
    from kpi.cohort_retention() c
    $$,
    $$
    values
    (
        '2024-01', date '2024-01-01', 0, date '2024-01-01', date '2024-01-31', 5::bigint, 5::bigint, 250.00,
        1.000000, 1.000000, null
    ),
    ('2024-01', '2024-01-01', 1, '2024-02-01', '2024-02-29', 5, 4, 250.00, 0.800000, 1.000000, null),
    ('2024-01', '2024-01-01', 2, '2024-03-01', '2024-03-31', 5, 5, 268.04, 1.000000, 1.072160, null),
    ('2024-01', '2024-01-01', 3, '2024-04-01', '2024-04-30', 5, 3, 150.04, 0.600000, 0.600160, null),
    ('2024-02', '2024-02-01', 0, '2024-02-01', '2024-02-29', 1, 1, 100.00, 1.000000, 1.000000, null),
    ('2024-02', '2024-02-01', 1, '2024-03-01', '2024-03-31', 1, 1, 100.00, 1.000000, 1.000000, null),
    ('2024-02', '2024-02-01', 2, '2024-04-01', '2024-04-30', 1, 1, 100.00, 1.000000, 1.000000, null)
    $$,
    'cohorts by first MRR are followed over the months that they have lived'
);
-- By signup: ann, ben, cat, dan and gus, who never paid, in January, eve in February; fay's is
-- not known. dan left in February and came back in March; fay grew from 20 to 28, and left.
select results_eq(
    $$
    select
        c.cohort_name, c.cohort, c.month_number, c.cohort_customers, c.customers, c.mrr, round(c.customer_share, 6),
        round(c.mrr_share, 6)
    from kpi.cohort_retention('signup') c
    $$,
    $$
    values
    ('2024-01', date '2024-01-01', 0, 5::bigint, 4::bigint, 230.00, 1.000000, 1.000000),
    ('2024-01', '2024-01-01', 1, 5, 3, 230.00, 0.750000, 1.000000),
    ('2024-01', '2024-01-01', 2, 5, 4, 240.04, 1.000000, 1.043652),
    ('2024-01', '2024-01-01', 3, 5, 3, 150.04, 0.750000, 0.652348),
    ('2024-02', '2024-02-01', 0, 1, 1, 100.00, 1.000000, 1.000000),
    ('2024-02', '2024-02-01', 1, 1, 1, 100.00, 1.000000, 1.000000),
    ('2024-02', '2024-02-01', 2, 1, 1, 100.00, 1.000000, 1.000000),
    ('unknown', null, 0, 1, 1, 20.00, 1.000000, 1.000000),
    ('unknown', null, 1, 1, 1, 20.00, 1.000000, 1.000000),
    ('unknown', null, 2, 1, 1, 28.00, 1.000000, 1.400000),
    ('unknown', null, 3, 1, 0, 0.00, 0.000000, 0.000000)
    $$,
    'cohorts by signup hold those who never paid, and those of unknown age apart'
);
select results_eq(
    $$ select c.month, c.mrr from kpi.cohort_retention('first_mrr') c order by c.cohort, c.month limit 1 $$,
    $$ values (date '2024-01-01', 250.00) $$,
    'first_mrr is what cohorts are made by unless told otherwise'
);
select throws_ok(
    $$ select * from kpi.cohort_retention('first_invoice') $$,
    'MR004',
    'unknown basis of cohorts: first_invoice',
    'an unknown basis is refused'
);
select throws_ok(
    $$ select * from kpi.cohort_retention(null) $$,
    'MR004',
    'unknown basis of cohorts: NULL',
    'no basis is no basis'
);

-- A cohort with nobody to keep: gus signs up in March instead, and never pays.
update raw.customer set created_at = '2024-03-05 00:00 UTC' where customer_id = 'gus';
select results_eq(
    $$
    select c.month_number, c.cohort_customers, c.customers, c.mrr, c.customer_share, c.mrr_share, c.note
    from kpi.cohort_retention('signup') c
    where c.cohort_name = '2024-03'
    $$,
    $$
    values
    (0, 1::bigint, 0::bigint, 0.00, null::numeric, null::numeric, 'nothing to keep: no MRR in the first month observed'),
    (1, 1, 0, 0.00, null, null, 'nothing to keep: no MRR in the first month observed')
    $$,
    'a cohort that does not pay has no share'
);
-- cat was created in March, too: her MRR before is that of no cohort.
update raw.customer set created_at = '2024-03-05 00:00 UTC' where customer_id = 'cat';
select results_eq(
    $$
    select c.month_number, c.cohort_customers, c.customers, c.mrr, c.customer_share
    from kpi.cohort_retention('signup') c
    where c.cohort_name = '2024-03'
    $$,
    $$ values (0, 2::bigint, 1::bigint, 20.00, 1.0), (1, 2, 1, 20.00, 1.0) $$,
    'who paid before its creation counts from then on'
);

-- Identities, with a rate that leaves fractions without end.
update meta.exchange_rate set per_euro = 1.0411;
call pipeline.update_currencies();
select results_eq(
    $$
    select count(*), count(*) filter (where c.mrr = m.closing and c.customers = m.customers)
    from kpi.mrr_monthly m
    join (
        select o.month, sum(o.mrr) as mrr, sum(o.customers) as customers
        from kpi.cohort_retention() o
        group by o.month
    ) c
        on c.month = m.month
    $$,
    $$ values (4::bigint, 4::bigint) $$,
    'the cohorts of a month add up to the company'
);

-- A single day: four of them began on it.
update meta.batch set last_invoice_at = '2024-01-02 12:00 UTC';
call pipeline.refresh(null);
select results_eq(
    $$
    select c.cohort_name, c.month_number, c.last_on, c.cohort_customers, c.customers, c.customer_share, c.is_whole
    from kpi.cohort_retention() c
    $$,
    $$ values ('2024-01', 0, date '2024-01-01', 4::bigint, 4::bigint, 1.0, false) $$,
    'a single day is a part of a month'
);
select results_eq(
    $$ select c.cohort_name, c.cohort_customers from kpi.cohort_retention('signup') c $$,
    $$ values ('2024-01', 3::bigint), ('unknown', 1) $$,
    'who signed up after the covered days is in no cohort yet'
);

-- A part of a life -----------------------------------------------------------------------------

delete from raw.invoice;
delete from raw.customer;
call pipeline.refresh(null);
delete from meta.batch;
\ir companies/truncated.sql

-- Known from 01-02 to 03-30, churn from 02-02 on. Before the history: kim 50, who leaves on
-- 03-01, leo 100, and oda 40, who becomes visible on 03-05. Since kim could have left in January
-- unseen, as others did, the cohort is followed from the end of February.
select results_eq(
    $$
    select
        c.cohort_name, c.month_number, c.last_on, c.cohort_customers, c.customers, c.mrr, round(c.customer_share, 6),
        round(c.mrr_share, 6), c.is_whole, c.mrr_is_complete, c.churn_is_observable, c.note
    from kpi.cohort_retention() c
    $$,
    $$
    values
    (
        'preexisting', 0, date '2025-01-31', 3::bigint, 2::bigint, 150.00, null::numeric, null::numeric, false, false, false,
        'churn was not observable yet'
    ),
    ('preexisting', 1, '2025-02-28', 3, 2, 150.00, 1.000000, 1.000000, true, false, true, null),
    (
        'preexisting', 2, '2025-03-30', 3, 2, 140.00, 0.500000, 0.666667, false, false, true,
        '1 first seen later, in no share'
    ),
    ('2025-02', 0, '2025-02-28', 1, 1, 30.00, 1.000000, 1.000000, true, false, true, null),
    ('2025-02', 1, '2025-03-30', 1, 1, 30.00, 1.000000, 1.000000, false, false, true, null)
    $$,
    'who paid before the history is one cohort, and who appears later counts in no share'
);
-- Without leo's year the longest term is a month, and MRR is complete from 02-02 on.
savepoint before_months;
delete from raw.invoice where customer_id = 'leo';
call pipeline.refresh(null);
select results_eq(
    $$ select c.month, c.mrr_is_complete from kpi.cohort_retention() c where c.cohort is null $$,
    $$ values (date '2025-01-01', false), ('2025-02-01', true), ('2025-03-01', true) $$,
    'MRR at a month''s end is complete where that day''s is'
);
rollback to before_months;
-- Where churn can be seen from 02-01 on, the end of January is known to the last customer.
savepoint before_new_year;
update meta.setting set observed_from = '2025-01-01';
call pipeline.refresh(null);
select results_eq(
    $$
    select c.month, round(c.customer_share, 6), round(c.mrr_share, 6), c.churn_is_observable
    from kpi.cohort_retention() c
    where c.cohort is null
    $$,
    $$
    values
    (date '2025-01-01', 1.000000, 1.000000, true), ('2025-02-01', 1.000000, 1.000000, true),
    ('2025-03-01', 0.500000, 0.666667, true)
    $$,
    'the cohort is followed from the end of the month after which churn can be seen'
);
rollback to before_new_year;
-- max signed up on 02-01, before he paid; all others two years before. ned pays after coverage.
update raw.customer set created_at = '2025-02-01 00:00 UTC' where customer_id = 'max';
select results_eq(
    $$
    select c.cohort_name, c.month_number, c.cohort_customers, c.customers, c.mrr, c.customers_at_base, round(c.customer_share, 6), c.churn_is_observable
    from kpi.cohort_retention('signup') c
    $$,
    $$
    values
    ('2023-01', 24, 4::bigint, 2::bigint, 150.00, 2::bigint, null::numeric, false),
    ('2023-01', 25, 4, 2, 150.00, 2, 1.000000, true),
    ('2023-01', 26, 4, 2, 140.00, 2, 0.500000, true),
    ('2025-02', 0, 1, 1, 30.00, 1, 1.000000, true),
    ('2025-02', 1, 1, 1, 30.00, 1, 1.000000, true)
    $$,
    'a cohort that signed up before the history is as old as it is, and followed from when churn can be seen'
);
-- oda had left before the history, by her two payments of which none is visible, and came back.
update raw.customer set payment_count = 2 where customer_id = 'oda';
update raw.invoice set period_start = period_end where customer_id = 'oda';
call pipeline.refresh('{oda}');
select results_eq(
    $$
    select l.kind, c.cohort_customers, c.customers, round(c.customer_share, 6)
    from kpi.ledger l
    cross join kpi.cohort_retention() c
    where l.customer_id = 'oda'
        and l.change > 0
        and c.cohort_name = 'preexisting'
        and c.month_number = 2
    $$,
    $$ values ('reactivation', 3::bigint, 2::bigint, 0.500000) $$,
    'who had left before the history and came back is one of those from before, and makes up for no loss'
);
-- Nobody leaves in a history that ends before churn can be seen.
update meta.batch set last_invoice_at = '2025-01-21 12:00 UTC';
call pipeline.refresh(null);
select results_eq(
    $$ select c.cohort_name, c.customers, c.customer_share, c.note from kpi.cohort_retention() c $$,
    $$ values ('preexisting', 2::bigint, null::numeric, 'churn was not observable yet') $$,
    'where churn cannot be seen there is no share'
);

select * from finish();
rollback;
