-- Which rows could not be read and are still missing, and why?
--
-- One row a rejected row of a file. A row that a later import brought corrected is no
-- longer among them; one that was rejected again stands here as it was last.
create or replace view kpi.rejected_rows as
select
    r.batch_id,
    f.file,
    r.file_role,
    r.line_number,
    r.column_name,
    r.value,
    r.reason,
    h.hint,
    r.row_id,
    b.details -> 'headers' -> r.file_role as header,
    r.content
from raw.rejected_row r
join meta.batch b
    on b.batch_id = r.batch_id
left join kpi.reject_reasons h
    on h.reason = r.reason
left join lateral (
    select max(f.file ->> 'name') as file
    from jsonb_array_elements(b.files) as f (file)
    where f.file ->> 'role' = r.file_role
) f on true
where r.superseded_by is null;

comment on view kpi.rejected_rows is 'Rows of imported files that could not be read and that no later import corrected, one row each.';
comment on column kpi.rejected_rows.batch_id is 'The import.';
comment on column kpi.rejected_rows.file is 'Name of the file.';
comment on column kpi.rejected_rows.file_role is 'What the file holds: invoices, customers, lines or periods.';
comment on column kpi.rejected_rows.line_number is 'Line of the file, the header being line 1.';
comment on column kpi.rejected_rows.column_name is 'The first column that could not be read; NULL where the row as a whole could not.';
comment on column kpi.rejected_rows.value is 'What stood there.';
comment on column kpi.rejected_rows.reason is 'Why it was rejected: one of kpi.reject_reasons.';
comment on column kpi.rejected_rows.hint is 'How to correct it.';
comment on column kpi.rejected_rows.row_id is 'The row''s own id, where it has one.';
comment on column kpi.rejected_rows.header is 'Array of the file''s columns in their order.';
comment on column kpi.rejected_rows.content is 'The whole row, by column name; very long values are cut.';
grant select on kpi.rejected_rows to pgmrr_reader, pgmrr_writer;
