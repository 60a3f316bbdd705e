-- MRR of a customer and of the company on a day, and the charges behind it.
begin;
select plan(27);

\ir companies/complete.sql

-- kpi.mrr_at -----------------------------------------------------------------------------

select results_eq(
    $$
    select d.day, kpi.mrr_at('ben', d.day)
    from unnest('{2024-01-01, 2024-01-31, 2024-02-01, 2024-03-31, 2024-04-01, 2024-04-30}'::date[]) d (day)
    $$,
    $$
    values
    (date '2024-01-01', 60.00), ('2024-01-31', 60.00), ('2024-02-01', 90.00), ('2024-03-31', 90.00),
    ('2024-04-01', 0.00), ('2024-04-30', 0.00)
    $$,
    'mrr_at changes on the day of a movement, and is 0 from the day of churn on'
);
-- fay has 20 EUR and 10 USD: 20 + 10 x 0.80.
select is(kpi.mrr_at('fay', '2024-03-10'), 28.00, 'mrr_at adds up a customer''s currencies in the reporting currency');
select is(kpi.mrr_at('fay', '2024-03-10', 'USD'), 35.00, 'mrr_at converts: 20 EUR x 1.25 + 10 USD = 35 USD');
select is(kpi.mrr_at('cat', '2024-01-01', 'USD'), 50.00, 'mrr_at in the customer''s own currency is what was billed');
select is(kpi.mrr_at('fay', '2024-03-10', 'usd'), 35.00, 'mrr_at takes a currency in lower case');
select is(kpi.mrr_at('eve', '2024-02-14'), 0.00, 'mrr_at is 0 before a customer''s first charge');
select is(kpi.mrr_at('gus', '2024-04-30'), 0.00, 'mrr_at is 0 for a customer who never paid');
select is(kpi.mrr_at('nobody', '2024-04-30'), null, 'mrr_at is NULL for an unknown customer');
select is(kpi.mrr_at('eve', '2023-12-31'), null, 'mrr_at is NULL on the day before coverage');
select is(kpi.mrr_at('eve', '2024-05-01'), null, 'mrr_at is NULL on the day after coverage, though a charge runs on');
select results_eq(
    $$
    select kpi.mrr_at(null, '2024-04-30'), kpi.mrr_at('ann', null), kpi.mrr_at('ann', '2024-04-30', null)
    $$,
    $$ values (null::numeric, null::numeric, 100.04) $$,
    'mrr_at is NULL for no customer and for no day; no currency is the reporting currency'
);

-- kpi.mrr_total_at -----------------------------------------------------------------------

select results_eq(
    $$
    select d.day, kpi.mrr_total_at(d.day)
    from unnest('{2024-01-01, 2024-01-31, 2024-02-29, 2024-03-31, 2024-04-30}'::date[]) d (day)
    $$,
    $$
    values
    (date '2024-01-01', 230.00), ('2024-01-31', 250.00), ('2024-02-29', 350.00), ('2024-03-31', 368.04),
    ('2024-04-30', 250.04)
    $$,
    'mrr_total_at is the company''s MRR, unpaid invoices included'
);
select is(kpi.mrr_total_at('2024-03-31', 'USD'), 460.05, 'mrr_total_at converts: 368.04 EUR x 1.25');
select results_eq(
    $$ select kpi.mrr_total_at('2023-12-31'), kpi.mrr_total_at('2024-05-01'), kpi.mrr_total_at(null) $$,
    $$ values (null::numeric, null::numeric, null::numeric) $$,
    'mrr_total_at is NULL outside coverage and for no day'
);

-- kpi.mrr_explain ------------------------------------------------------------------------

select results_eq(
    $$
    select
        e.subscription_id, e.invoice_id, e.currency, e.mrr, e.basis::text, e.starts_on, e.ends_on, e.net, e.amount,
        e.months, e.status, e.file, e.line_number, e.batch_id, e.note
    from kpi.mrr_explain('fay', '2024-03-10') e
    $$,
    $$
    values
    (
        'sub_fay_EUR' collate "C", 'in_fay_2' collate "C", 'EUR' collate "C", 20.00, 'term', date '2024-02-10',
        date '2024-04-10', 40.00, 40.00, 2, 'paid' collate "C", 'invoices.csv', 16::bigint, 1::bigint, null
    ),
    (
        'sub_fay_USD', 'in_fay_2USD', 'USD', 10.00, 'term', '2024-03-10', '2024-04-10', 10.00, 10.00, 1, 'open',
        'invoices.csv', 17, 1, null
    )
    $$,
    'mrr_explain lists the charges in force, each with its invoice, file and line, in its own currency'
);
select is_empty(
    $$ select e.invoice_id from kpi.mrr_explain('ben', '2024-04-01') e $$,
    'mrr_explain has no row on the day of churn'
);
select results_eq(
    $$
    select count(*)
    from (values ('eve', date '2023-12-31'), ('eve', '2024-05-01'), ('nobody', '2024-04-30'), (null, '2024-04-30'), ('eve', null))
        a (customer, day)
    cross join lateral kpi.mrr_explain(a.customer, a.day)
    $$,
    $$ values (0::bigint) $$,
    'mrr_explain has no row outside coverage, for an unknown customer, and for NULL'
);

-- The views behind them ------------------------------------------------------------------

select results_eq(
    $$
    select l.currency, l.effective_on, l.kind::text, l.change, l.balance
    from kpi.ledger l
    where l.customer_id = 'fay'
    order by l.effective_on, l.currency
    $$,
    $$
    values
    ('EUR' collate "C", date '2024-01-10', 'new', 20.00, 20.00), ('USD', '2024-03-10', 'expansion', 10.00, 10.00),
    ('EUR', '2024-04-10', 'churn', -20.00, 0.00), ('USD', '2024-04-10', 'churn', -10.00, 0.00)
    $$,
    'ledger has a row a customer, currency and day on which MRR changes'
);
select results_eq(
    $$ select b.effective_on, b.balance from kpi.balance b where b.customer_id = 'ann' order by b.effective_on $$,
    $$
    values
    (date '2024-01-01', 100.00), ('2024-03-01', 100.04), ('2024-04-01', 100.04), ('2024-05-01', 0.00)
    $$,
    'balance has a row where MRR changes and one where only its unpaid part does'
);
select results_eq(
    $$
    select d.effective_on, d.currency, d.kind::text, d.movements, d.customers, d.change, d.change_in_currency, d.unpaid_change
    from kpi.daily_change d
    where d.effective_on between '2024-04-01' and '2024-04-10'
    order by d.effective_on, d.currency, d.kind
    $$,
    $$
    values
    (date '2024-04-01', 'EUR' collate "C", 'churn', 1::bigint, -1::bigint, -90.00, -90.00, 0.00),
    ('2024-04-01', 'EUR', 'unpaid', 1, 0, 0.00, 0.00, 100.04),
    ('2024-04-10', 'EUR', 'churn', 1, -1, -20.00, -20.00, 0.00),
    ('2024-04-10', 'USD', 'churn', 1, 0, -8.00, -10.00, -8.00)
    $$,
    'daily_change counts a customer who leaves in two currencies once'
);
select results_eq(
    $$
    select c.customer_id, c.name, c.created_on, c.attributes
    from kpi.customer c
    where c.customer_id in ('ann', 'fay')
    order by c.customer_id
    $$,
    $$
    values
    ('ann' collate "C", 'Ann & Co' collate "C", date '2024-01-01', jsonb '{}'), ('fay', 'fay', null, '{}')
    $$,
    'customer is called by its id where it has no name, and has no day where none is known'
);

-- Identities -----------------------------------------------------------------------------
-- With a rate that leaves fractions without end, every figure must still add up exactly.

update meta.exchange_rate set per_euro = 1.0411;
call pipeline.update_currencies();

select is(kpi.mrr_at('cat', '2024-01-01', 'USD'), 50.00, 'at any rate, a customer''s own currency comes out exactly');
select is(
    kpi.mrr_at('fay', '2024-03-10', 'EUR'),
    kpi.mrr_at('fay', '2024-03-10'),
    'the reporting currency named is the reporting currency'
);

-- 7 customers x 121 days (31 + 29 + 31 + 30) x 2 ways to give the currency.
create temp table customer_day as
select
    c.customer_id,
    d.day,
    w.currency,
    kpi.mrr_at(c.customer_id, d.day, w.currency) as mrr
from kpi.customer c
cross join kpi.mrr_daily d
cross join (values (null), ('USD')) w (currency);

select results_eq(
    $$
    select
        count(*),
        count(*) filter (where c.mrr = (
            select coalesce(sum(e.mrr), 0)
            from (
                select greatest(sum(x.mrr), 0) * kpi.conversion(x.currency, coalesce(c.currency, 'EUR')) as mrr
                from kpi.mrr_explain(c.customer_id, c.day) x
                group by x.currency
            ) e
        ))
    from customer_day c
    $$,
    $$ values (1694::bigint, 1694::bigint) $$,
    'mrr_at is the sum of mrr_explain by currency, never below zero, for every customer and day'
);
select results_eq(
    $$
    select count(*), count(*) filter (where t.mrr = kpi.mrr_total_at(t.day, t.currency))
    from (select c.day, c.currency, sum(c.mrr) as mrr from customer_day c group by c.day, c.currency) t
    $$,
    $$ values (242::bigint, 242::bigint) $$,
    'mrr_total_at is exactly the sum of mrr_at over all customers, on every day'
);
select results_eq(
    $$ select count(*), count(*) filter (where d.closing = kpi.mrr_total_at(d.day)) from kpi.mrr_daily d $$,
    $$ values (121::bigint, 121::bigint) $$,
    'mrr_total_at is the closing MRR of mrr_daily, on every day'
);

-- Of two currencies neither of which is the euro, at 0.80 CHF and 1.25 USD for one: the
-- reporting currency is the euro all the same, at 1 / 0.8 and 1 / 1.25.
insert into meta.exchange_rate (currency, per_euro, rate_on, source) values ('CHF', 0.80, '2024-04-30', 'user');
update meta.exchange_rate set per_euro = 1.25 where currency = 'USD';
update raw.invoice set currency = 'CHF' where currency = 'EUR';
call pipeline.refresh(null);
select results_eq(
    $$ select c.currency, c.reporting_currency, c.factor from kpi.currency c order by c.currency $$,
    $$ values ('CHF' collate "C", 'EUR' collate "C", 1.25), ('USD', 'EUR', 0.80) $$,
    'a company with two currencies reports in euros, whichever they are'
);

select * from finish();
rollback;
