-- Errors of the public surface: code, message, the values, and the next command.
begin;
select plan(11);

\ir companies/complete.sql

-- What a failing statement tells: SQLSTATE, message, DETAIL and HINT.
create function pg_temp.failure(p_statement text)
returns text[]
language plpgsql
as $$
declare
    v_message text;
    v_detail text;
    v_hint text;
begin
    execute p_statement;
    return null;
exception
    when others then
        get stacked diagnostics
            v_message = message_text,
            v_detail = pg_exception_detail,
            v_hint = pg_exception_hint;
        return array[sqlstate, v_message, v_detail, v_hint];
end;
$$;

-- MR005: no exchange rate --------------------------------------------------------------------

select is(
    pg_temp.failure($$ select kpi.conversion('EUR', 'GBP') $$),
    array[
        'MR005', 'no exchange rate for GBP', '',
        'See the rates with pgmrr fx, and set one, in units for one euro, with pgmrr fx --set CUR=RATE.'
    ],
    'conversion names the currencies that lack a rate, and the command that sets it'
);
select throws_ok($$ select kpi.conversion('', 'EUR') $$, 'MR005', null, 'conversion refuses what is no currency');
select throws_ok(
    $$ select kpi.mrr_at('ann', '2024-04-30', 'GBP') $$,
    'MR005',
    'no exchange rate for GBP',
    'mrr_at refuses a currency without a rate'
);
select throws_ok(
    $$ select kpi.mrr_total_at('2024-04-30', 'GBP') $$,
    'MR005',
    'no exchange rate for GBP',
    'mrr_total_at refuses a currency without a rate'
);
select results_eq(
    $$ select kpi.mrr_at('gus', '2024-04-30', 'GBP'), kpi.mrr_at('ann', '2023-12-31', 'GBP'), kpi.mrr_total_at('2023-12-31', 'GBP') $$,
    $$ values (0.00, null::numeric, null::numeric) $$,
    'where there is nothing to convert, no rate is needed'
);

delete from meta.exchange_rate;
select is(
    (pg_temp.failure('call pipeline.refresh(null)'))[1:2] || (pg_temp.failure('call pipeline.refresh(null)'))[4],
    array['MR005', 'no exchange rate for USD', 'Set it, in units for one euro: pgmrr fx --set USD=RATE'],
    'a company that bills in two currencies needs a rate'
);

-- MR006: a range that is upside down -----------------------------------------------------------

select is(
    pg_temp.failure($$ select * from kpi.movements('2024-03-31', '2024-03-01') $$),
    array[
        'MR006', 'the range of days is upside down', 'It begins on 2024-03-31 and ends on 2024-03-01.',
        'Give the earlier day first.'
    ],
    'movements refuses a range that is upside down'
);
select throws_ok(
    $$ select * from kpi.retention('2024-03-31', '2024-03-01') $$,
    'MR006',
    'the range of days is upside down',
    'retention refuses a range that is upside down'
);
select throws_ok(
    $$ select * from kpi.covered_range('1999-12-31', '1999-12-01') $$,
    'MR006',
    'the range of days is upside down',
    'a range that is upside down is refused outside coverage too'
);
select lives_ok(
    $$
    select * from kpi.movements('2024-03-01', '2024-03-01')
    union all
    select * from kpi.movements('-infinity', 'infinity')
    $$,
    'a single day and all of time are ranges'
);
select results_eq(
    $$
    select r.first_on, r.last_on
    from (
        values (1, null::date, null::date), (2, '2024-02-01', null), (3, null, '2024-02-01'), (4, '2000-01-01', '2024-01-01'),
        (5, '2024-04-30', '2100-01-01'), (6, '2000-01-01', '2000-01-02'), (7, '2024-05-01', null), (8, null, '2023-12-31')
    ) a (place, first_on, last_on)
    cross join lateral kpi.covered_range(a.first_on, a.last_on) r
    order by a.place
    $$,
    $$
    values
    (date '2024-01-01', date '2024-04-30'), ('2024-02-01', '2024-04-30'), ('2024-01-01', '2024-02-01'),
    ('2024-01-01', '2024-01-01'), ('2024-04-30', '2024-04-30')
    $$,
    'covered_range clips a range to coverage; NULL is the bound of coverage, and there is no row outside it'
);

select * from finish();
rollback;
