-- Which rows could not be read, and why? One row a rejected row of a file.
create or replace view kpi.rejected_rows as
select
    r.batch_id,
    f.file,
    r.line_number,
    r.column_name,
    r.value,
    r.reason
from raw.rejected_row r
join meta.batch b
    on b.batch_id = r.batch_id
left join lateral (
    select max(f.file ->> 'name') as file
    from jsonb_array_elements(b.files) as f (file)
    where f.file ->> 'role' = r.file_role
) f on true;

comment on view kpi.rejected_rows is 'Rows of imported files that could not be read, one row each.';
comment on column kpi.rejected_rows.batch_id is 'The import.';
comment on column kpi.rejected_rows.file is 'Name of the file.';
comment on column kpi.rejected_rows.line_number is 'Line of the file, the header being line 1.';
comment on column kpi.rejected_rows.column_name is 'The first column that could not be read; NULL where the row as a whole could not.';
comment on column kpi.rejected_rows.value is 'What stood there.';
comment on column kpi.rejected_rows.reason is 'Why it was rejected.';
grant select on kpi.rejected_rows to pgmrr_reader, pgmrr_writer;
