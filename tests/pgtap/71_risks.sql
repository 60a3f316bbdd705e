-- What could break the forecast: each risk with its evidence, hand-computed.
begin;
select plan(15);

\ir companies/complete.sql

-- On 04-30 MRR is 250.04: ann 100.04, all of it open; eve 100, a year from 02-15 on; dan 30; cat 20,
-- in dollars. In the three months from 02-01 on 168 were won: ben 30, eve 100, dan 30, fay 8; and 168
-- lost: dan 30, cat 20, ben 90, fay 28.
create temp table found as
select r.severity, r.risk, r.evidence, r.mrr, r.share, r.see
from kpi.risks() r;

select results_eq(
    $$ select f.severity, f.risk, f.evidence, f.mrr from found f where f.risk = 'open money' $$,
    $$ values ('high', 'open money', '40.0 % of MRR rests on invoices that are open or drafts.', 100.04) $$,
    'open money: all that ann pays is open'
);
select results_eq(
    $$ select f.severity, f.evidence, f.mrr from found f where f.risk = 'concentration' $$,
    $$ values ('high', 'The largest customer, Ann & Co, brings 40.0 % of MRR; customers in all: 4.', 250.04) $$,
    'concentration: 100.04 of 250.04'
);
select results_eq(
    $$ select f.severity, f.evidence, f.mrr, round(f.share, 4) from found f where f.risk = 'currency' $$,
    $$ values ('low', '8.0 % of MRR is billed in USD: 10 % in its rate are 2 EUR a month.', 20.00, 0.0800) $$,
    'currency: cat pays 25 dollars, which are 20 euros'
);
select results_eq(
    $$ select f.severity, f.evidence, f.mrr from found f where f.risk = 'renewals' $$,
    $$
    values (
        'high', 'In 2025-02 annual terms end that bring 40.0 % of MRR, more than in any other month to come.', 100.00
    )
    $$,
    'renewals: eve is paid through 2025-02-14'
);
select results_eq(
    $$ select f.severity, f.evidence, f.mrr from found f where f.risk = 'shrinking' $$,
    $$ select 'medium'::text, ''::text, 0.00 where false $$,
    'not shrinking: in three months 168 were won and as many lost'
);
select is_empty(
    $$
    select f.risk
    from found f
    where f.risk in ('discounts', 'implied', 'hidden annual MRR', 'churn unseen', 'newer cohorts', 'usage', 'never paid')
    $$,
    'what the data do not show is no risk'
);

-- 200 by one customer beside a hundred of 10 each: 200 of 1,450.04, and of ten 500.04.
savepoint before_many;
-- The ledger is written by hand here: nothing is kept of it for readers.
update meta.coverage set paying_on = null;
insert into ledger.movement_cents (customer_id, currency, effective_on, kind, customers, change, balance, unpaid_change)
select format('many_%s', n.place), 'EUR', date '2024-04-30', 'new'::ledger.movement_kind, 1, 1000, 1000, 0
from generate_series(1, 100) n (place)
union all
select 'one', 'EUR', '2024-04-30', 'new', 1, 20000, 20000, 0;
select results_eq(
    $$ select r.severity, r.evidence, r.mrr from kpi.risks() r where r.risk = 'concentration' $$,
    $$ values ('high', 'The largest customer, one, brings 13.8 % of MRR, the ten largest 34.5 %.', 500.04) $$,
    'concentration: a tenth by one customer is high, whatever ten bring'
);
rollback to before_many;

-- eve pays 840 instead of 1,200 for her year, 70 a month: exactly 30 % off.
update raw.invoice
set total = 84000, discount = 36000
where customer_id = 'eve';
call pipeline.refresh('{eve}');
select results_eq(
    $$ select r.severity, r.evidence, r.mrr from kpi.risks() r where r.risk = 'discounts' $$,
    $$
    values (
        'high', 'Customers billed at 30 % off or more: 1, with 31.8 % of MRR. Whether it lasts cannot be seen.', 70.00
    )
    $$,
    'discounts: exactly 30 % off counts'
);
rollback to before_many;

-- Half off what eve pays, no payment of ann known, and nobody uses the product any more.
update raw.invoice
set discount = 120000
where customer_id = 'eve';
update raw.invoice
set status = 'open'
where customer_id = 'ann';
call pipeline.refresh(null);
insert into usage.session (customer_id, session_number, created_at, batch_id)
values ('dan', 1, '2024-03-15 00:00 UTC', 1), ('dan', 2, '2024-03-16 00:00 UTC', 1), ('dan', 3, '2024-04-15 00:00 UTC', 1);

select results_eq(
    $$ select r.severity, r.risk, r.evidence, r.mrr from kpi.risks() r where r.risk in ('discounts', 'never paid', 'usage') $$,
    $$
    values
    ('high', 'never paid', 'Customers of whom no payment is known: 1, with 40.0 % of MRR.', 100.04),
    ('high', 'discounts', 'Customers billed at 30 % off or more: 1, with 40.0 % of MRR. Whether it lasts cannot be seen.', 100.00),
    ('medium', 'usage', 'Customers whose sessions fell by half or more in 30 days: 1, with 12.0 % of MRR. Whether such customers churn more often cannot be told yet.', 30.00)
    $$,
    'discounts, customers who never paid, and usage that fades'
);
select results_eq(
    $$ select round(sum(c.mrr), 2), count(*), max(c.discount) from kpi.charge_running c $$,
    $$ values (250.04, 4::bigint, 0.5) $$,
    'the running charges make the MRR'
);

-- New customers of two times: all 30 of 2023 are there after three months. Of the 30 of March 2024 are
-- 20, and four of the six of the company, without ben and fay. The standard error is 9.4 points.
update meta.coverage
set observed_from = '2023-01-01', complete_through = '2024-08-31';
insert into ledger.movement_cents (customer_id, currency, effective_on, kind, customers, change, balance, unpaid_change)
select format('old_%s', n.place), 'EUR', date '2023-03-01', 'new'::ledger.movement_kind, 1, 1000, 1000, 0
from generate_series(1, 30) n (place)
union all
select format('recent_%s', n.place), 'EUR', '2024-03-01', 'new', 1, 1000, 1000, 0
from generate_series(1, 30) n (place)
union all
select 'recent_1', 'EUR', '2024-04-01', 'churn', -1, -1000, 0, 0;
-- So far 33 of 36 newer ones were kept, and the standard error is 5.1 points: that may be chance.
select is_empty(
    $$ select r.evidence from kpi.risks() r where r.risk = 'newer cohorts' $$,
    'newer cohorts: 8.3 points less are not twice their standard error'
);
insert into ledger.movement_cents (customer_id, currency, effective_on, kind, customers, change, balance, unpaid_change)
select format('recent_%s', n.place), 'EUR', date '2024-04-01', 'churn'::ledger.movement_kind, -1, -1000, 0, 0
from generate_series(2, 10) n (place);
select results_eq(
    $$ select r.severity, r.evidence from kpi.risks() r where r.risk = 'newer cohorts' $$,
    $$
    values (
        'high',
        'Of the 36 customers of the cohorts 2024-01 to 2024-03, 66.7 % are there after three months; of the 30 before them it was 100.0 %.'
    )
    $$,
    'newer cohorts: 24 of 36 were kept'
);

-- An export of four months: churn can be seen from the second on.
update meta.coverage
set is_truncated = true, observed_from = '2024-01-01', complete_through = '2024-04-30';
select results_eq(
    $$ select r.severity, r.risk, r.evidence, r.mrr from kpi.risks() r where r.risk in ('churn unseen', 'short history') $$,
    $$
    values
    (
        'medium', 'churn unseen',
        'Churn could be seen on 90 days. That of annual customers shows only after a year.', 250.04
    ),
    ('medium', 'short history', 'A forecast rests on 12 weeks and reaches 3 months ahead.', 250.04)
    $$,
    'churn that cannot be seen yet, and a short history'
);
update meta.coverage
set complete_through = '2024-01-31';
select results_eq(
    $$ select r.severity, r.risk from kpi.risks() r where r.risk in ('churn unseen', 'short history') order by r.risk $$,
    $$ values ('high', 'churn unseen'), ('high', 'short history') $$,
    'where no day shows churn, both are high'
);

delete from ledger.daily_change_cents;
select is_empty($$ select r.risk from kpi.risks() r $$, 'without MRR there is nothing to lose');

select * from finish();
rollback;
