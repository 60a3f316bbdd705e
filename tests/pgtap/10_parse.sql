-- The small functions below the rules: amounts, times, whole months, and versions in force.
begin;
select plan(27);

-- pipeline.parse_amount ------------------------------------------------------------------

select results_eq(
    $$
    select t.given, pipeline.parse_amount(t.given)
    from unnest('{"104,40", 104.40, "0,00", 0.00, "-7,6", -7.6, +12, 12, "0,05", 0, -0.00, 007, 9999999999999.99}'::text[])
        with ordinality as t (given, place)
    order by t.place
    $$,
    $$
    values
    ('104,40', 10440::bigint), ('104.40', 10440), ('0,00', 0), ('0.00', 0), ('-7,6', -760), ('-7.6', -760),
    ('+12', 1200), ('12', 1200), ('0,05', 5), ('0', 0), ('-0.00', 0), ('007', 700), ('9999999999999.99', 999999999999999)
    $$,
    'parse_amount reads one or two decimals, or none, after a comma or a point, with or without a sign, as cents'
);
select is(
    array(
        select t.given
        from unnest(
            array[
                '1.234,56', '1,234.56', '1.234', '1 234', '12,345', '(12.00)', 'NaN', 'Infinity', '1e9', '12.', '.5', ',5',
                '--1', '1-', '$12', '12 €', ' 12', '12 ', '12,', '0x10', '1_000', '12,3 4', '٣', '12345678901234', 'twelve', E'12\n'
            ]
        ) as t (given)
        where pipeline.parse_amount(t.given) is not null
    ),
    '{}',
    'parse_amount refuses thousands separators, exponents, signs behind, currencies, spaces and words'
);
select is(pipeline.parse_amount(''), null, 'parse_amount makes nothing of an empty text');
select is(pipeline.parse_amount(null), null, 'parse_amount makes nothing of NULL');

-- Every text of up to six of these characters, held against the rule in its plainest words. Amounts
-- are 126 without decimals, 120 with one and 112 with two; and with a sign before them 124, 112 and 96.
select results_eq(
    $$
    with recursive text_of as (
        select '' as given
        union all
        select t.given || c.sign
        from text_of t
        cross join unnest('{0,7,-,+,".",","}'::text[]) as c (sign)
        where length(t.given) < 6
    )
    select count(*), count(pipeline.parse_amount(t.given))
    from text_of t
    where pipeline.parse_amount(t.given) is not distinct from case
        when t.given ~ '^[+-]?[0-9]+([.,][0-9]{1,2})?$' then (replace(t.given, ',', '.')::numeric * 100)::bigint
    end
    $$,
    $$ values (55987::bigint, 690::bigint) $$,
    'parse_amount reads every short text as its rule says'
);
select is(
    array(
        select t.given
        from unnest('{12345678901234.00, "12345678901234,00", 1234567890123.00, "1234567890123,00"}'::text[]) as t (given)
        where pipeline.parse_amount(t.given) is not null
    ),
    '{1234567890123.00, "1234567890123,00"}',
    'parse_amount reads up to 13 digits before the sign'
);
select is(
    (
        select count(*)
        from unnest('{29999999999, 30000000000, 30000000001, 99999999999999}'::bigint[]) as a (amount)
        cross join unnest(array[1, -1]) as s (sign)
        cross join unnest('{1 microsecond, 999999 microseconds, 1 second, 1000001 microseconds, 1 minute, 1 hour, 30 days}'::interval[])
            as l (length)
        where pipeline.is_priceable(a.amount * s.sign, timestamptz '2025-01-01 00:00+00', timestamptz '2025-01-01 00:00+00' + l.length)
            = (a.amount::numeric * 2629800 < 1e17 * extract(epoch from l.length))
    ),
    56::bigint,
    'is_priceable says of every amount and period what its arithmetic says'
);
select is(
    (
        select count(*) filter (where u.spelling !~ '^[A-Z]{3}$') + count(*) filter (where p.spelling !~ '^[0-9]{1,3}$')
        from unnest(pipeline.usual_spellings('currency')) as u (spelling)
        full join unnest(pipeline.usual_spellings('percent')) as p (spelling)
            on p.spelling = u.spelling
    ),
    0::bigint,
    'usual spellings of a currency are three letters, those of a percentage a whole number'
);

-- pipeline.parse_time --------------------------------------------------------------------

select results_eq(
    $$
    select t.given, pipeline.parse_time(t.given)
    from unnest(
        '{2025-02-27 9:56, 2025-02-27 09:56, 2025-02-27 09:56:30, 2025-02-27T09:56Z, 2025-02-27T9:56, 2025-2-7 9:05,
          2025-02-27, 2025-2-7, 2025-12-31 23:59, 2025-01-01 0:00, 2024-02-29 12:00, 2000-02-29, 1970-01-01 0:00, 2100-03-01 00:00}'::text[]
    ) with ordinality as t (given, place)
    order by t.place
    $$,
    $$
    values
    ('2025-02-27 9:56', timestamptz '2025-02-27 09:56+00'), ('2025-02-27 09:56', '2025-02-27 09:56+00'),
    ('2025-02-27 09:56:30', '2025-02-27 09:56:30+00'), ('2025-02-27T09:56Z', '2025-02-27 09:56+00'),
    ('2025-02-27T9:56', '2025-02-27 09:56+00'), ('2025-2-7 9:05', '2025-02-07 09:05+00'),
    ('2025-02-27', '2025-02-27 00:00+00'), ('2025-2-7', '2025-02-07 00:00+00'),
    ('2025-12-31 23:59', '2025-12-31 23:59+00'), ('2025-01-01 0:00', '2025-01-01 00:00+00'),
    ('2024-02-29 12:00', '2024-02-29 12:00+00'), ('2000-02-29', '2000-02-29 00:00+00'),
    ('1970-01-01 0:00', '1970-01-01 00:00+00'), ('2100-03-01 00:00', '2100-03-01 00:00+00')
    $$,
    'parse_time reads UTC times with the year first, padded or not, with or without seconds'
);
select is(
    array(
        select t.given
        from unnest(
            array[
                '2025-02-29', '2025-02-30', '2025-02-30 9:56', '2025-04-31 0:00', '2100-02-29', '2025-13-01', '2025-00-10', '2025-01-00',
                '2025-01-32', '2025-02-27 24:00', '2025-02-27 9:60', '2025-02-27 9:56:60', '2025-02-27 9', '2025-02-27 9:5',
                '2025-02-27 100:30', '2025-02-27 :30', '2025-02-27  9:56', '2025-02-27 +5:30', '2025-02-27 -5:30', '2025-02-27 9:56 PM',
                '2025-02-27 9:56+02', '2025-02-27 9:56z', '27.02.2025', '27/02/2025 9:56', '02/27/2025', '20250227', '2025-058',
                '1899-12-31', '2200-01-01', '25-02-27', '02025-02-27', 'now', 'today', 'epoch', 'infinity', 'June-01-25 09:00',
                '2025-Feb-27', '20-5-01-07 9:56', ' 2025-02-27', '2025-02-27 ', E'2025-02-27 9:56\n', '٢٠٢٥-02-27'
            ]
        ) as t (given)
        where pipeline.parse_time(t.given) is not null
    ),
    '{}',
    'parse_time refuses days and hours that do not exist, other forms, time zones and words'
);
select is(
    (
        select count(*)
        from generate_series(timestamp '2023-12-30', '2025-01-02', '59 minutes') as t (at)
        where pipeline.parse_time(to_char(t.at, 'YYYY-MM-DD HH24:MI')) = t.at at time zone 'UTC'
            and pipeline.parse_time(to_char(t.at, 'YYYY-MM-DD FMHH24:MI')) = t.at at time zone 'UTC'
            and pipeline.parse_time(to_char(t.at, 'FMYYYY-FMMM-FMDD FMHH24:FMMI')) is not distinct from case
                when extract(minute from t.at) > 9 then t.at at time zone 'UTC'
            end
    ),
    (select count(*) from generate_series(timestamp '2023-12-30', '2025-01-02', '59 minutes')),
    'parse_time reads every hour of a leap year in its usual spellings'
);
select is(pipeline.parse_time(''), null, 'parse_time makes nothing of an empty text');
select is(pipeline.parse_time(null), null, 'parse_time makes nothing of NULL');
select is(cardinality(pipeline.usual_spellings('year')), 100, 'there are 100 usual spellings of a year');
select is(cardinality(pipeline.usual_spellings('day')), 365, 'there are 365 usual spellings of a day');
select is(cardinality(pipeline.usual_spellings('clock')), 34 * 60, 'there are 24 + 10 usual spellings of an hour, each with 60 minutes');

-- pipeline.column_name -------------------------------------------------------------------

select results_eq(
    $$ select c.file_role, pipeline.column_name(c.header) from pipeline.file_columns() c where c.source = 'stripe' $$,
    $$ select c.file_role, c.column_name from pipeline.file_columns() c where c.source = 'stripe' $$,
    'column_name makes of Stripe''s headers the names in the code'
);
select is(pipeline.column_name('  DATE(utc) '), 'date', 'column_name takes no notice of case, spaces and (UTC)');

-- pipeline.whole_months, rule R5 ---------------------------------------------------------

select is(pipeline.whole_months('2025-02-27 09:37', '2025-03-27 09:37'), 1, 'whole_months: a month');
select is(pipeline.whole_months('2025-02-01 07:53', '2026-02-01 07:53'), 12, 'whole_months: a year');
select is(
    array[
        pipeline.whole_months('2025-01-31', '2025-02-28'),
        pipeline.whole_months('2025-02-28', '2025-03-31'),
        pipeline.whole_months('2024-02-29', '2025-02-28')
    ],
    '{1, 1, 12}',
    'whole_months: month ends, counted forwards or backwards'
);
select is(
    array[
        pipeline.whole_months('2025-03-01', '2025-04-01 02:00'),
        pipeline.whole_months('2025-03-01', '2025-03-31 22:00'),
        pipeline.whole_months('2025-03-01', '2025-04-01 02:01'),
        pipeline.whole_months('2025-03-01', '2025-03-31 21:59')
    ],
    '{1, 1, null, null}',
    'whole_months: up to two hours off, and no more'
);
select is(
    array[
        pipeline.whole_months('2025-03-01', '2025-03-16'),
        pipeline.whole_months('2025-03-01', '2025-03-01 01:00'),
        pipeline.whole_months('2025-03-01', '2025-02-01'),
        pipeline.whole_months('2025-03-01', '2025-03-01')
    ],
    '{null, null, null, null}',
    'whole_months: neither a half month, nor an hour, nor a time backwards'
);
select is(pipeline.whole_months(null, '2025-03-01'), null, 'whole_months makes nothing of NULL');

-- pipeline.is_known ----------------------------------------------------------------------

select results_eq(
    $$
    select b.batch, pipeline.is_known(3, 5, b.batch), pipeline.is_known(3, null, b.batch)
    from unnest('{2, 3, 4, 5, 6, null}'::bigint[]) with ordinality as b (batch, place)
    order by b.place
    $$,
    $$
    values
    (2::bigint, false, false), (3, true, true), (4, true, true), (5, false, true), (6, false, true), (null, false, true)
    $$,
    'is_known: from its batch until the one that superseded it'
);

-- However a session is set up ------------------------------------------------------------

set local datestyle = 'German, DMY';
set local timezone = 'Pacific/Auckland';
select is(
    pipeline.parse_time('2025-03-04 5:06') at time zone 'UTC',
    make_timestamp(2025, 3, 4, 5, 6, 0),
    'parse_time means the same under any DateStyle and TimeZone'
);
select is(
    pipeline.parse_time('2025-3-4') at time zone 'UTC',
    make_timestamp(2025, 3, 4, 0, 0, 0),
    'parse_time means the same there for a day alone'
);

select * from finish();
rollback;
