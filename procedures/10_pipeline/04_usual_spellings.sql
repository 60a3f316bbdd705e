-- All usual spellings of a currency or a percentage, or of one part of a time, as
-- pipeline.parse_time takes it apart:
--
--     year      2000- to 2099-
--     day       01-01 to 12-31, without 02-29, which not every year has
--     clock     the time after a space, ' 00:00' to ' 23:59', and ' 0:00' to ' 9:59'
--     percent   0 to 100
--     currency  what subscriptions are mostly billed in
--
-- A text is looked up among them in a tenth of the time that a regular expression takes.
create or replace function pipeline.usual_spellings(p_part text)
returns text[]
language sql
immutable
parallel safe
return case p_part
    when 'year' then array(
        select n.year::text || '-'
        from generate_series(2000, 2099) as n (year)
    )
    when 'day' then array(
        select lpad(n.month::text, 2, '0') || '-' || lpad(n.day::text, 2, '0')
        from (
            select
                m.month,
                generate_series(1, m.days) as day
            from unnest(array[31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) with ordinality as m (days, month)
        ) n
    )
    when 'clock' then array(
        select ' ' || s.hour || ':' || lpad(m.minute::text, 2, '0')
        from generate_series(0, 23) as h (hour)
        cross join generate_series(0, 59) as m (minute)
        cross join lateral (
            select h.hour::text as hour
            union
            select lpad(h.hour::text, 2, '0')
        ) s
    )
    when 'percent' then array(
        select n.percent::text
        from generate_series(0, 100) as n (percent)
    )
    when 'currency' then array[
        'AUD', 'BRL', 'CAD', 'CHF', 'CNY', 'CZK', 'DKK', 'EUR', 'GBP', 'HKD', 'INR', 'JPY', 'MXN', 'NOK', 'NZD', 'PLN',
        'SEK', 'SGD', 'USD', 'ZAR'
    ]
end;

comment on function pipeline.usual_spellings(text) is
    'All usual spellings of what is named: percent, currency, or a part of a time (year, day or clock).';
revoke all on function pipeline.usual_spellings(text) from public;
grant execute on function pipeline.usual_spellings(text) to pgmrr_writer;
