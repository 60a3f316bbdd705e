-- Notes in batch p_batch what the service periods that were read say about themselves:
--
--     looks_off_by_a_day   how many are whole months only where a day is added to their end
--                          (end_inclusive: taken from it), or end at 23:59; left out unless
--                          these are more than the whole months as they stand (R5)
--     ends_open            lines: how many have a start and no end, and so are one-offs (R2)
--     repeats_service      lines: how many have an invoice period that is their service's own, or
--                          later: it says nothing of a cycle before, and is not used
--     listed_through       periods: the day through which the list is taken to be complete (R11)
--
-- A list of periods does not say when it was made. Where none is given by the option as_of,
-- it is the last start; where periods still run, the last end where that is later. Starts and
-- ends that are still to come say nothing about it.
create or replace procedure pipeline.note_service(p_batch bigint, p_options jsonb)
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
    v_zone text := (select s.time_zone from meta.setting s);
    v_today date := (now() at time zone v_zone)::date;
    v_is_inclusive boolean := coalesce((p_options -> 'end_inclusive')::boolean, false);
    v_day interval := case when v_is_inclusive then interval '-1 day' else interval '1 day' end;
    v_notes jsonb := '{}'::jsonb;
    v_off bigint;
    v_whole bigint;
    v_repeats bigint;
    v_open bigint;
begin
    select
        count(*) filter (where s.is_late or (not s.is_whole and s.is_whole_by_a_day)),
        count(*) filter (where s.is_whole and not s.is_late)
    into v_off, v_whole
    from (
        select
            pipeline.whole_months(u.starts_at, u.ends_at) is not null as is_whole,
            pipeline.whole_months(u.starts_at, u.ends_at + v_day) is not null as is_whole_by_a_day,
            not v_is_inclusive and to_char(u.ends_at, 'HH24:MI') = '23:59' as is_late
        from (
            select
                r.line_period_start at time zone v_zone as starts_at,
                r.line_period_end at time zone v_zone as ends_at
            from pg_temp.read_invoices r
            where r.state <> 'rejected'
                and r.line_period_end < 'infinity'
        ) u
    ) s;

    if v_off > v_whole then
        v_notes := pg_catalog.jsonb_build_object('looks_off_by_a_day', v_off);
    end if;

    if exists (select from meta.batch b where b.batch_id = p_batch and b.source = 'lines') then
        select
            count(*) filter (where r.repeats_service),
            count(*) filter (where r.line_period_start is not null and r.line_period_end is null and r.subscription_id is not null)
        into v_repeats, v_open
        from pg_temp.read_invoices r
        where r.state <> 'rejected';

        if v_repeats > 0 then
            v_notes := v_notes || pg_catalog.jsonb_build_object('repeats_service', v_repeats);
        end if;
        if v_open > 0 then
            v_notes := v_notes || pg_catalog.jsonb_build_object('ends_open', v_open);
        end if;
    end if;

    if exists (select from meta.batch b where b.batch_id = p_batch and b.source = 'periods') then
        select v_notes || pg_catalog.jsonb_build_object(
            'listed_through',
            coalesce(
                (p_options ->> 'as_of')::date,
                greatest(
                    max(p.starts_on) filter (where p.starts_on <= v_today),
                    max(p.ends_on) filter (where p.ends_on <= v_today and v.any_runs)
                ),
                min(p.starts_on)
            )
        )
        into v_notes
        from (
            select
                (r.line_period_start at time zone v_zone)::date as starts_on,
                case when r.line_period_end < 'infinity' then (r.line_period_end at time zone v_zone)::date end as ends_on
            from pg_temp.read_invoices r
            where r.state <> 'rejected'
        ) p
        cross join (
            select coalesce(bool_or(r.line_period_end = 'infinity'), false) as any_runs
            from pg_temp.read_invoices r
            where r.state <> 'rejected'
        ) v;
    end if;

    update meta.batch b
    set details = b.details || v_notes
    where b.batch_id = p_batch;
end;
$$;

comment on procedure pipeline.note_service(bigint, jsonb) is
    'Notes in a batch whether ends of service look off by a day, and through which day a list of periods is complete.';
revoke all on procedure pipeline.note_service(bigint, jsonb) from public;
grant execute on procedure pipeline.note_service(bigint, jsonb) to pgmrr_writer;
