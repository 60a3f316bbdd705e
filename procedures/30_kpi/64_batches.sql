-- What was brought in, and when? One row a batch: an import, a simulation, a change of
-- settings or rates.
create or replace view kpi.batches as
select
    b.batch_id,
    b.kind,
    b.source,
    b.created_at,
    b.created_by,
    (
        select string_agg(f.file ->> 'name', ', ' order by f.place)
        from jsonb_array_elements(b.files) with ordinality as f (file, place)
    ) as files,
    b.details
from meta.batch b;

comment on view kpi.batches is 'What was brought in and when, one row a batch.';
comment on column kpi.batches.batch_id is 'Number of the batch.';
comment on column kpi.batches.kind is 'import, simulation, settings or rates.';
comment on column kpi.batches.source is 'stripe or simulation; NULL for settings and rates.';
comment on column kpi.batches.created_at is 'When it was written.';
comment on column kpi.batches.created_by is 'The role that wrote it.';
comment on column kpi.batches.files is 'Names of the files read.';
comment on column kpi.batches.details is 'Counts of an import, parameters of a simulation, old and new values of settings and rates.';
grant select on kpi.batches to pgmrr_reader, pgmrr_writer;
