-- The small functions that read lines and periods: amounts, days and times of many spellings.
begin;
select plan(20);

-- pipeline.parse_money and money_problem ------------------------------------------------------

select results_eq(
    $$
    select t.form, t.given, pipeline.parse_money(t.given, t.form)
    from (
        values
            (1, null, '104,40'), (2, null, '-7.6'), (3, null, '104.4000'), (4, null, '1.234'), (5, null, '1,234.56'),
            (6, 'comma', '1.234,56'), (7, 'comma', '1.234'), (8, 'comma', '-1.234.567,8'), (9, 'comma', '1.5'),
            (10, 'comma', '1,234.5'), (11, 'point', '1,234.56'), (12, 'point', '1''234.5'), (13, 'point', '1,5'),
            (14, 'plain', '10.0000'), (15, 'plain', '1,5'), (16, 'plain', '0.125'), (17, 'plain', 'NaN')
    ) as t (place, form, given)
    order by t.place
    $$,
    $$
    values
    (null, '104,40', 10440::bigint), (null, '-7.6', -760), (null, '104.4000', 10440), (null, '1.234', null),
    (null, '1,234.56', null), ('comma', '1.234,56', 123456), ('comma', '1.234', 123400),
    ('comma', '-1.234.567,8', -123456780), ('comma', '1.5', null), ('comma', '1,234.5', null),
    ('point', '1,234.56', 123456), ('point', '1''234.5', 123450), ('point', '1,5', null), ('plain', '10.0000', 1000),
    ('plain', '1,5', null), ('plain', '0.125', null), ('plain', 'NaN', null)
    $$,
    'parse_money reads an amount by the form that is given, and none that has another meaning in another form'
);
select is(
    (
        select count(*)
        from generate_series(-1000000, 1000000, 37) as n (cents)
        where pipeline.parse_money(to_char(n.cents * 0.01, 'FM9999990.00'), 'plain') = n.cents
            and pipeline.parse_money(to_char(n.cents * 0.01, 'FM9,999,990.00'), 'point') = n.cents
            and pipeline.parse_money(translate(to_char(n.cents * 0.01, 'FM9,999,990.00'), ',.', '.,'), 'comma') = n.cents
            and pipeline.parse_money(to_char(n.cents * 0.01, 'FM9999990.00'), null) = n.cents
    ),
    (select count(*) from generate_series(-1000000, 1000000, 37)),
    'parse_money reads every amount as it was written, with or without thousands'
);
-- Every text of up to six of these characters, held against what each form allows, in its plainest words.
select results_eq(
    $$
    with recursive text_of as (
        select '' as given
        union all
        select t.given || c.sign
        from text_of t
        cross join unnest('{0,7,-," ",".",","}'::text[]) as c (sign)
        where length(t.given) < 6
    ),
    form (name, pattern) as (
        values
        (null, '^[+-]?[0-9]+([.,][0-9]{1,2}|[.,][0-9]{2}0{2,})?$'),
        ('comma', '^[+-]?([0-9]+|[0-9]{1,3}([. ][0-9]{3})+)(,[0-9]{1,2}0*)?$'),
        ('point', '^[+-]?([0-9]+|[0-9]{1,3}([, ][0-9]{3})+)([.][0-9]{1,2}0*)?$'),
        ('plain', '^[+-]?[0-9]+([.][0-9]{1,2}0*)?$')
    )
    select f.name, count(*), count(pipeline.parse_money(t.given, f.name)) > 300
    from form f
    cross join text_of t
    where pipeline.parse_money(t.given, f.name) is not distinct from case
        when t.given ~ f.pattern then (
            case f.name
                when 'comma' then translate(t.given, ',. ', '.')
                when 'point' then translate(t.given, '., ', '.')
                else replace(t.given, ',', '.')
            end::numeric * 100
        )::bigint
    end
    group by f.name
    order by f.name
    $$,
    $$ values ('comma', 55987::bigint, true), ('plain', 55987, true), ('point', 55987, true), (null, 55987, true) $$,
    'parse_money reads every short text as its form says'
);
select is(
    pipeline.parse_money(U&'1\202F234\00A0567,89', 'comma'),
    123456789::bigint,
    'parse_money knows the blanks that keep a number together'
);
select is(pipeline.parse_money(null, 'comma'), null, 'parse_money makes nothing of NULL');
select is(pipeline.parse_money('', null), null, 'parse_money makes nothing of an empty text');
select is(
    array[
        pipeline.money_problem('1.234', null),
        pipeline.money_problem('1,234.56', null),
        pipeline.money_problem('1.234', 'point'),
        pipeline.money_problem('1,2345', 'comma'),
        pipeline.money_problem('12345.678', null),
        pipeline.money_problem('0.0125', 'plain'),
        pipeline.money_problem('(12.00)', null),
        pipeline.money_problem('1e9', 'plain')
    ],
    '{ambiguous amount, ambiguous amount, more than two decimals, more than two decimals, more than two decimals,
      more than two decimals, not an amount, not an amount}',
    'money_problem tells ambiguous amounts, and those with more decimals than cents have, from what is none'
);

-- pipeline.year_first, parse_moment and moment_problem ------------------------------------------

select is(
    array[
        pipeline.year_first('3.4.2024', 'dmy'),
        pipeline.year_first('3/4/2024 9:05', 'mdy'),
        pipeline.year_first('3/4-2024', 'dmy'),
        pipeline.year_first('2024-04-03', 'dmy'),
        pipeline.year_first('3.4.2024', null)
    ],
    '{2024-4-3, "2024-3-4 9:05", 3/4-2024, 2024-04-03, 3.4.2024}',
    'year_first turns a day around by the order that is given, and leaves all else'
);
select is(
    pipeline.parse_moment('2024-03-01', 'America/New_York'),
    '2024-03-01 05:00+00'::timestamptz,
    'parse_moment: a day begins at midnight of its zone'
);
select is(
    pipeline.parse_moment('2024-07-01', 'America/New_York'),
    '2024-07-01 04:00+00'::timestamptz,
    'parse_moment: in summer time as well'
);
select is(
    pipeline.parse_moment('2024-03-01 9:05', 'America/New_York'),
    '2024-03-01 09:05+00'::timestamptz,
    'parse_moment: a time without an offset is UTC'
);
select is(
    array[
        pipeline.parse_moment('2024-03-01 00:30:15.25+05:30', 'UTC'),
        pipeline.parse_moment('2024-03-01T00:30-0830', 'UTC'),
        pipeline.parse_moment('2024-03-01 00:30:00.5', 'UTC'),
        pipeline.parse_moment('2024-03-01 00:30:00 UTC', 'UTC'),
        pipeline.parse_moment('2024-03-01 00:30+14', 'UTC')
    ],
    '{2024-02-29 19:00:15.25+00, 2024-03-01 09:00+00, 2024-03-01 00:30:00.5+00, 2024-03-01 00:30+00, 2024-02-29 10:30+00}'::timestamptz[],
    'parse_moment reads fractions of seconds and offsets'
);
select is(
    (
        select count(*)
        from generate_series(timestamptz '2023-12-30 00:00+00', '2025-01-02 00:00+00', '61 minutes') as t (at)
        where pipeline.parse_moment(to_char(t.at at time zone 'UTC' + interval '3 hours 30 minutes', 'YYYY-MM-DD"T"HH24:MI:SS"+03:30"'), 'UTC') = t.at
            and pipeline.parse_moment(to_char(t.at at time zone 'UTC' - interval '4 hours', 'YYYY-MM-DD HH24:MI:SS.US"-04"'), 'UTC') = t.at
    ),
    (select count(*) from generate_series(timestamptz '2023-12-30 00:00+00', '2025-01-02 00:00+00', '61 minutes')),
    'parse_moment reads every hour of a leap year with offsets on either side'
);
select is(
    array(
        select t.given
        from unnest(
            array[
                '2025-02-29', '2025-02-30 10:00+00', '2025-13-01', '2025-01-01 25:00:00+00', '2025-01-01 10:00+15:00',
                '2025-01-01 10:00+', '2025-01-01 10:00 PST', '2025-01-01 10:00:00.+00', '03/04/2025', 'infinity', 'now', '2025',
                '20250101', '9999-12-31', ''
            ]
        ) as t (given)
        where pipeline.parse_moment(t.given, 'UTC') is not null
    ),
    '{}',
    'parse_moment refuses what does not exist, other forms, and words'
);
select is(pipeline.parse_moment(null, 'UTC'), null, 'parse_moment makes nothing of NULL');
select is(
    array[
        pipeline.moment_problem('03/04/2025', null),
        pipeline.moment_problem('3.4.2025 10:00', null),
        pipeline.moment_problem('31.11.2025', 'dmy'),
        pipeline.moment_problem('soon', null)
    ],
    '{ambiguous date, ambiguous date, not a time, not a time}',
    'moment_problem tells dates of an unknown order from what is none'
);

-- pipeline.invoice_status -----------------------------------------------------------------------

select results_eq(
    $$
    select t.given, pipeline.invoice_status(t.given)
    from unnest('{PAID, past_due, Past-Due, Draft, cancelled, written off, refunded, ""}'::text[]) with ordinality as t (given, place)
    order by t.place
    $$,
    $$
    values
    ('PAID', 'paid'), ('past_due', 'open'), ('Past-Due', 'open'), ('Draft', 'draft'), ('cancelled', 'void'),
    ('written off', 'uncollectible'), ('refunded', null), ('', null)
    $$,
    'invoice_status knows the usual names of the five statuses, and no other'
);

-- pipeline.names_by_map -------------------------------------------------------------------------

select is(
    pipeline.names_by_map('lines', 'lines', 'a file', '{id, ACCOUNT , From, Net}', '{"customer": "Account", "amount": "net"}'),
    '{"", customer, "", amount}',
    'names_by_map names the columns of a map, whatever their capitals, and no other'
);
select throws_ok(
    $$ select pipeline.names_by_map('lines', 'lines', 'a file', '{a}', '{"kustomer": "a"}') $$,
    'MR004', 'a map of lines knows no kustomer',
    'names_by_map refuses a name that is none'
);
select throws_ok(
    $$ select pipeline.names_by_map('lines', 'lines', 'a file', '{a, A}', '{"customer": "a"}') $$,
    'MR002', 'a file has more than one column a',
    'names_by_map refuses a column that is there twice'
);

select * from finish();
rollback;
