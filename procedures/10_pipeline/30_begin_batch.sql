-- Opens a batch and returns its number. Waits until this transaction is the only
-- writer. Numbers count from 1 without gaps: a batch that is rolled back leaves none.
--
-- One company a database: simulated and imported facts never mix (error MR007).
create or replace function pipeline.begin_batch(
    p_kind text,
    p_source text default null,
    p_is_truncated boolean default null,
    p_details jsonb default '{}'
)
returns bigint
language plpgsql
volatile
parallel unsafe
set search_path = ''
as $$
declare
    v_batch bigint;
begin
    perform pipeline.lock();

    if exists (
        select
        from meta.batch b
        where b.source is not null
            and (b.source = 'simulation') <> (p_source = 'simulation')
    ) then
        raise exception using
            errcode = 'MR007',
            message = 'simulated and imported data do not mix in one database',
            hint = 'Use another database (--db NAME), or start over: pgmrr reset --yes';
    end if;

    v_batch := (select coalesce(max(b.batch_id), 0) + 1 from meta.batch b);

    insert into meta.batch (batch_id, kind, source, is_truncated, details)
    values (v_batch, p_kind, p_source, p_is_truncated, p_details);

    return v_batch;
end;
$$;

comment on function pipeline.begin_batch(text, text, boolean, jsonb) is
    'Opens a batch and returns its number, as the only writer. Error MR007 where simulated and imported facts would mix.';
revoke all on function pipeline.begin_batch(text, text, boolean, jsonb) from public;
grant execute on function pipeline.begin_batch(text, text, boolean, jsonb) to pgmrr_writer;
