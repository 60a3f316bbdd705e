-- The richer company: prices, coupons, cycles and refusals against values computed by hand.
begin;
select plan(22);
set local client_min_messages = warning;

-- Prices and discounts ---------------------------------------------------------------------

select results_eq(
    $$
    select min(p), max(p), count(distinct p)
    from (select simulation.saas_price(k, 'EUR', 1, 2, 1) as p from generate_series(1::bigint, 2000) k) drawn
    $$,
    $$ values (1900::bigint, 31600::bigint, 12::bigint) $$,
    'a customer of plan 1 with 2 seats takes plan 0, 1 or 2 with 1 to 4 seats'
);
select results_eq(
    $$
    select distinct simulation.saas_price(k, 'USD', 3, 5, 12) / simulation.saas_price(k, 'USD', 3, 5, 1)
    from generate_series(1::bigint, 200) k
    $$,
    $$ values (10::bigint) $$,
    'a year costs ten months'
);
select is(
    (
        select count(*) from generate_series(1::bigint, 1000) k
        where simulation.saas_price(k, 'EUR', 0, 1, 1) not in (1900, 3800, 5700, 3900, 7800, 11700)
    ),
    0::bigint,
    'there is no plan below the first, and no fewer seats than one'
);
select results_eq(
    $$
    select distinct d
    from generate_series(1::bigint, 2000) k
    cross join lateral (select simulation.saas_discount(k, '2024-01-01', '2024-01-01') as d) x
    order by d
    $$,
    $$ select unnest('{0, 5, 10, 20, 25, 50, 100}'::bigint[]) $$,
    'coupons take 5 to 100 percent off'
);
select results_eq(
    $$
    select
        count(*) filter (where first > 0) between 340 and 460,
        count(*) filter (where first > 0 and later = 0 and then_ = 0 and ever = 0) > 80,
        count(*) filter (where later > 0 and then_ = 0 and ever = 0) > 40,
        count(*) filter (where then_ > 0 and ever = 0) > 40,
        count(*) filter (where ever > 0) > 60,
        bool_and(first >= later and later >= then_ and then_ >= ever)
    from generate_series(1::bigint, 2000) k
    cross join lateral (
        select
            simulation.saas_discount(k, '2024-01-31', '2024-01-31') as first,
            simulation.saas_discount(k, '2024-01-31', '2024-04-29') as later,
            simulation.saas_discount(k, '2024-01-31', '2024-04-30') as then_,
            simulation.saas_discount(k, '2024-01-31', '2034-01-31') as ever
    ) d
    $$,
    $$ values (true, true, true, true, true, true) $$,
    'a fifth has a coupon: once, for three months, for six, or for ever'
);
select results_eq(
    $$
    select simulation.saas_net(a, t, 19)
    from (values (3900, 'inclusive'), (-3900, 'inclusive'), (3900, 'exclusive'), (3900, 'none')) v (a, t)
    $$,
    $$ values (3277::bigint), (-3277), (3900), (3900) $$,
    'only prices that contain tax lose it: 39.00 / 1.19 = 32.77'
);

-- Cycles -----------------------------------------------------------------------------------

select results_eq(
    $$ select simulation.saas_cycle_start('2023-12-31 22:15:07', 1, 0, n) from generate_series(0::bigint, 4) n $$,
    $$
    values
    (timestamp '2023-12-31 22:15:07'), ('2024-01-31 22:15:07'), ('2024-02-29 22:15:07'), ('2024-03-31 22:15:07'),
    ('2024-04-30 22:15:07')
    $$,
    'cycles are counted from the anchor: the 31st, the last of shorter months, the 31st again'
);
select results_eq(
    $$
    select
        min(m) >= '2024-02-02 09:00', max(m) < '2024-02-29 09:00',
        count(*) filter (where m < '2024-02-15 21:00') between 1420 and 1580
    from (
        select simulation.saas_moment(k, '2024-02-01 09:00', '2024-03-01 09:00') as m
        from generate_series(1::bigint, 2000) k
    ) drawn
    $$,
    $$ values (true, true, true) $$,
    'a change comes a day after the start and a day before the end, three of four in the first half'
);

-- A company --------------------------------------------------------------------------------

select results_eq(
    $$ select batch_id, acquired from simulation.simulate_saas('{Lee,Hill}', 300, 24) $$,
    $$ values (1::bigint, 300::bigint) $$,
    'a company is simulated as batch 1'
);
select results_eq(
    $$ select is_truncated, observed_from, complete_through from kpi.coverage $$,
    $$ values (false, date '2022-01-01', date '2023-12-31') $$,
    'its history is complete, to the day'
);
select results_eq(
    $$
    select count(*) > 1500, count(*) filter (where total <> subtotal - discount + exclusive_tax),
        count(*) filter (where tax <> exclusive_tax + inclusive_tax), count(*) filter (where issued_at >= '2024-01-01 00:00+00')
    from raw.invoice
    $$,
    $$ values (true, 0::bigint, 0::bigint, 0::bigint) $$,
    'totals add up, and no invoice comes after the end'
);
select is_empty(
    $$
    select c.customer_id
    from raw.customer c
    left join raw.invoice i using (customer_id)
    group by c.customer_id, c.payment_count, c.total_spend
    having c.payment_count <> count(*) filter (where i.amount_paid > 0)
        or c.total_spend <> coalesce(sum(i.amount_paid), 0)
    $$,
    'payment count and spend of each customer are those of its invoices'
);
select is_empty(
    $$
    select t.customer_id
    from (
        select t.*, lag(t.balance, 1, 0::bigint) over (partition by t.customer_id, t.currency order by t.effective_on) as before
        from ledger.true_mrr_cents t
    ) t
    where t.balance = t.before
    $$,
    'every row of the truth is a change'
);
select is(
    (select count(*) from ledger.true_mrr_cents t where t.effective_on not between '2022-01-01' and '2023-12-31'),
    0::bigint,
    'the truth is told for the simulated days'
);
select results_eq(
    $$
    select a.days, a.customers > 200, a.right_customers >= a.customers * 0.98, a.worst_total < 0.01
    from simulation.accuracy() a
    $$,
    $$ values (730::bigint, true, true, true) $$,
    'the rules give it back but for a few'
);
select results_eq(
    $$ select d.customer_id, d.true_mrr - d.ledger_mrr from simulation.deviations() d where d.customer_id = 'unknown' $$,
    $$ select null::text, null::numeric where false $$,
    'nobody else deviates'
);

-- What is refused --------------------------------------------------------------------------

select throws_ok(
    $$ select simulation.simulate_saas('{Lee}', 5) $$,
    'MR003', 'a simulation needs an empty database, and this one holds data', 'data are not simulated twice'
);
select throws_ok(
    $$ select simulation.simulate_saas('{Lee}', 0) $$,
    'MR004', 'companies must be 1 to 10,000,000, not 0', 'no companies are refused'
);
select throws_ok(
    $$ select simulation.simulate_saas('{Lee}', 5, 121) $$,
    'MR004', 'months must be 1 to 120, not 121', 'more than ten years are refused'
);
select throws_ok(
    $$ select simulation.simulate_saas('{Lee}', 5, p_start => '2024-01-02') $$,
    'MR004', 'start must be the first day of a month, 1900-01-01 to 2199-12-01, not 2024-01-02',
    'a start within a month is refused'
);
select throws_ok(
    $$ select simulation.simulate_saas('{Lee}', 5, p_unseen => 1001) $$,
    'MR004', 'unseen changes must be 0 to 1000 in a thousand, not 1001', 'more than all unseen changes are refused'
);
select throws_ok(
    $$ select simulation.simulate_saas('{Lee}', 5, p_usd_per_euro => 0) $$,
    'MR004', 'a euro must be worth more than 0 USD, not 0', 'a euro without worth is refused'
);

select * from finish();
rollback;
