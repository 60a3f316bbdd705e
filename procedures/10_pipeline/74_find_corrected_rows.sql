-- Which rejected rows of earlier files does this staged and read file correct, or bring
-- again? Fills the temporary table corrected: one row a pair of a line of this file and a
-- rejected row.
--
-- A rejected row is corrected by a row with its id, in whatever file. One that has no id,
-- or whose id was wrong, can only be corrected by a file of corrections: by a row that
-- agrees with it in every column but the one that could not be read, or, where it could
-- not be split as it should, whose id stands in its text.
create or replace procedure pipeline.find_corrected_rows(p_batch bigint, p_role text, p_corrects boolean)
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
    v_id text := (
        select h.header
        from pg_temp.staged_header h
        where h.file_role = p_role
            and h.column_name = 'id'
    );
begin
    if not exists (
        select
        from raw.rejected_row r
        where r.file_role = p_role
            and r.batch_id < p_batch
            and r.superseded_by is null
    ) then
        return;
    end if;

    execute format(
        $by_id$
        insert into pg_temp.corrected (file_role, line_number, batch_id, rejected_line)
        select $1, s.line_number, r.batch_id, r.line_number
        from raw.rejected_row r
        join raw.%I s
            on trim(s.id) = r.row_id
        where r.file_role = $1
            and r.batch_id < $2
            and r.superseded_by is null
        $by_id$,
        'staged_' || p_role
    )
    using p_role, p_batch;

    if not p_corrects then
        return;
    end if;

    execute format(
        $by_content$
        with brought as materialized (
            select
                s.line_number,
                trim(s.id) as id,
                (
                    select pg_catalog.jsonb_object_agg(h.header, left(pg_catalog.to_jsonb(s) ->> h.column_name, 10000))
                    from pg_temp.staged_header h
                    where h.file_role = $1
                ) as content
            from raw.%I s
            where not exists (
                select
                from pg_temp.corrected c
                where c.file_role = $1
                    and c.line_number = s.line_number
            )
        )
        insert into pg_temp.corrected (file_role, line_number, batch_id, rejected_line)
        select $1, b.line_number, r.batch_id, r.line_number
        from raw.rejected_row r
        join brought b
            on case
                when r.content ? 'the row as it stands' then b.id = any(
                    pg_catalog.regexp_split_to_array(r.content ->> 'the row as it stands', '["\s]*[,;\t]["\s]*|^["\s]+|["\s]+$')
                )
                when r.row_id is null or r.column_name = $3
                    then b.content - r.column_name = r.content - r.column_name
                else false
            end
        where r.file_role = $1
            and r.batch_id < $2
            and r.superseded_by is null
        $by_content$,
        'staged_' || p_role
    )
    using p_role, p_batch, v_id;
end;
$$;

comment on procedure pipeline.find_corrected_rows(bigint, text, boolean) is
    'Finds the rejected rows of earlier files that a staged file corrects or brings again, by their ids; in a file of corrections (p_corrects) also by their other columns.';
revoke all on procedure pipeline.find_corrected_rows(bigint, text, boolean) from public;
grant execute on procedure pipeline.find_corrected_rows(bigint, text, boolean) to pgmrr_writer;
