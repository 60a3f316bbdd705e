-- Keeps the rows of a staged and read file that could not be read, with the reason.
--
-- Columns go by the file's own names. Very long values are cut, at 1,000 characters where
-- the value is shown and at 10,000 in the whole row. A row that could not be split as it
-- should carries its text besides, as `the row as it stands`.
create or replace procedure pipeline.keep_rejected_rows(p_batch bigint, p_role text)
language plpgsql
set search_path = ''
as $$
begin
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
            from pg_temp.read_%1$s r
            join pg_temp.staged_%1$s s
                on s.line_number = r.line_number
            where r.state = 'rejected'
        )
        insert into raw.rejected_row (batch_id, file_role, line_number, column_name, value, reason, content)
        select
            $1,
            $2,
            r.line_number,
            (select h.header from pg_temp.staged_header h where h.file_role = $2 and h.column_name = r.column_name),
            left(r.cells ->> r.column_name, 1000),
            r.reason,
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
        p_role
    )
    using p_batch, p_role;
end;
$$;

comment on procedure pipeline.keep_rejected_rows(bigint, text) is
    'Keeps the rows of a file that could not be read in raw.rejected_row, with column, value and reason.';
revoke all on procedure pipeline.keep_rejected_rows(bigint, text) from public;
grant execute on procedure pipeline.keep_rejected_rows(bigint, text) to pgmrr_writer;
