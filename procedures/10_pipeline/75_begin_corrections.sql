-- Opens a batch for a file of corrections: rejected rows, corrected, and these only. Returns
-- its number, as pipeline.begin_batch does.
--
-- Such a file tells nothing of the invoices that it lacks, and the moment it tells of is
-- that of the files whose rows it corrects. Whether the history is truncated stays as it
-- is. Error MR004 where no row of that source is waiting to be corrected.
create or replace function pipeline.begin_corrections(p_source text)
returns bigint
language plpgsql
volatile
parallel unsafe
set search_path = ''
as $$
begin
    perform pipeline.lock();

    if not exists (
        select
        from raw.rejected_row r
        join meta.batch b
            on b.batch_id = r.batch_id
        where b.source = p_source
            and r.superseded_by is null
    ) then
        raise exception using
            errcode = 'MR004',
            message = format('no rejected rows of %s are waiting to be corrected', p_source),
            hint = 'Import the file without --corrections; the rejected rows: pgmrr rejected';
    end if;

    return pipeline.begin_batch(
        'import',
        p_source,
        (select bool_or(b.is_truncated) from meta.batch b where b.source = p_source),
        '{"corrections": true}'
    );
end;
$$;

comment on function pipeline.begin_corrections(text) is
    'Opens a batch for a file of corrected rows of a source and returns its number. Error MR004 where no rejected row is waiting.';
revoke all on function pipeline.begin_corrections(text) from public;
grant execute on function pipeline.begin_corrections(text) to pgmrr_writer;
