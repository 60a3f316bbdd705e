-- Which rejected rows of earlier files are done with by import p_batch? They are superseded.
--
-- A rejected row is, where the import has a row that corrects it, or the same row rejected
-- again, unless the import's files are older than the one that the row stood in: what that
-- one said is missing still. A row without an id cannot be followed; it is done with by a
-- later export that covers all the dates of its file (of customers: by any later customer
-- file), since that has the row too, right or rejected again.
create or replace procedure pipeline.supersede_rejected_rows(p_batch bigint)
language plpgsql
set search_path = ''
as $$
declare
    v_corrected record;
    v_earlier record;
begin
    for v_corrected in
        select
            c.batch_id,
            c.file_role,
            array_agg(c.rejected_line) as line_numbers
        from pg_temp.corrected c
        join meta.batch earlier
            on earlier.batch_id = c.batch_id
        join meta.batch own
            on own.batch_id = p_batch
        where (own.as_of < earlier.as_of) is not true
        group by c.batch_id, c.file_role
    loop
        update raw.rejected_row r
        set superseded_by = p_batch
        where r.batch_id = v_corrected.batch_id
            and r.file_role = v_corrected.file_role
            and r.line_number = any(v_corrected.line_numbers);
    end loop;

    for v_earlier in
        select
            earlier.batch_id,
            pg_catalog.jsonb_path_exists(own.files, '$[*] ? (@.role == "customers")') as brings_customers,
            own.first_invoice_at <= earlier.first_invoice_at
            and own.last_invoice_at >= earlier.last_invoice_at as spans_it
        from meta.batch earlier
        join meta.batch own
            on own.source = earlier.source
        where own.batch_id = p_batch
            and own.batch_id > earlier.batch_id
            and own.details -> 'corrections' is null
            and (own.as_of < earlier.as_of) is not true
    loop
        update raw.rejected_row r
        set superseded_by = p_batch
        where r.batch_id = v_earlier.batch_id
            and r.row_id is null
            and r.superseded_by is null
            and case when r.file_role = 'customers' then v_earlier.brings_customers else v_earlier.spans_it end;
    end loop;
end;
$$;

comment on procedure pipeline.supersede_rejected_rows(bigint) is
    'Supersedes the rejected rows of earlier files that an import has corrected, or has again.';
revoke all on procedure pipeline.supersede_rejected_rows(bigint) from public;
grant execute on procedure pipeline.supersede_rejected_rows(bigint) to pgmrr_writer;
