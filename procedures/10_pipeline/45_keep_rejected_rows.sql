-- Keeps the rows of a staged and read file that could not be read, with the reason, and
-- notes in the temporary table corrected which rejected rows of earlier files it has.
--
-- Columns go by the file's own names. Very long values are cut, at 1,000 characters where
-- the value is shown and at 10,000 in the whole row. A row that could not be split as it
-- should carries its text besides, as `the row as it stands`. The batch keeps the file's
-- header, so that the rows can be written as the file had them.
--
-- Of a file of corrections, rows that change anything must each correct a rejected row: what
-- else stands in it is rejected too (`corrects no rejected row`).
create or replace procedure pipeline.keep_rejected_rows(p_batch bigint, p_role text)
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
    v_corrects boolean;
    v_any_rejected boolean;
    v_headers jsonb;
    v_again record;
begin
    select coalesce((b.details -> 'corrections')::boolean, false)
    into v_corrects
    from meta.batch b
    where b.batch_id = p_batch;

    if pg_catalog.to_regclass('pg_temp.corrected') is null then
        create temp table corrected (
            file_role text not null,
            line_number bigint not null,
            batch_id bigint not null,
            rejected_line bigint not null
        ) on commit drop;
    end if;
    call pipeline.find_corrected_rows(p_batch, p_role, v_corrects);

    if v_corrects then
        execute format(
            $reject$
            update pg_temp.%I r
            set state = 'rejected',
                problem = array[null, 'corrects no rejected row']
            where r.state in ('new', 'changed')
                and not exists (
                    select
                    from pg_temp.corrected c
                    where c.file_role = $1
                        and c.line_number = r.line_number
                )
            $reject$,
            'read_' || p_role
        )
        using p_role;
    end if;

    execute format($any$ select exists (select from pg_temp.%I r where r.state = 'rejected') $any$, 'read_' || p_role)
    into v_any_rejected;
    if not v_any_rejected then
        return;
    end if;

    execute format(
        $keep$
        -- Only rejected rows become jsonb: they are few.
        with rejected as materialized (
            select
                r.line_number,
                r.problem[1] as column_name,
                r.problem[2] as reason,
                s.row_text,
                pg_catalog.to_jsonb(s) as cells
            from pg_temp.%I r
            join raw.%I s
                on s.line_number = r.line_number
            where r.state = 'rejected'
        )
        insert into raw.rejected_row (
            batch_id, file_role, line_number, column_name, value, reason, row_id, content
        )
        select
            $1,
            $2,
            r.line_number,
            (select h.header from pg_temp.staged_header h where h.file_role = $2 and h.column_name = r.column_name),
            left(r.cells ->> r.column_name, 1000),
            r.reason,
            case when octet_length(r.cells ->> 'id') <= 255 then nullif(trim(r.cells ->> 'id'), '') end,
            (
                select pg_catalog.jsonb_object_agg(h.header, left(r.cells ->> h.column_name, 10000))
                from pg_temp.staged_header h
                where h.file_role = $2
            )
            || case
                when r.row_text is null then '{}'
                else pg_catalog.jsonb_build_object('the row as it stands', left(r.row_text, 10000))
            end
        from rejected r
        $keep$,
        'read_' || p_role,
        'staged_' || p_role
    )
    using p_batch, p_role;

    v_headers := (
        select pg_catalog.jsonb_agg(h.header order by h.place)
        from pg_temp.staged_header h
        where h.file_role = p_role
    );

    update meta.batch b
    set details = b.details || pg_catalog.jsonb_build_object(
        'headers',
        coalesce(b.details -> 'headers', '{}') || pg_catalog.jsonb_build_object(p_role, v_headers)
    )
    where b.batch_id = p_batch;

    -- The same row without an id, rejected as before.
    for v_again in
        select
            r.batch_id,
            array_agg(r.line_number) as line_numbers
        from raw.rejected_row again
        join raw.rejected_row r
            on r.batch_id < p_batch
            and r.file_role = p_role
            and r.row_id is null
            and r.superseded_by is null
            and r.content = again.content
        where again.batch_id = p_batch
            and again.file_role = p_role
            and again.row_id is null
        group by r.batch_id
    loop
        update raw.rejected_row r
        set superseded_by = p_batch
        where r.batch_id = v_again.batch_id
            and r.file_role = p_role
            and r.line_number = any(v_again.line_numbers);
    end loop;
end;
$$;

comment on procedure pipeline.keep_rejected_rows(bigint, text) is
    'Keeps the rows of a file that could not be read in raw.rejected_row, with column, value and reason, and notes in a temporary table which earlier ones the file has.';
revoke all on procedure pipeline.keep_rejected_rows(bigint, text) from public;
grant execute on procedure pipeline.keep_rejected_rows(bigint, text) to pgmrr_writer;
