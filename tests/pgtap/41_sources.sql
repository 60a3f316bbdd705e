-- What was brought in, what could not be read, the settings, and the currencies.
begin;
select plan(14);

\ir companies/complete.sql

-- kpi.rejected_rows ------------------------------------------------------------------------

update meta.batch
set files = '[{"role": "customers", "name": "customers.csv"}, {"role": "invoices", "name": "invoices.csv"}]';

insert into raw.rejected_row (batch_id, file_role, line_number, column_name, value, reason, content)
values
(1, 'invoices', 7, 'Total', '1.234,50', 'not an amount', '{}'),
(1, 'customers', 3, null, null, 'too few fields', '{}');

select results_eq(
    $$
    select r.batch_id, r.file, r.line_number, r.column_name, r.value, r.reason
    from kpi.rejected_rows r
    order by r.file
    $$,
    $$
    values
    (1::bigint, 'customers.csv', 3::bigint, null, null, 'too few fields'),
    (1, 'invoices.csv', 7, 'Total', '1.234,50', 'not an amount')
    $$,
    'rejected_rows names file, line, column, value and reason of each row that could not be read'
);
update meta.batch set files = '[]';
select results_eq(
    $$ select count(*), count(r.file) from kpi.rejected_rows r $$,
    $$ values (2::bigint, 0::bigint) $$,
    'rejected_rows has every row, also where the name of the file is not known'
);

select results_eq(
    $$ select r.line_number from kpi.rejected_rows r where r.hint is not null order by r.line_number $$,
    $$ values (3::bigint), (7) $$,
    'rejected_rows says what to do about each'
);
update raw.rejected_row set superseded_by = 2 where line_number = 7;
select results_eq(
    $$ select r.line_number from kpi.rejected_rows r $$,
    $$ values (3::bigint) $$,
    'rejected_rows leaves out what a later import brought corrected'
);

-- kpi.settings and kpi.batches -------------------------------------------------------------

select results_eq(
    $$ select s.name, s.value from kpi.settings s order by s.name $$,
    $$
    values
    ('counted_statuses' collate "C", 'paid,open,draft' collate "C"), ('implied_cycles', 'true'), ('observed_from', null),
    ('reporting_currency', null), ('rounding_tolerance', '0.05'), ('time_zone', 'UTC')
    $$,
    'settings shows every setting with its value'
);
select is_empty(
    $$ select s.name from kpi.settings s where s.meaning is null $$,
    'settings says what each setting does'
);

call pipeline.set_setting('observed_from', '2024-01-10');
call pipeline.set_setting('counted_statuses', 'open,paid');
select results_eq(
    $$ select s.value from kpi.settings s where s.name in ('counted_statuses', 'observed_from') order by s.name $$,
    $$ values ('paid,open' collate "C"), ('2024-01-10') $$,
    'settings shows lists with commas and days year first'
);
call pipeline.set_setting('observed_from', null);
call pipeline.set_setting('counted_statuses', null);

update meta.batch
set files = '[{"role": "invoices", "name": "b.csv"}, {"role": "customers", "name": "a.csv"}]', details = '{"invoices": {"rows": 17, "new": 12, "changed": 0, "rejected": 5}}'
where batch_id = 1;
select results_eq(
    $$
    select b.batch_id, b.kind, b.source, b.created_by, b.created_at = now(), b.files, b.details, b.summary
    from kpi.batches b
    where b.batch_id <= 2
    order by b.batch_id
    $$,
    $$
    values
    (
        1::bigint, 'import', 'stripe', session_user::text collate "C", true, 'b.csv, a.csv',
        jsonb '{"invoices": {"rows": 17, "new": 12, "changed": 0, "rejected": 5}}', '17 invoices, 12 new, 5 rejected'
    ),
    (
        2, 'settings', null, session_user::text, true, null,
        '{"setting": "observed_from", "old": null, "new": "2024-01-10"}', 'observed_from: default → 2024-01-10'
    )
    $$,
    'batches tells what was brought in or changed, by whom and when'
);

-- kpi.currency, kpi.exchange_rate and kpi.conversion -----------------------------------------

select results_eq(
    $$
    select c.currency, c.reporting_currency, c.factor, c.per_euro, c.rate_on, c.source
    from kpi.currency c
    order by c.currency
    $$,
    $$
    values
    ('EUR' collate "C", 'EUR' collate "C", 1.0, null::numeric, null::date, null),
    ('USD', 'EUR', 0.8, 1.25, '2024-04-30', 'user')
    $$,
    'currency shows the currencies billed in, with rates and factors; EUR is the reporting currency where there are several'
);

call pipeline.set_rate('GBP', 0.8, '2024-04-29', 'ECB');
select results_eq(
    $$ select e.currency, e.per_euro, e.rate_on, e.source from kpi.exchange_rate e order by e.currency $$,
    $$
    values
    ('EUR' collate "C", 1.0, null::date, null), ('GBP', 0.8, '2024-04-29', 'ECB'), ('USD', 1.25, '2024-04-30', 'user')
    $$,
    'exchange_rate shows every rate that is known, in units for one euro'
);
select results_eq(
    $$
    select
        kpi.conversion('USD', 'EUR'), kpi.conversion('eur', 'usd'), kpi.conversion('GBP', 'USD'), kpi.conversion('JPY', 'jpy'),
        kpi.conversion(null, 'EUR'), kpi.conversion('EUR', null)
    $$,
    -- 1 / 1.25, 1.25, 1.25 / 0.8
    $$ values (0.8, 1.25, 1.5625, 1.0, null::numeric, null::numeric) $$,
    'conversion goes from any currency to any other, to itself without a rate, and is NULL for NULL'
);

call pipeline.set_setting('reporting_currency', 'USD');
-- 250.04 x 1.25; cat pays 25 USD.
select results_eq(
    $$
    select
        (select array_agg(c.factor order by c.currency) = '{1.25,1}' from kpi.currency c),
        kpi.mrr_total_at('2024-04-30'),
        kpi.mrr_total_at('2024-04-30', 'EUR'),
        kpi.mrr_at('cat', '2024-04-30'),
        (select h.unit from kpi.headline h where h.place = 1),
        (select m.closing from kpi.mrr_monthly m where m.month = '2024-04-01')
    $$,
    $$ values (true, 312.55, 250.04, 25.00, 'USD' collate "C", 312.55) $$,
    'a setting names the reporting currency'
);

call pipeline.set_setting('reporting_currency', null);
delete from raw.invoice where currency = 'EUR';
call pipeline.refresh(null);
select results_eq(
    $$ select c.currency, c.reporting_currency, c.factor from kpi.currency c $$,
    $$ values ('USD' collate "C", 'USD' collate "C", 1.0) $$,
    'the only currency billed in is the reporting currency'
);
select results_eq(
    $$ select kpi.mrr_at('cat', '2024-04-30'), kpi.mrr_total_at('2024-04-30') $$,
    $$ values (25.00, 25.00) $$,
    'a company with one currency needs no rate'
);

select * from finish();
rollback;
