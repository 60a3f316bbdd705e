-- Unusual days, profiles, unpaid money and usage of a database without data, of a company without
-- revenue, and of one customer.
begin;
select plan(13);

create temp view rows_of_all as
select
    (select count(*) from kpi.period_changes('day')) as periods,
    (select count(*) from kpi.significant_days()) + (select count(*) from kpi.significant_periods('week'))
    + (select count(*) from kpi.significant_day_drivers()) as significant,
    (select count(*) from kpi.compare_profiles()) as compared,
    (select count(*) from kpi.profile_differences()) as differences,
    (select count(*) from kpi.billing_health_monthly) as billed,
    (select count(*) from kpi.never_paid) + (select count(*) from kpi.stale_drafts)
    + (select count(*) from kpi.possible_replacements) as listed,
    (select count(*) from kpi.usage_at_risk()) + (select count(*) from kpi.usage_changes())
    + (select count(*) from kpi.engagement_distribution) as usage,
    (select count(*) from kpi.usage_and_churn()) as relations;

-- Without data -----------------------------------------------------------------------------------

select results_eq(
    $$ select * from rows_of_all $$,
    $$ values (0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 1::bigint) $$,
    'without data there is nothing but the statement that there are no sessions'
);
select results_eq(
    $$ select count(*), count(distinct p.profile) from kpi.profiles p $$,
    $$ values (32::bigint, 4::bigint) $$,
    'definitions are there without data'
);
select throws_ok(
    format('select * from kpi.%I(''2024-02-01'', ''2024-01-01'')', f.name),
    'MR006',
    'the range of days is upside down',
    f.name || ' refuses a range that is upside down without data too'
)
from unnest(array['significant_days', 'compare_profiles', 'profile_differences', 'usage_changes', 'usage_and_churn']) f (name);
select throws_ok(
    $$ select * from kpi.significant_periods('month', '2024-02-01', '2024-01-01') $$,
    'MR006',
    'the range of days is upside down',
    'significant_periods too'
);

-- Three days, one customer, no invoice -------------------------------------------------------------

insert into meta.batch (batch_id, kind, source, is_truncated, covered_from, covered_through)
values (1, 'import', 'stripe', false, '2024-01-01', '2024-01-03');
insert into raw.customer (customer_id, batch_id, is_listed) values ('a', 1, true);
call pipeline.refresh(null);

select results_eq(
    $$ select * from rows_of_all $$,
    $$ values (3::bigint, 0::bigint, 32::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 1::bigint) $$,
    'a company without revenue has days and profiles to compare'
);
select results_eq(
    $$
    select c.metric, c.profile, c.value
    from kpi.compare_profiles() c
    where c.value is not null
    $$,
    $$
    values
    ('customers_new', 'simple', 0.0), ('customers_new', 'chartmogul', 0), ('customers_new', 'profitwell', 0),
    ('customers_churned', 'simple', 0), ('customers_churned', 'chartmogul', 0), ('customers_churned', 'profitwell', 0),
    ('churned_mrr', 'simple', 0), ('churned_mrr', 'chartmogul', 0), ('churned_mrr', 'profitwell', 0)
    $$,
    'its counts are 0, and its rates are unknown'
);

-- One customer, who pays 10 from the second day on -------------------------------------------------

insert into raw.invoice (
    customer_id, invoice_id, batch_id, subscription_id, currency, status, issued_at,
    period_start, period_end, line_period_start, line_period_end, total
)
values (
    'a', 'in_a', 1, 'sub_a', 'EUR', 'open', '2024-01-02 00:00 UTC', '2024-01-02 00:00 UTC', '2024-01-02 00:00 UTC',
    '2024-01-02 00:00 UTC', '2024-02-02 00:00 UTC', 1000
);
insert into usage.session (customer_id, session_number, created_at, batch_id) values ('a', 1, '2024-01-03 12:00 UTC', 1);
call pipeline.refresh(null);

-- 0, 10 and 0: 1.2533 x 10 / 3 is the spread; the score is 3 / 1.2533.
select results_eq(
    $$ select d.day, d.change, round(d.score, 6), d.drivers -> 0 ->> 'customer_id' from kpi.significant_days(p_threshold => 2) d $$,
    $$ values (date '2024-01-02', 10.00, 2.393681, 'a') $$,
    'of three days, the one on which something happens can stand out'
);
select results_eq(
    $$
    select n.customer_id, n.mrr, n.share, n.open, h.paid_share, h.open_share, e.median, u.statement
    from kpi.never_paid n
    cross join kpi.billing_health_monthly h
    cross join kpi.engagement_distribution e
    cross join kpi.usage_and_churn() u
    $$,
    $$
    values (
        'a' collate "C", 10.00, 1.0, 10.00, 0.0, 1.0, 1::bigint,
        'Nothing can be compared: that needs a whole month with observable churn after two whole months with sessions.'
    )
    $$,
    'one customer is all of the MRR, all of what is open, and no relation'
);
select results_eq(
    $$ select c.profile, c.value, c.numerator, c.denominator from kpi.compare_profiles('2024-01-03', '2024-01-03') c where c.metric = 'customer_churn_rate' $$,
    $$ values ('simple', 0.0, 0.0, 1.0), ('stripe', null, null, null), ('chartmogul', 0, 0, 1), ('profitwell', null, null, null) $$,
    'and a single day keeps it'
);

select * from finish();
rollback;
