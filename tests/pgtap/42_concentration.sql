-- How much of the revenue rests on few customers.
begin;
select plan(16);

\ir companies/complete.sql

-- Of 350 on 02-29: ann 100, eve 100, ben 90, cat 40, fay 20.
--     Herfindahl  (100^2 + 100^2 + 90^2 + 40^2 + 20^2) / 350^2 = 30,100 / 122,500
--     Gini        (-4 x 20 - 2 x 40 + 0 x 90 + 2 x 100 + 4 x 100) / (5 x 350) = 440 / 1,750
select results_eq(
    $$
    select
        c.day, c.customers, c.mrr, round(c.top_1, 6), round(c.top_10, 6), round(c.top_1_percent, 6), c.top_1_percent_customers,
        round(c.herfindahl, 6), round(c.effective_customers, 6), round(c.gini, 6)
    from kpi.concentration('2024-02-29') c
    $$,
    $$
    values (
        date '2024-02-29', 5::bigint, 350.00, 0.285714, 1.000000, 0.285714, 1::bigint,
        0.245714, 4.069767, 0.251429
    )
    $$,
    'concentration measures how unequal the customers are'
);
select results_eq(
    $$ select c.day, c.customers, c.mrr from kpi.concentration() c $$,
    $$ values (date '2024-04-30', 4::bigint, 250.04) $$,
    'concentration without a day is about the last covered one'
);
select results_eq(
    $$
    select c.customers, c.customer_share, c.mrr, round(c.mrr_share, 6)
    from kpi.concentration_curve('2024-02-29') c
    $$,
    $$
    values
    (0::bigint, 0.0, 0.00, 0.000000), (1, 0.2, 100.00, 0.285714), (2, 0.4, 200.00, 0.571429), (3, 0.6, 290.00, 0.828571),
    (4, 0.8, 330.00, 0.942857), (5, 1.0, 350.00, 1.000000)
    $$,
    'the curve of concentration rises with each customer, the largest first'
);
select is_empty(
    $$
    select c.customers from kpi.concentration_curve('2023-12-31') c
    union all
    select c.customers from kpi.concentration_curve('2024-05-01') c
    $$,
    'the curve has no row outside coverage'
);
select throws_ok(
    $$ select * from kpi.concentration_curve('2024-02-29', 0) $$,
    'MR004',
    'a curve takes one point or more, not 0',
    'a curve without points is an error'
);
select is_empty(
    $$
    select c.day from kpi.concentration('2023-12-31') c
    union all
    select c.day from kpi.concentration('2024-05-01') c
    union all
    select c.day from kpi.concentration('-infinity') c
    $$,
    'concentration has no row outside coverage'
);
select results_eq(
    $$ select m.customer_id, m.mrr from kpi.mrr_by_customer('2024-03-31') m order by m.customer_id $$,
    $$ values ('ann', 100.04), ('ben', 90.00), ('cat', 20.00), ('dan', 30.00), ('eve', 100.00), ('fay', 28.00) $$,
    'mrr_by_customer adds up the currencies of a customer and leaves out who pays nothing'
);

-- Identities, with a rate that leaves fractions without end.
update meta.exchange_rate set per_euro = 1.0411;
call pipeline.update_currencies();

select results_eq(
    $$
    select
        count(*),
        count(*) filter (where c.mrr = d.closing and c.customers = d.customers),
        count(*) filter (where c.top_1 = b.share and c.top_10 = 1),
        count(*) filter (where c.top_1 between 1.0 / c.customers and c.top_1_percent and c.top_1_percent <= c.top_10),
        count(*) filter (
            where round(c.herfindahl, 12) between round(1.0 / c.customers, 12) and 1
                and round(c.effective_customers, 12) between 1 and c.customers
        ),
        count(*) filter (where c.gini between 0 and 1 - 1.0 / c.customers)
    from kpi.mrr_daily d
    cross join lateral kpi.concentration(d.day) c
    cross join lateral kpi.biggest_customers(d.day, 1) b
    $$,
    $$ values (121::bigint, 121::bigint, 121::bigint, 121::bigint, 121::bigint, 121::bigint) $$,
    'on every day, the measures of concentration are in their bounds'
);

-- 150 customers of the ledger who all pay 10, and one who pays 500: of 151, 1 % rounded up are 2.
--     top 1 % (500 + 10) / 2,000; Herfindahl (250,000 + 150 x 100) / 4,000,000
--     Gini: 150 from the smallest on cancel out to -150 x 10, the largest has 150 x 500:
--     73,500 / (151 x 2,000)
-- The ledger is made by hand here: nothing is kept of it for readers.
update meta.coverage set paying_on = null;
delete from ledger.movement_cents;
insert into ledger.movement_cents (customer_id, currency, effective_on, kind, customers, change, balance, unpaid_change)
select format('c%s', g.place), 'EUR', '2024-01-01', 'new', 1, m.cents, m.cents, 0
from generate_series(0, 150) g (place)
cross join lateral (select case g.place when 0 then 50000 else 1000 end as cents) m;
select results_eq(
    $$
    select c.customers, c.mrr, c.top_1, c.top_10, c.top_1_percent, c.top_1_percent_customers, c.herfindahl, round(c.gini, 6)
    from kpi.concentration() c
    $$,
    $$ values (151::bigint, 2000.00, 0.25, 0.295, 0.255, 2::bigint, 0.06625, 0.243377) $$,
    'the top 1 % are rounded up to whole customers'
);
-- The ten largest, and every fifth of 151 customers or the first one past it: 31, 61, 91, 121 and 151.
select results_eq(
    $$ select c.customers, c.mrr, c.mrr_share from kpi.concentration_curve(p_points => 5) c where c.customers not between 1 and 9 $$,
    $$
    values
    (0::bigint, 0.0, 0.0), (10, 590.00, 0.295), (31, 800.00, 0.4), (61, 1100.00, 0.55), (91, 1400.00, 0.7),
    (121, 1700.00, 0.85), (151, 2000.00, 1.0)
    $$,
    'of many customers the curve has the ten largest and even steps'
);
-- The same, kept: two of the largest in two currencies of the same worth.
insert into ledger.currency (currency, reporting_currency, factor) values ('XTS', 'EUR', 1);
delete from ledger.paying_cents;
insert into ledger.paying_cents (
    customer_id, currency, mrr, unpaid, by_month, by_year, by_other, is_only_currency, next_on
)
select m.customer_id, 'EUR', m.balance, 0, m.balance, 0, 0, m.customer_id not in ('c0', 'c1'), 'infinity'
from ledger.movement_cents m;
update ledger.paying_cents set mrr = mrr - 400 where not is_only_currency;
insert into ledger.paying_cents (
    customer_id, currency, mrr, unpaid, by_month, by_year, by_other, is_only_currency, next_on
)
select p.customer_id, 'XTS', 400, 0, 0, 0, 0, false, 'infinity'
from ledger.paying_cents p
where not p.is_only_currency;
delete from ledger.price_cents;
call pipeline.add_to_prices(null, 1);
update meta.coverage set paying_on = complete_through;
select results_eq(
    $$
    select c.customers, c.mrr, c.top_1, c.top_10, c.top_1_percent, c.top_1_percent_customers, c.herfindahl, round(c.gini, 6)
    from kpi.concentration() c
    $$,
    $$ values (151::bigint, 2000.00, 0.25, 0.295, 0.255, 2::bigint, 0.06625, 0.243377) $$,
    'the same comes of what is kept of the last covered day'
);
select results_eq(
    $$ select c.customers, c.mrr, c.mrr_share from kpi.concentration_curve(p_points => 5) c where c.customers not between 1 and 9 $$,
    $$
    values
    (0::bigint, 0.0, 0.0), (10, 590.00, 0.295), (31, 800.00, 0.4), (61, 1100.00, 0.55), (91, 1400.00, 0.7),
    (121, 1700.00, 0.85), (151, 2000.00, 1.0)
    $$,
    'and so does the curve'
);
update meta.coverage set paying_on = null;
-- All pay the same.
delete from ledger.movement_cents where customer_id = 'c0';
select results_eq(
    $$ select c.customers, round(c.top_1, 6), round(c.herfindahl, 6), c.effective_customers, c.gini from kpi.concentration() c $$,
    $$ values (150::bigint, 0.006667, 0.006667, 150.0, 0.0) $$,
    'where all pay the same nothing is concentrated'
);
delete from ledger.movement_cents where customer_id <> 'c1';
select results_eq(
    $$
    select c.customers, c.top_1, c.top_10, c.top_1_percent, c.top_1_percent_customers, c.herfindahl, c.effective_customers, c.gini
    from kpi.concentration() c
    $$,
    $$ values (1::bigint, 1.0, 1.0, 1.0, 1::bigint, 1.0, 1.0, 0.0) $$,
    'all rests on a single customer'
);
delete from ledger.movement_cents;
select results_eq(
    $$
    select c.customers, c.mrr, c.top_1, c.top_10, c.top_1_percent, c.top_1_percent_customers, c.herfindahl, c.effective_customers, c.gini
    from kpi.concentration() c
    $$,
    $$ values (0::bigint, 0.0, null::numeric, null::numeric, null::numeric, 0::bigint, null::numeric, null::numeric, null::numeric) $$,
    'without customers there is nothing to measure'
);
select is_empty('select * from kpi.concentration_curve()', 'without customers there is no curve');

select * from finish();
rollback;
