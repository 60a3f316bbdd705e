-- What was brought in, and when? One row a batch: an import, a simulation, a change of
-- settings or rates. The summary says in words what it did; details hold the counts.
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
    b.details,
    case b.kind
        when 'settings' then format(
            '%s: %s → %s%s',
            b.details ->> 'setting',
            coalesce(b.details ->> 'old', 'default'),
            coalesce(b.details ->> 'new', 'default'),
            ', with the rate of ' || (
                select string_agg(r.currency, ', ' order by r.currency)
                from jsonb_object_keys(b.details -> 'rates') as r (currency)
            )
        )
        when 'rates' then format(
            '1 EUR = %s %s%s',
            b.details #>> '{new,per_euro}',
            b.details ->> 'currency',
            ' (before: ' || (b.details #>> '{old,per_euro}') || ')'
        )
        when 'simulation' then (
            select string_agg(
                concat_ws(' ', to_char((b.details ->> c.counted)::bigint, 'FM999,999,999,999,990'), c.noun),
                ', '
                order by c.place
            )
            from (
                values (1, 'acquired', 'customers'), (2, 'invoices', 'invoices'), (3, 'sessions', 'sessions')
            ) c (place, counted, noun)
            where b.details ->> c.counted is not null
        )
        else concat(
            case when b.details -> 'corrections' is not null then 'corrections: ' end,
            (
                select string_agg(
                    concat_ws(
                        ', ',
                        to_char((r.counts ->> 'rows')::bigint, 'FM999,999,999,999,990') || ' ' || r.role,
                        to_char(nullif((r.counts ->> 'new')::bigint, 0), 'FM999,999,999,999,990') || ' new',
                        to_char(nullif((r.counts ->> 'changed')::bigint, 0), 'FM999,999,999,999,990') || ' changed',
                        to_char(nullif((r.counts ->> 'dropped')::bigint, 0), 'FM999,999,999,999,990') || ' dropped',
                        to_char(nullif((r.counts ->> 'rejected')::bigint, 0), 'FM999,999,999,999,990') || ' rejected'
                    ),
                    '; '
                )
                from (
                    values
                    (case when b.source in ('lines', 'periods') then b.source else 'invoices' end, b.details -> 'invoices'),
                    ('customers', b.details -> 'customers')
                ) r (role, counts)
                where r.counts ->> 'rows' <> '0'
            )
        )
    end as summary
from meta.batch b;

comment on view kpi.batches is 'What was brought in and when, one row a batch.';
comment on column kpi.batches.batch_id is 'Number of the batch.';
comment on column kpi.batches.kind is 'import, simulation, settings or rates.';
comment on column kpi.batches.source is 'stripe, lines, periods or simulation; NULL for settings and rates.';
comment on column kpi.batches.created_at is 'When it was written.';
comment on column kpi.batches.created_by is 'The role that wrote it.';
comment on column kpi.batches.files is 'Names of the files read.';
comment on column kpi.batches.details is 'Counts of an import, parameters of a simulation, old and new values of settings and rates.';
comment on column kpi.batches.summary is 'What it did, in words: rows of files by what became of them, or the old and the new value.';
grant select on kpi.batches to pgmrr_reader, pgmrr_writer;
