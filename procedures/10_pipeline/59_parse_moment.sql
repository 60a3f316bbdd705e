-- Reads a day or a time, year first, as files and databases write them:
--
--     2025-02-27                       midnight in the time zone p_zone: a day is a day there
--     2025-02-27 9:56                  UTC, as pipeline.parse_time reads it
--     2025-02-27 09:56:30.5+02:00      the moment that it says; Z, +02 and +0200 as well
--
-- NULL where it is empty or no such time exists (2025-02-30). The usual form of a day comes
-- first, as in pipeline.parse_time.
create or replace function pipeline.parse_moment(p_text text, p_zone text)
returns timestamptz
language sql
stable
parallel safe
return case
    when left(p_text, 5) = any(pipeline.usual_spellings('year'))
        and substr(p_text, 6) = any(pipeline.usual_spellings('day'))
        then p_text::timestamp at time zone p_zone
    when length(p_text) <= 10
        then (pipeline.parse_time(p_text) at time zone 'UTC') at time zone p_zone
    when p_text ~ '^[0-9-]{8,10}[ T][0-9:]{4,8}$'
        then pipeline.parse_time(p_text)
    when p_text ~ '^[0-9-]{8,10}[ T][0-9:]{4,8}(\.[0-9]{1,9})? ?(Z|UTC|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)?$'
        then pipeline.parse_time(substring(p_text from '^[0-9-]{8,10}[ T][0-9:]{4,8}'))
            + make_interval(secs => coalesce(substring(p_text from ':[0-9]{2}(\.[0-9]{1,9})'), '0')::double precision)
            - coalesce(
                (
                    substring(p_text from '([+-])[0-9]{2}:?[0-9]{0,2}$')
                    || coalesce(substring(p_text from '[+-]([0-9]{2}):?[0-9]{0,2}$'), '0')
                    || ' hours '
                    || substring(p_text from '([+-])[0-9]{2}:?[0-9]{0,2}$')
                    || coalesce(nullif(substring(p_text from '[+-][0-9]{2}:?([0-9]{2})$'), ''), '0')
                    || ' minutes'
                )::interval,
                interval '0'
            )
end;

comment on function pipeline.parse_moment(text, text) is
    'A day (midnight in p_zone), or a time (UTC where it names no offset), year first; NULL where it is not one.';
revoke all on function pipeline.parse_moment(text, text) from public;
grant execute on function pipeline.parse_moment(text, text) to pgmrr_writer;
