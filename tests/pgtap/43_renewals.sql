-- Whose paid period ends when.
begin;
select plan(13);

\ir companies/complete.sql

-- hal's first MRR is stated for a time of no known term; from 03-01 on he pays for two months.
savepoint before_unknown_term;
insert into raw.invoice (
    customer_id, invoice_id, batch_id, subscription_id, currency, status, issued_at, line_period_start, line_period_end,
    total, monthly
)
values
(
    'hal', 'in_hal_listed', 1, 'sub_hal', 'EUR', 'paid', '2024-01-01 00:00 UTC', '2024-01-01 00:00 UTC',
    '2024-03-01 00:00 UTC', 0, 7000
),
(
    'hal', 'in_hal_term', 1, 'sub_hal', 'EUR', 'paid', '2024-03-01 00:00 UTC', '2024-03-01 00:00 UTC',
    '2024-05-01 00:00 UTC', 14000, null
);
call pipeline.refresh('{hal}');
select results_eq(
    $$
    select m.month, m.new, m.churn, m.moved, m.closing, m.customers
    from kpi.mrr_monthly_by('term') m
    where m.segment is null
    $$,
    $$
    values
    (date '2024-01-01', 70.00, 0.00, 0.00, 70.00, 1::bigint), ('2024-02-01', 0, 0, 0, 70, 1),
    ('2024-03-01', 0, 0, -70, 0, 0)
    $$,
    'MRR whose term is not known yet is in no term''s segment'
);
rollback to before_unknown_term;

-- Known until 04-30. In force then: ann 100.04, unpaid, cat 20 (25 USD) and dan 30, all until
-- 05-01, and eve's year, 100 a month, until 2025-02-15.
select results_eq(
    $$
    select
        r.ends_on, r.customer_id, r.name, r.subscription_id, r.term, r.mrr, r.currency, r.mrr_in_currency, r.unpaid,
        r.is_renewed
    from kpi.renewals() r
    $$,
    $$
    values
    (date '2024-05-01', 'ann', 'Ann & Co', 'sub_ann_EUR', 'month', 100.04, 'EUR', 100.04, 100.04, false),
    ('2024-05-01', 'dan', 'dan', 'sub_dan_EUR', 'other', 30, 'EUR', 30, 0, false),
    ('2024-05-01', 'cat', 'cat', 'sub_cat_USD', 'other', 20, 'USD', 25, 0, false),
    ('2025-02-15', 'eve', 'eve', 'sub_eve_EUR', 'year', 100, 'EUR', 100, 0, false)
    $$,
    'renewals lists what is in force on the last covered day by the day on which it ends'
);
-- Shares of 250.04.
select results_eq(
    $$
    select m.month, m.renewals, m.customers, m.mrr, round(m.share, 6), m.annual_mrr, m.unpaid, m.renewed_mrr
    from kpi.renewals_monthly() m
    $$,
    $$
    values
    (date '2024-05-01', 3::bigint, 3::bigint, 150.04, 0.600064, 0.00, 100.04, 0.00),
    ('2025-02-01', 1, 1, 100.00, 0.399936, 100.00, 0.00, 0.00)
    $$,
    'renewals_monthly adds them up by month'
);
select results_eq(
    $$
    select a.place, count(r.customer_id)
    from (
        values
        (1, null::date, date '2024-05-01'), (2, '2024-05-01', '2024-05-01'), (3, '2024-05-02', null), (4, '2024-05-02', '2025-02-14'),
        (5, '2024-01-01', '2024-04-30'), (6, '-infinity', 'infinity')
    ) a (place, first_on, last_on)
    left join lateral kpi.renewals(a.first_on, a.last_on) r on true
    group by a.place
    order by a.place
    $$,
    $$ values (1, 3::bigint), (2, 3), (3, 1), (4, 0), (5, 0), (6, 4) $$,
    'renewals takes a range; a day that was covered is no renewal ahead'
);
-- Service to 04-30 is in force until 04-29.
savepoint before_end;
insert into raw.invoice (
    customer_id, invoice_id, batch_id, subscription_id, currency, status, issued_at, line_period_start, line_period_end, total
)
values (
    'gus', 'in_gus_1', 1, 'sub_gus', 'EUR', 'paid', '2024-03-30 00:00 UTC', '2024-03-30 00:00 UTC',
    '2024-04-30 00:00 UTC', 700
);
call pipeline.refresh('{gus}');
select results_eq(
    $$
    select kpi.mrr_at('gus', '2024-04-29'), kpi.mrr_at('gus', '2024-04-30'), (select count(*) from kpi.renewals() r)
    $$,
    $$ values (7.00, 0.00, 4::bigint) $$,
    'what ended with the last covered day is no renewal ahead'
);
rollback to before_end;
select throws_ok(
    $$ select * from kpi.renewals('2024-06-01', '2024-05-01') $$,
    'MR006',
    'the range of days is upside down',
    'renewals refuses a range that is upside down'
);
select throws_ok(
    $$ select * from kpi.renewals_monthly('2024-06-01', '2024-05-01') $$,
    'MR006',
    'the range of days is upside down',
    'renewals_monthly refuses a range that is upside down'
);

-- The next invoices of dan, cat and ann came on 05-01, which is not covered; cat's was void
-- (she has another subscription from then on), and ann's is of a free plan.
insert into raw.invoice (
    customer_id, invoice_id, batch_id, subscription_id, currency, status, issued_at, period_start, period_end,
    line_period_start, line_period_end, total
)
values
(
    'dan', 'in_dan_3', 1, 'sub_dan_EUR', 'EUR', 'paid', '2024-05-01 00:00 UTC', '2024-05-01 00:00 UTC',
    '2024-05-01 00:00 UTC', '2024-05-01 00:00 UTC', '2024-07-01 00:00 UTC', 6000
),
(
    'cat', 'in_cat_4', 1, 'sub_cat_USD', 'USD', 'void', '2024-05-01 00:00 UTC', '2024-05-01 00:00 UTC',
    '2024-05-01 00:00 UTC', '2024-05-01 00:00 UTC', '2024-07-01 00:00 UTC', 5000
),
(
    'ann', 'in_ann_free', 1, 'sub_ann_EUR', 'EUR', 'paid', '2024-05-01 00:00 UTC', '2024-05-01 00:00 UTC',
    '2024-05-01 00:00 UTC', '2024-05-01 00:00 UTC', '2024-06-01 00:00 UTC', 0
),
(
    'cat', 'in_cat_other', 1, 'sub_cat_other', 'USD', 'paid', '2024-05-01 00:00 UTC', '2024-05-01 00:00 UTC',
    '2024-05-01 00:00 UTC', '2024-05-01 00:00 UTC', '2024-06-01 00:00 UTC', 4000
);
call pipeline.refresh('{ann,cat,dan}');
select results_eq(
    $$ select r.customer_id, r.mrr, r.is_renewed from kpi.renewals(null, '2024-05-01') r $$,
    $$ values ('ann', 100.04, false), ('dan', 30.00, true), ('cat', 20.00, false) $$,
    'what is billed on already is renewed'
);
select results_eq(
    $$ select m.month, m.mrr, m.renewed_mrr from kpi.renewals_monthly(null, '2024-05-31') m $$,
    $$ values (date '2024-05-01', 150.04, 30.00) $$,
    'renewals_monthly tells how much is renewed already'
);

-- A credit of 30 for ann, from the middle of April to its end, is worth 60 a month.
insert into raw.invoice (
    customer_id, invoice_id, batch_id, subscription_id, currency, status, issued_at, period_start, period_end,
    line_period_start, line_period_end, total
)
values
(
    'ann', 'in_ann_5', 1, 'sub_ann_EUR', 'EUR', 'paid', '2024-04-16 00:00 UTC', '2024-04-01 00:00 UTC',
    '2024-04-16 00:00 UTC', '2024-04-16 00:00 UTC', '2024-05-01 00:00 UTC', -3000
);
call pipeline.refresh('{ann}');
select results_eq(
    $$ select r.customer_id, r.mrr, r.unpaid from kpi.renewals(null, '2024-05-01') r where r.customer_id = 'ann' $$,
    $$ values ('ann', 40.04, 40.04) $$,
    'a credit that ends with the service it reduces is one row with it'
);

-- Identities, with a rate that leaves fractions without end.
update meta.exchange_rate set per_euro = 1.0411;
call pipeline.update_currencies();
select results_eq(
    $$
    select
        (select count(*) from kpi.renewals() r),
        (select sum(r.mrr) from kpi.renewals() r) = kpi.mrr_total_at('2024-04-30'),
        (select sum(m.mrr) from kpi.renewals_monthly() m) = kpi.mrr_total_at('2024-04-30'),
        (select round(sum(m.share), 12) from kpi.renewals_monthly() m)
    $$,
    $$ values (4::bigint, true, true, 1.000000000000) $$,
    'all renewals add up to the MRR of the last covered day'
);

insert into raw.invoice (
    customer_id, invoice_id, batch_id, of_invoice_id, subscription_id, currency, status, issued_at, line_period_start,
    line_period_end, total, monthly
)
values (
    'gus', 'in_gus_1', 1, 'in_gus_1', 'sub_gus', 'EUR', 'paid', '2024-04-01 00:00 UTC', '2024-04-01 00:00 UTC', 'infinity', 500, 500
);
call pipeline.refresh('{gus}');

select results_eq(
    $$ select t.customer_id, t.months, t.term, t.mrr from kpi.charge_term t where t.customer_id in ('cat', 'eve', 'gus') and t.starts_on < '2024-05-01' order by t.starts_on, t.customer_id $$,
    $$
    values
    ('cat' collate "C", 1, 'month', 50.00), ('cat', 1, 'month', 50.00), ('eve', 12, 'year', 100.00), ('cat', 2, 'other', 25.00),
    ('gus', null, null, 5.00)
    $$,
    'charge_term tells how long is paid for; where the source states only what a month costs, that is unknown'
);

-- A cycle that the export hides and the renewal proves has the length that it had.
delete from raw.invoice;
delete from raw.customer;
call pipeline.refresh(null);
delete from meta.batch;
\ir companies/truncated.sql
select results_eq(
    $$ select t.customer_id, t.starts_on, t.months, t.term from kpi.charge_term t where t.starts_on < '2025-01-01' order by t.starts_on $$,
    $$ values ('leo' collate "C", date '2024-01-15', 12, 'year'), ('kim', '2024-12-01', 1, 'month') $$,
    'an implied cycle has its own term'
);

select * from finish();
rollback;
