-- Notes the first and last day of complete histories, which are days in the reporting
-- time zone. Rule R11.
--
-- A simulation covers the whole days between its first moment and its last. A complete
-- import begins with its first service, and ends with the day before its last invoice; a
-- list of periods ends on the day through which it was taken to be complete.
create or replace procedure pipeline.cover_complete_histories()
language plpgsql
set search_path = ''
as $$
declare
    v_zone text := (select s.time_zone from meta.setting s);
    v_batch record;
begin
    for v_batch in
        select b.batch_id, b.source, b.details, b.as_of, b.covered_from, b.covered_through
        from meta.batch b
        where not b.is_truncated
        order by b.batch_id
    loop
        if v_batch.source = 'simulation' then
            v_batch.covered_from := coalesce(
                ((v_batch.details ->> 'start')::timestamp at time zone 'UTC' at time zone v_zone)::date,
                v_batch.covered_from
            );
            v_batch.covered_through := coalesce((v_batch.as_of at time zone v_zone)::date - 1, v_batch.covered_through);
        else
            v_batch.covered_from := pipeline.first_service_on(v_batch.batch_id);
            v_batch.covered_through := case when v_batch.source = 'periods' then (v_batch.details ->> 'listed_through')::date end;
        end if;

        update meta.batch b
        set covered_from = v_batch.covered_from,
            covered_through = v_batch.covered_through
        where b.batch_id = v_batch.batch_id;
    end loop;
end;
$$;

comment on procedure pipeline.cover_complete_histories() is
    'R11: notes the first and last day of complete histories, in the reporting time zone.';
revoke all on procedure pipeline.cover_complete_histories() from public;
grant execute on procedure pipeline.cover_complete_histories() to pgmrr_writer;
