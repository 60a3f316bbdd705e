-- Notes the first and last day of complete histories, which are days in the reporting
-- time zone. Rule R11.
--
-- A simulation covers the whole days between its first moment and its last. A complete
-- import begins with its first service, and ends with the day before its last invoice; a
-- list of periods ends on the day through which it was taken to be complete.
create or replace procedure pipeline.cover_complete_histories()
language sql
set search_path = ''
as $$
    update meta.batch b
    set covered_from = case b.source
            when 'simulation' then coalesce(
                ((b.details ->> 'start')::timestamp at time zone 'UTC' at time zone s.time_zone)::date,
                b.covered_from
            )
            else pipeline.first_service_on(b.batch_id)
        end,
        covered_through = case b.source
            when 'simulation' then coalesce((b.as_of at time zone s.time_zone)::date - 1, b.covered_through)
            when 'periods' then (b.details ->> 'listed_through')::date
        end
    from meta.setting s
    where not b.is_truncated;
$$;

comment on procedure pipeline.cover_complete_histories() is
    'R11: notes the first and last day of complete histories, in the reporting time zone.';
revoke all on procedure pipeline.cover_complete_histories() from public;
grant execute on procedure pipeline.cover_complete_histories() to pgmrr_writer;
