-- Reads a UTC time: '2025-02-27 9:56', '2025-02-27 09:56:30', '2025-02-27T09:56Z',
-- '2025-02-27'. NULL where it is empty or no such time exists (2025-02-30).
--
-- Only the form with the year first is read, whose meaning no DateStyle changes. Days up
-- to 28 exist in every month; the others are held against the month's end. An import
-- reads ten such columns: the usual form goes without regular expressions, five times as
-- fast. The body is one expression, so that it is inlined.
create or replace function pipeline.parse_time(p_text text)
returns timestamptz
language sql
stable
parallel safe
return case
    when p_text is null then null
    when left(p_text, 5) = any(pipeline.usual_spellings('year'))
        and substr(p_text, 6, 5) = any(pipeline.usual_spellings('day'))
        and substr(p_text, 11) = any(pipeline.usual_spellings('clock'))
        then (p_text || 'Z')::timestamptz
    when p_text !~ '^(19|20|21)[0-9]{2}-(0?[1-9]|1[0-2])-(0?[1-9]|[12][0-9]|3[01])([ T]([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?Z?)?$'
        then null
    when p_text !~ '^[0-9]{4}-[0-9]{1,2}-(29|3[01])'
        or substring(p_text, '^[0-9]{4}-[0-9]{1,2}-([0-9]{2})')::integer <= extract(
            day from (substring(p_text, '^([0-9]{4}-[0-9]{1,2})-') || '-1')::date + interval '1 month - 1 day'
        )
        then replace(rtrim(p_text, 'Z'), 'T', ' ')::timestamp at time zone 'UTC'
end;

comment on function pipeline.parse_time(text) is
    'A UTC time, year first, with or without zero padding and seconds; NULL where it is not one.';
revoke all on function pipeline.parse_time(text) from public;
grant execute on function pipeline.parse_time(text) to pgmrr_writer;
