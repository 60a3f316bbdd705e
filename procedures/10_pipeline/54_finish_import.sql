-- Completes import p_batch: charges, ledger and totals follow the facts. Returns the
-- report.
--
-- Only customers whose facts changed are refreshed: those with new, changed or dropped
-- invoices, and those with invoices whose creation or number of payments changed (R10).
--
-- The same files again change nothing and leave no batch behind. A batch of other files
-- stays even where each of its facts was known: it tells until when they were so.
--
-- The report is the batch as jsonb, batch_id being NULL where nothing changed, with what
-- became of the invoices in the file, so that each row of it is in one of these counts:
--
--     "fates": [{"fate": "charge", "detail": "term", "invoices": 7905}, …]
--
-- and, where anything changed, with what became of MRR (`mrr`, see pipeline.mrr_effect) and
-- how many warnings there are about what the batch brought (`warnings`, by warning), how many
-- of its credits found nothing to take away (`unmatched_credits`), and how many lines or
-- periods of it replace what a file with later dates said (`replaces_later`: there, what is
-- imported last counts). All are figures of the moment, and not kept; and so is whether rows of
-- these files, rejected now or when they came first, are waiting to be corrected
-- (`has_rejected_rows`).
--
-- The fates are those of kpi.invoice_fate, besides `not stored` (rows of an older file whose
-- invoice a later one dropped) and `rejected`, with the reason.
create or replace function pipeline.finish_import(p_batch bigint)
returns jsonb
language plpgsql
volatile
parallel unsafe
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
    v_customers text[];
    v_unbilled text[];
    v_few text[];
    v_has_known boolean := exists (select from pg_temp.read_groups g where g.state in ('unchanged', 'older'));
    v_has_changed boolean := exists (select from pg_temp.read_groups g where g.state = 'changed');
    v_is_repeated boolean;
    v_fates jsonb;
    v_files jsonb;
    v_effect jsonb;
    v_report jsonb;
begin
    v_customers := array(
        select r.customer_id
        from pg_temp.read_invoices r
        where r.state in ('new', 'changed')
        union
        select a.customer_id
        from raw.absent_invoice a
        where a.batch_id = p_batch
            and a.is_dropped
    );

    if pg_catalog.to_regclass('pg_temp.read_customers') is not null then
        v_customers := v_customers || array(
            with moved as (
                select r.customer_id
                from pg_temp.read_customers r
                where r.state in ('new', 'changed')
                    and r.moves_kinds
            )
            select distinct i.customer_id
            from moved m
            join raw.invoice i
                on i.customer_id = m.customer_id
                and i.superseded_by is null
        );
    end if;

    -- Of a few customers, what they have is looked up; else it is quicker to go through all.
    v_few := case when cardinality(v_customers) <= 1000 then v_customers end;

    call pipeline.supersede_rejected_rows(p_batch);

    select
        cardinality(v_customers) = 0
        and not exists (select from raw.customer c where c.batch_id = p_batch)
        and exists (
            select
            from meta.batch earlier
            where earlier.batch_id < p_batch
                and earlier.kind = 'import'
                and earlier.source = own.source
                and earlier.is_truncated = own.is_truncated
                and earlier.details -> 'replace' = own.details -> 'replace'
                and earlier.details -> 'corrections' is not distinct from own.details -> 'corrections'
                and earlier.details -> 'options' is not distinct from own.details -> 'options'
                and earlier.covered_through is not distinct from own.covered_through
                and pg_catalog.jsonb_path_query_array(earlier.files, '$[*].sha256')
                    = pg_catalog.jsonb_path_query_array(own.files, '$[*].sha256')
                and pg_catalog.jsonb_array_length(earlier.files) = pg_catalog.jsonb_array_length(own.files)
                and pg_catalog.jsonb_path_exists(own.files, '$[*].sha256')
        )
    into v_is_repeated
    from meta.batch own
    where own.batch_id = p_batch;

    if not v_is_repeated then
        call pipeline.remember_mrr(v_customers);
        call pipeline.refresh_touched(v_customers);

        -- Who has no invoices has no charges to refresh, but is known from now on.
        v_unbilled := array(
            select c.customer_id
            from raw.customer c
            where c.batch_id = p_batch
                and not exists (select from ledger.history h where h.customer_id = c.customer_id)
        );
        call pipeline.keep_histories(v_unbilled);
    end if;

    if v_has_known or v_has_changed then
        analyze pg_temp.read_invoices;
    end if;

    with repeated as (
        select
            r.customer_id,
            r.invoice_id
        from pg_temp.read_invoices r
        where v_has_known
            and r.state in ('unchanged', 'older')
    ),
    known as (
        select
            f.customer_id,
            f.invoice_id,
            f.fate,
            f.detail
        from repeated r
        join kpi.invoice_fate f
            on f.customer_id = r.customer_id
            and f.invoice_id = r.invoice_id
    )
    select coalesce(
        pg_catalog.jsonb_agg(
            pg_catalog.jsonb_build_object('fate', t.fate, 'detail', t.detail, 'invoices', t.invoices)
            order by
                array_position(array['charge', 'one-off', 'not counted', 'not stored', 'rejected'], t.fate),
                t.invoices desc,
                t.detail
        ),
        '[]'
    )
    into v_fates
    from (
        select
            f.fate,
            f.detail,
            sum(f.invoices) as invoices
        from (
            select
                s.fate,
                s.detail,
                count(*) as invoices
            from kpi.invoice_fate s
            where s.batch_id = p_batch
                and (v_few is null or s.customer_id = any(v_few))
            group by s.fate, s.detail
            union all
            select
                coalesce(k.fate, 'not stored'),
                coalesce(k.detail, 'dropped later'),
                count(*)
            from repeated r
            left join known k
                on k.customer_id = r.customer_id
                and k.invoice_id = r.invoice_id
            group by k.fate, k.detail
            union all
            select
                'rejected',
                g.reason,
                g.rows
            from pg_temp.read_groups g
            where g.state = 'rejected'
        ) f
        group by f.fate, f.detail
    ) t;

    update meta.batch b
    set details = b.details || pg_catalog.jsonb_build_object('fates', v_fates)
    where b.batch_id = p_batch;
    v_report := (select pg_catalog.to_jsonb(b) from meta.batch b where b.batch_id = p_batch);

    v_files := (select pg_catalog.jsonb_path_query_array(b.files, '$[*].sha256') from meta.batch b where b.batch_id = p_batch);

    if v_is_repeated then
        delete from raw.rejected_row r where r.batch_id = p_batch;
        update raw.rejected_row r set superseded_by = null where r.superseded_by = p_batch;
        delete from raw.absent_invoice a where a.noted_by = p_batch;
        delete from meta.batch b where b.batch_id = p_batch;
        v_report := v_report || '{"batch_id": null}';
    else
        call pipeline.mrr_effect(v_effect);
        v_report := v_report || pg_catalog.jsonb_build_object(
            'mrr', v_effect,
            'warnings', pipeline.warnings_of_batch(p_batch, v_customers),
            'unmatched_credits', (
                select count(distinct c.invoice_id)
                from billing.charge_cents c
                join raw.invoice i
                    on i.customer_id = c.customer_id
                    and i.invoice_id = c.invoice_id
                    and i.batch_id = p_batch
                where c.unmatched > 0
                    and (v_few is null or c.customer_id = any(v_few))
            ),
            'replaces_later', (
                select count(*)
                from pg_temp.read_invoices r
                join meta.batch known
                    on known.batch_id = r.known_batch_id
                join meta.batch own
                    on own.batch_id = p_batch
                where v_has_changed
                    and r.state = 'changed'
                    and own.source in ('lines', 'periods')
                    and own.details -> 'corrections' is null
                    and known.last_invoice_at > own.last_invoice_at
            )
        );
        drop table pg_temp.mrr_range, pg_temp.mrr_days, pg_temp.mrr_balances;
    end if;

    v_report := v_report || pg_catalog.jsonb_build_object(
        'has_rejected_rows',
        exists (
            select
            from raw.rejected_row r
            join meta.batch b
                on b.batch_id = r.batch_id
            where r.superseded_by is null
                and (
                    b.batch_id = p_batch
                    or v_is_repeated and pg_catalog.jsonb_path_query_array(b.files, '$[*].sha256') = v_files
                )
        )
    );

    drop table pg_temp.staged_header, pg_temp.read_invoices, pg_temp.read_groups, pg_temp.corrected;
    drop table if exists pg_temp.read_customers;
    return v_report;
end;
$$;

comment on function pipeline.finish_import(bigint) is
    'Completes an import: refreshes the customers that it touched, and returns the report as jsonb. Removes the batch where the same files changed nothing.';
revoke all on function pipeline.finish_import(bigint) from public;
grant execute on function pipeline.finish_import(bigint) to pgmrr_writer;
