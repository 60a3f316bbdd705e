-- The waterfall by day, by month and by any periods, and the movements it is made of.
begin;
select plan(16);

\ir companies/complete.sql

-- kpi.mrr_monthly ------------------------------------------------------------------------

select results_eq(
    $$
    select
        m.month, m.first_on, m.last_on, m.opening, m.preexisting, m.new, m.reactivation, m.expansion,
        m.contraction, m.rounding, m.churn, m.closing, m.unpaid
    from kpi.mrr_monthly m
    $$,
    $$
    values
    (date '2024-01-01', date '2024-01-01', date '2024-01-31', 0.00, 0.00, 250.00, 0.00, 0.00, 0.00, 0.00, 0.00, 250.00, 0.00),
    ('2024-02-01', '2024-02-01', '2024-02-29', 250.00, 0, 100.00, 0, 30.00, 0, 0, -30.00, 350.00, 0),
    ('2024-03-01', '2024-03-01', '2024-03-31', 350.00, 0, 0, 30.00, 8.00, -20.00, 0.04, 0, 368.04, 8.00),
    ('2024-04-01', '2024-04-01', '2024-04-30', 368.04, 0, 0, 0, 0, 0, 0, -118.00, 250.04, 100.04)
    $$,
    'mrr_monthly shows every kind of movement in its month, and what is unpaid'
);
select results_eq(
    $$
    select
        m.month, m.customers_opening, m.customers_preexisting, m.customers_new, m.customers_reactivated,
        m.customers_churned, m.customers
    from kpi.mrr_monthly m
    $$,
    $$
    values
    (date '2024-01-01', 0::bigint, 0::bigint, 5::bigint, 0::bigint, 0::bigint, 5::bigint),
    ('2024-02-01', 5, 0, 1, 0, 1, 5),
    ('2024-03-01', 5, 0, 0, 1, 0, 6),
    ('2024-04-01', 6, 0, 0, 0, 2, 4)
    $$,
    'mrr_monthly counts customers, each once however many currencies it pays in'
);
-- Growth: 100 / 250; 18.04 / 350; -118 / 368.04. ARPA: 250 / 5, 350 / 5, 368.04 / 6, 250.04 / 4.
select results_eq(
    $$
    select m.month, round(m.growth, 6), m.arpa, m.arr, m.is_whole, m.mrr_is_complete, m.churn_is_observable
    from kpi.mrr_monthly m
    $$,
    $$
    values
    (date '2024-01-01', null::numeric, 50.00, 3000.00, true, true, true),
    ('2024-02-01', 0.400000, 70.00, 4200.00, true, true, true),
    ('2024-03-01', 0.051543, 61.34, 4416.48, true, true, true),
    ('2024-04-01', -0.320617, 62.51, 3000.48, true, true, true)
    $$,
    'growth is NULL where the month opens with nothing; ARPA and ARR follow the closing MRR'
);

-- kpi.mrr_daily --------------------------------------------------------------------------

select results_eq(
    $$
    select
        d.day, d.opening, d.new, d.reactivation, d.expansion, d.contraction, d.rounding, d.churn, d.closing, d.unpaid,
        d.customers, d.customers_new, d.customers_reactivated, d.customers_churned
    from kpi.mrr_daily d
    where d.day in ('2024-01-01', '2024-01-02', '2024-03-01', '2024-04-01', '2024-04-10')
    $$,
    $$
    values
    (date '2024-01-01', 0.00, 230.00, 0.00, 0.00, 0.00, 0.00, 0.00, 230.00, 0.00, 4::bigint, 4::bigint, 0::bigint, 0::bigint),
    ('2024-01-02', 230.00, 0, 0, 0, 0, 0, 0, 230.00, 0, 4, 0, 0, 0),
    ('2024-03-01', 350.00, 0, 30.00, 0, -20.00, 0.04, 0, 360.04, 0, 6, 0, 1, 0),
    ('2024-04-01', 368.04, 0, 0, 0, 0, 0, -90.00, 278.04, 108.04, 5, 0, 0, 1),
    ('2024-04-10', 278.04, 0, 0, 0, 0, 0, -28.00, 250.04, 100.04, 4, 0, 0, 1)
    $$,
    'mrr_daily has a row for every covered day, those without a movement included'
);
-- 278.04 / 5, 12 x 278.04.
select results_eq(
    $$ select d.arpa, d.arr, d.mrr_is_complete, d.churn_is_observable from kpi.mrr_daily d where d.day = '2024-04-01' $$,
    $$ values (55.608, 3336.48, true, true) $$,
    'mrr_daily gives ARPA and ARR at the end of the day'
);

-- kpi.movements --------------------------------------------------------------------------

select results_eq(
    $$
    select m.effective_on, m.customer_id, m.name, m.kind::text, m.change, m.mrr_after, m.currency, m.change_in_currency
    from kpi.movements('2024-03-10', '2024-04-10') m
    $$,
    $$
    values
    (date '2024-03-10', 'fay', 'fay', 'expansion', 8.00, 8.00, 'USD', 10.00),
    ('2024-04-01', 'ben', 'Ben Ltd', 'churn', -90.00, 0.00, 'EUR', -90.00),
    ('2024-04-10', 'fay', 'fay', 'churn', -20.00, 0.00, 'EUR', -20.00),
    ('2024-04-10', 'fay', 'fay', 'churn', -8.00, 0.00, 'USD', -10.00)
    $$,
    'movements lists a range of days, both included, without days on which only the unpaid part changes'
);
-- All 19 movements of the ledger but the four of 05-01 and later, when coverage has ended.
select results_eq(
    $$
    select
        (select count(*) from kpi.ledger l),
        (select count(*) from kpi.movements() m),
        (select count(*) from kpi.movements('2000-01-01', '2100-01-01') m),
        (select count(*) from kpi.movements('2024-04-01') m),
        (select count(*) from kpi.movements(null, '2024-01-01') m),
        (select count(*) from kpi.movements('2024-02-15', '2024-02-15') m)
    $$,
    $$ values (19::bigint, 15::bigint, 15::bigint, 3::bigint, 4::bigint, 1::bigint) $$,
    'movements is clipped to coverage; a bound that is NULL or left out is that of coverage'
);
select is_empty(
    $$
    select m.change from kpi.movements('2024-05-01', '2024-05-31') m
    union all
    select m.change from kpi.movements('2023-12-01', '2023-12-31') m
    $$,
    'movements has no row where no day of the range is covered'
);

-- kpi.waterfall --------------------------------------------------------------------------

select results_eq(
    $$
    select
        w.first_on, w.last_on, w.opening, w.new, w.expansion, w.churn, w.closing, w.customers_opening, w.customers
    from kpi.waterfall('{2024-01-05, 2024-02-01, 2024-02-16}') w
    $$,
    $$
    values
    (date '2024-01-05', date '2024-01-31', 230.00, 20.00, 0.00, 0.00, 250.00, 4::bigint, 5::bigint),
    ('2024-02-01', '2024-02-15', 250.00, 100.00, 30.00, -30.00, 350.00, 5, 5)
    $$,
    'waterfall takes the first days of consecutive periods and the day after the last'
);
select results_eq(
    $$ select w.first_on, w.last_on, w.opening, w.closing from kpi.waterfall('{2023-01-01, 2024-04-30, 2025-01-01}') w $$,
    $$
    values
    (date '2024-01-01', date '2024-04-29', 0.00, 250.04), ('2024-04-30', '2024-04-30', 250.04, 250.04)
    $$,
    'waterfall says which days of a period are covered'
);
select is_empty(
    $$
    select w.closing from kpi.waterfall(null) w
    union all
    select w.closing from kpi.waterfall('{}') w
    union all
    select w.closing from kpi.waterfall('{2024-01-01}') w
    union all
    select w.closing from kpi.waterfall('{2025-01-01, 2026-01-01}') w
    $$,
    'waterfall has no row where there is no period, or none is covered'
);

-- Identities -----------------------------------------------------------------------------
-- With a rate that leaves fractions without end, every figure must still add up exactly.

update meta.exchange_rate set per_euro = 1.0411;
call pipeline.update_currencies();

-- 121 days: 31 + 29 + 31 + 30. All but the first have a day before them.
select results_eq(
    $$
    select
        count(*),
        count(*) filter (
            where d.opening + d.preexisting + d.new + d.reactivation + d.expansion + d.contraction + d.rounding + d.churn
                = d.closing
        ),
        count(*) filter (where d.opening = d.closing_before),
        count(*) filter (
            where d.customers_before + d.customers_preexisting + d.customers_new + d.customers_reactivated
                - d.customers_churned = d.customers
        )
    from (
        select
            m.*,
            lag(m.closing) over (order by m.day) as closing_before,
            lag(m.customers) over (order by m.day) as customers_before
        from kpi.mrr_daily m
    ) d
    $$,
    $$ values (121::bigint, 121::bigint, 120::bigint, 120::bigint) $$,
    'on every day, opening and all kinds make the closing, and the closing is the next opening'
);
select results_eq(
    $$
    select
        count(*),
        count(*) filter (
            where m.opening + m.preexisting + m.new + m.reactivation + m.expansion + m.contraction + m.rounding + m.churn
                = m.closing
        ),
        count(*) filter (where m.opening = m.closing_before),
        count(*) filter (
            where m.customers_opening + m.customers_preexisting + m.customers_new + m.customers_reactivated
                - m.customers_churned = m.customers
        )
    from (select w.*, lag(w.closing) over (order by w.month) as closing_before from kpi.mrr_monthly w) m
    $$,
    $$ values (4::bigint, 4::bigint, 3::bigint, 4::bigint) $$,
    'in every month, opening and all kinds make the closing, and the closing is the next opening'
);
select results_eq(
    $$
    select count(*), count(*) filter (where m.opening = f.opening and m.closing = l.closing and m.unpaid = l.unpaid)
    from kpi.mrr_monthly m
    join kpi.mrr_daily f on f.day = m.first_on
    join kpi.mrr_daily l on l.day = m.last_on
    $$,
    $$ values (4::bigint, 4::bigint) $$,
    'every month opens with its first day and closes with its last'
);
-- 121 days x 7 kinds.
select results_eq(
    $$
    select
        count(*),
        count(*) filter (where k.change = coalesce(m.change, 0)),
        count(m.change)
    from kpi.mrr_daily d
    cross join lateral (
        values
        ('preexisting', d.preexisting), ('new', d.new), ('reactivation', d.reactivation), ('expansion', d.expansion),
        ('contraction', d.contraction), ('rounding', d.rounding), ('churn', d.churn)
    ) k (kind, change)
    left join (
        select v.effective_on, v.kind::text, sum(v.change) as change
        from kpi.movements() v
        group by v.effective_on, v.kind
    ) m
        on m.effective_on = d.day
        and m.kind = k.kind
    $$,
    $$ values (847::bigint, 847::bigint, 11::bigint) $$,
    'the movements of a day add up, by kind, to those of mrr_daily'
);
-- Of the 15 movements, 4 are those of fay, who pays in two.
select results_eq(
    $$
    select count(*), count(*) filter (where m.mrr_after = kpi.mrr_at(m.customer_id, m.effective_on))
    from kpi.movements() m
    where m.customer_id <> 'fay'
    $$,
    $$ values (11::bigint, 11::bigint) $$,
    'after a movement, a customer with one currency has the MRR that mrr_at tells'
);

select * from finish();
rollback;
