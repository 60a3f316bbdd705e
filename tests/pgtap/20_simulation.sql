-- The simulation of ABC Enterprises (methodology, section 7): 500 companies over 12 months.
begin;
select plan(44);
set local client_min_messages = warning;

-- Randomness: the same on every machine and version --------------------------------------

select results_eq(
    $$ select simulation.stream(42, k) from generate_series(1, 3) k $$,
    $$ values (-3896713810890489038::bigint), (-7107883119562385990), (4702155755796069803) $$,
    'the streams of seed 42 are known numbers'
);
select results_eq(
    $$
    select simulation.random_integer(42, k, 100), simulation.random_fraction(42, k)::numeric(10, 9)
    from generate_series(1, 3) k
    $$,
    $$ values (70::bigint, 0.788758721), (18, 0.614680884), (3, 0.254904374) $$,
    'so are the integers and fractions drawn from it'
);
select results_eq(
    $$
    select p.n, min(d.drawn), max(d.drawn), count(distinct d.drawn)
    from unnest('{1, 2, 7, 100}'::bigint[]) p (n)
    cross join lateral (
        select simulation.random_integer(-1, k, p.n) as drawn from generate_series(1, 2000) k
    ) d
    group by p.n
    order by p.n
    $$,
    $$ values (1::bigint, 0::bigint, 0::bigint, 1::bigint), (2, 0, 1, 2), (7, 0, 6, 7), (100, 0, 99, 100) $$,
    'random_integer draws every value in 0 .. n - 1 and no other'
);
select results_eq(
    $$
    select min(f.drawn) >= 0, max(f.drawn) < 1, min(f.drawn) < 0.001, max(f.drawn) > 0.999
    from (select simulation.random_fraction(-1, k) as drawn from generate_series(1, 10000) k) f
    $$,
    $$ values (true, true, true, true) $$,
    'random_fraction draws from all of [0, 1)'
);

-- The calendar and the names --------------------------------------------------------------

select results_eq(
    $$ select simulation.month_start('2023-11-01', m) at time zone 'UTC' from unnest('{1, 3, 4, 5, 17}'::bigint[]) m $$,
    $$
    values
    (timestamp '2023-11-01 00:00'), ('2024-01-01 00:00'), ('2024-02-01 00:00'), ('2024-03-01 00:00'),
    ('2025-03-01 00:00')
    $$,
    'months begin at midnight UTC of their first day, over years and leap days'
);
select results_eq(
    $$ select simulation.abc_name(p, '{Lee,Hill}', '{Inc,Ltd}') from generate_series(0::bigint, 8) p $$,
    $$
    values
    ('Lee-Lee Inc'), ('Lee-Lee Ltd'), ('Lee-Hill Inc'), ('Lee-Hill Ltd'),
    ('Hill-Lee Inc'), ('Hill-Lee Ltd'), ('Hill-Hill Inc'), ('Hill-Hill Ltd'),
    ('Lee-Lee Inc')
    $$,
    'names go through all combinations, and then again'
);

-- What is refused -------------------------------------------------------------------------

select throws_ok(
    $$ select simulation.simulate_abc('{Lee}', 0) $$,
    'MR004', 'companies must be 1 to 10,000,000, not 0', 'no companies are refused'
);
select throws_ok(
    $$ select simulation.simulate_abc('{Lee}', 10000001) $$,
    'MR004', 'companies must be 1 to 10,000,000, not 10000001', 'too many companies are refused'
);
select throws_ok(
    $$ select simulation.simulate_abc('{Lee}', null) $$,
    'MR004', 'companies must be 1 to 10,000,000, not NULL', 'an unknown number of companies is refused'
);
select throws_ok(
    $$ select simulation.simulate_abc('{Lee}', 5, 0) $$,
    'MR004', 'months must be 1 to 120, not 0', 'no months are refused'
);
select throws_ok(
    $$ select simulation.simulate_abc('{Lee}', 5, 3000000000) $$,
    'MR004', 'months must be 1 to 120, not 3000000000', 'too many months are refused'
);
select throws_ok(
    $$ select simulation.simulate_abc('{Lee}', 5, null) $$,
    'MR004', 'months must be 1 to 120, not NULL', 'an unknown number of months is refused'
);
select throws_ok(
    $$ select simulation.simulate_abc('{Lee}', 5, 12, null) $$,
    'MR004', 'the seed must be a whole number, not NULL', 'a missing seed is refused'
);
select throws_ok(
    $$ select simulation.simulate_abc('{Lee}', 5, 12, 42, '2024-01-02') $$,
    'MR004', 'start must be the first day of a month, 1900-01-01 to 2199-12-01, not 2024-01-02',
    'a start within a month is refused'
);
select throws_ok(
    $$ select simulation.simulate_abc('{Lee}', 5, 12, 42, '1899-12-01') $$,
    'MR004', 'start must be the first day of a month, 1900-01-01 to 2199-12-01, not 1899-12-01',
    'a start too long ago is refused'
);
select throws_ok(
    $$ select simulation.simulate_abc('{Lee}', 5, 12, 42, 'infinity') $$,
    'MR004', 'start must be the first day of a month, 1900-01-01 to 2199-12-01, not infinity',
    'a start that never comes is refused'
);
select throws_ok(
    $$ select simulation.simulate_abc('{Lee}', 5, 12, 42, null) $$,
    'MR004', 'start must be the first day of a month, 1900-01-01 to 2199-12-01, not NULL', 'a missing start is refused'
);
select throws_ok(
    format('select simulation.simulate_abc(%L)', names),
    'MR004', 'names must be an array of at least one name, none of them empty',
    coalesce(names, 'NULL') || ' is refused as a pool of names'
)
from unnest(array['{}', null, '{Lee,""}', '{Lee,NULL}']) names;
select throws_ok(
    format('select simulation.simulate_abc(%L, p_suffixes => %L)', '{Lee}', suffixes),
    'MR004', 'suffixes must be an array of at least one suffix, none of them empty',
    suffixes || ' is refused as a pool of suffixes'
)
from unnest(array['{}', '{""}']) suffixes;

select pipeline.begin_batch('import', 'stripe', true);
select throws_ok(
    $$ select simulation.simulate_abc('{Lee}') $$,
    'MR003', 'a simulation needs an empty database, and this one holds data', 'a database with an import is refused'
);
delete from meta.batch;
select is_empty(
    'select from meta.batch union all select from raw.customer union all select from usage.session',
    'what was refused has written nothing'
);

-- What is written -------------------------------------------------------------------------

-- A batch of settings is no data.
select pipeline.begin_batch('settings');
create temporary table counted as
select * from simulation.simulate_abc('{Lee,Walker,Hill}');

select results_eq(
    'select acquired, paying, invoices, sessions from counted',
    $$
    select
        (select count(*) from billing.customer),
        (select count(distinct customer_id) from billing.invoice),
        (select count(*) from billing.invoice),
        (select count(*) from usage.session)
    $$,
    'it returns what it wrote'
);
select ok(acquired = 500 and paying < 500 and paying > 440, 'of 500 acquired companies some never pay') from counted;
select results_eq(
    $$
    select b.batch_id, b.kind, b.source, b.is_truncated, b.covered_from, b.covered_through, b.as_of at time zone 'UTC',
        b.first_invoice_at at time zone 'UTC', b.last_invoice_at at time zone 'UTC'
    from meta.batch b
    where b.source is not null
    $$,
    $$
    values (
        2::bigint, 'simulation', 'simulation', false, date '2024-01-01', date '2024-12-31',
        timestamp '2025-01-01 00:00', timestamp '2024-01-01 00:00', timestamp '2024-12-01 00:00'
    )
    $$,
    'the batch covers the twelve months, the last day included'
);
select results_eq(
    $$ select is_truncated, observed_from, complete_through, longest_term_months from meta.coverage $$,
    $$ values (false, date '2024-01-01', date '2024-12-31', 1) $$,
    'coverage is the history simulated, and complete'
);
select results_eq(
    $$
    select
        b.details - '{paying,invoices,sessions}'::text[],
        b.details - '{companies,months,seed,start,acquired}'::text[]
    from meta.batch b
    where b.batch_id = 2
    $$,
    $$
    select
        '{"companies": 500, "months": 12, "seed": 42, "start": "2024-01-01", "acquired": 500}'::jsonb,
        jsonb_build_object('paying', paying, 'invoices', invoices, 'sessions', sessions)
    from counted
    $$,
    'the batch tells its parameters and counts'
);

select results_eq(
    $$
    select m.kind::text, m.effective_on, count(*)
    from ledger.movement m
    where m.kind <> 'churn'
    group by m.kind, m.effective_on
    $$,
    $$ select 'new', date '2024-01-01', paying from counted $$,
    'month 1 has only new customers, and no later month has any'
);
select set_eq(
    $$ select distinct effective_on from ledger.movement where kind = 'churn' $$,
    $$ select d::date from generate_series(timestamp '2024-02-01', '2025-01-01', interval '1 month') d $$,
    'customers churn on the first of each later month'
);
select results_eq(
    $$
    select m.month, coalesce(sum(v.change), 0)
    from generate_series(timestamp '2024-01-01', '2024-12-01', interval '1 month') m (month)
    left join ledger.movement v
        on v.effective_on <= m.month
    group by m.month
    order by m.month
    $$,
    $$
    select a.month, sum(case a.company_size when 'small' then 19.00 else 99.00 end)
    from (
        select distinct
            date_trunc('month', s.created_at at time zone 'UTC') as month,
            s.customer_id,
            c.attributes ->> 'company_size' as company_size
        from usage.session s
        join billing.customer c using (customer_id)
    ) a
    group by a.month
    order by a.month
    $$,
    'MRR of each month is 19 for each small and 99 for each large company with a session in it'
);
select results_eq(
    $$ select kpi.mrr_total_at('2024-12-31'), kpi.mrr_total_at('2025-01-01') $$,
    $$
    select sum(i.total), null::numeric
    from billing.invoice i
    where i.issued_at = timestamptz '2024-12-01 00:00+00'
    $$,
    'MRR is known through the last day of the simulation'
);

create temporary table used as
select
    s.customer_id,
    date_trunc('month', s.created_at at time zone 'UTC') as month,
    count(*) as sessions,
    min(s.session_number) as first_number,
    max(s.session_number) as last_number
from usage.session s
group by 1, 2;

select set_eq(
    'select customer_id, month from used',
    $$ select customer_id, issued_at at time zone 'UTC' from billing.invoice $$,
    'a month has an invoice where it has a session, and only there'
);
select is_empty(
    $$
    select u.customer_id
    from used u
    join billing.customer c using (customer_id)
    group by u.customer_id, c.payment_count
    having count(*) <> extract(month from max(u.month)) or count(*) <> c.payment_count
    $$,
    'nothing follows a month without sessions, and each month before it was paid'
);
select results_eq(
    $$
    select c.attributes ->> 'company_size', min(u.sessions), max(u.sessions)
    from used u
    join billing.customer c using (customer_id)
    group by 1
    order by 1
    $$,
    $$ values ('large', 1::bigint, 20::bigint), ('small', 1, 10) $$,
    'a small company has up to 10 sessions a month, a large one up to 20'
);
select is_empty(
    $$
    select u.customer_id
    from used u
    where u.first_number <> extract(month from u.month) * 100 + 1
        or u.last_number <> extract(month from u.month) * 100 + u.sessions
    $$,
    'the number of a session tells its month and place'
);
select results_eq(
    $$
    select
        bool_and(c.created_at = timestamptz '2024-01-01 00:00+00'),
        bool_and(c.is_listed),
        count(distinct c.customer_id),
        min(c.customer_id),
        max(c.customer_id)
    from billing.customer c
    $$,
    $$ values (true, true, 500::bigint, 'abc_000001' collate "C", 'abc_000500' collate "C") $$,
    'all companies are acquired in month 1, with keys in the order of their numbers'
);
select is_empty(
    $$
    select c.customer_id
    from billing.customer c
    left join billing.invoice i using (customer_id)
    group by c.customer_id, c.payment_count, c.total_spend
    having count(i.invoice_id) <> c.payment_count or coalesce(sum(i.amount_paid), 0) <> c.total_spend
    $$,
    'payment count and total spend of a company are those of its invoices'
);
select results_eq(
    $$
    select
        i.period_start = i.period_end as is_first,
        min(i.issued_at at time zone 'UTC'),
        bool_and(i.period_end = i.issued_at and i.line_period_start = i.issued_at),
        bool_and(
            i.period_start at time zone 'UTC' = greatest(
                i.issued_at at time zone 'UTC' - interval '1 month',
                timestamp '2024-01-01'
            )
        )
    from billing.invoice i
    group by is_first
    order by is_first
    $$,
    $$ values (false, timestamp '2024-02-01', true, true), (true, '2024-01-01', true, true) $$,
    'a first invoice has a period without length, a renewal that of the month before'
);
select results_eq(
    $$
    select c.basis::text, c.months, c.mrr, count(*)
    from billing.charge c
    group by 1, 2, 3
    order by 3
    $$,
    $$
    select 'term', 1, i.total, count(*)
    from billing.invoice i
    group by i.total
    order by i.total
    $$,
    'each invoice is a term of one month at its price'
);

-- Afterwards ------------------------------------------------------------------------------

create temporary table before_rebuild as
select * from ledger.movement_cents;
call pipeline.rebuild();
select set_eq('select * from ledger.movement_cents', 'select * from before_rebuild', 'a rebuild changes nothing');
select throws_ok(
    $$ select simulation.simulate_abc('{Lee}') $$,
    'MR003', 'a simulation needs an empty database, and this one holds data', 'a second simulation is refused'
);

select * from finish();
rollback;
