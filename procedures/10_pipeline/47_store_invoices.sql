-- Stores the invoices that were read, or lines or periods, as versions of batch p_batch,
-- lists the known ones of the same source that the file lacks, and says in the batch what
-- range of dates it tells of.
--
-- The moment that an export of Stripe's tells of (as_of) is its latest event: an invoice's
-- date, its finalization, payment, voiding, or mark as uncollectible. An earlier export never
-- overwrites a later one, so that the order in which overlapping exports arrive does not
-- matter. Lines and periods do not say when they were so: there, what is imported last
-- counts. A row comes to nothing (state `older`) where
--
--   - a later export saw the invoice otherwise, or dropped it;
--   - it is unknown, and a later export that drops what it lacks should have had it.
--
-- Absent are current invoices whose date lies in the file's range, that the file does not
-- have, not even in a rejected row, and that no later export saw; of a list of periods,
-- which is whole, all that it does not have. With p_replace they are dropped: superseded
-- without a successor. At the very first and last moment of an export's range they are
-- listed only, since the range may begin and end within that minute.
--
-- A file of corrections holds a few rows of other files: it tells of the same moment as they,
-- and nothing of what it lacks.
create or replace procedure pipeline.store_invoices(p_batch bigint, p_replace boolean)
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
    v_corrects boolean := (select b.details -> 'corrections' is not null from meta.batch b where b.batch_id = p_batch);
    v_source text := (select b.source from meta.batch b where b.batch_id = p_batch);
    v_as_of timestamptz;
    v_first timestamptz;
    v_last timestamptz;
    v_later record;
begin
    select
        case
            when v_source = 'stripe'
                then max(g.last_event_at)
        end,
        min(g.first_issued_at),
        max(g.last_issued_at)
    into v_as_of, v_first, v_last
    from pg_temp.read_groups g
    where g.state <> 'rejected';

    if v_corrects then
        select greatest(v_as_of, max(b.as_of))
        into v_as_of
        from pg_temp.corrected c
        join meta.batch b
            on b.batch_id = c.batch_id;
    end if;

    update meta.batch b
    set as_of = v_as_of,
        first_invoice_at = v_first,
        last_invoice_at = v_last
    where b.batch_id = p_batch;

    if exists (select from meta.batch b where b.source = 'stripe' and b.as_of > v_as_of) then
        update pg_temp.read_invoices r
        set state = 'older'
        from pipeline.invoices_seen_later(v_as_of) s
        where r.state = 'changed'
            and s.customer_id = r.customer_id
            and s.invoice_id = r.invoice_id;

        for v_later in
            select b.batch_id, b.first_invoice_at, b.last_invoice_at, b.details
            from meta.batch b
            where b.source = 'stripe'
                and b.as_of > v_as_of
        loop
            update pg_temp.read_invoices r
            set state = 'older'
            where r.state = 'new'
                and (
                    (r.customer_id, r.invoice_id) in (
                        select a.customer_id, a.invoice_id
                        from raw.absent_invoice a
                        where a.batch_id = v_later.batch_id
                            and a.is_dropped
                    )
                    or (
                        (v_later.details -> 'replace')::boolean
                        and r.issued_at > v_later.first_invoice_at
                        and r.issued_at < v_later.last_invoice_at
                        and not exists (
                            select
                            from raw.rejected_row j
                            where j.batch_id = v_later.batch_id
                                and j.file_role = 'invoices'
                                and j.row_id = r.invoice_id
                        )
                    )
                );
        end loop;

        -- What this file has and a later one should have had is absent there.
        for v_later in
            select b.batch_id, b.first_invoice_at, b.last_invoice_at
            from meta.batch b
            where b.source = 'stripe'
                and b.as_of > v_as_of
                and b.details -> 'corrections' is null
        loop
            insert into raw.absent_invoice (batch_id, customer_id, invoice_id, is_dropped, noted_by)
            select
                v_later.batch_id,
                r.customer_id,
                r.invoice_id,
                false,
                p_batch
            from pg_temp.read_invoices r
            where r.issued_at between v_later.first_invoice_at and v_later.last_invoice_at
                and r.state in ('new', 'changed')
                and not exists (
                    select
                    from raw.rejected_row j
                    where j.batch_id = v_later.batch_id
                        and j.file_role = 'invoices'
                        and j.row_id = r.invoice_id
                )
            on conflict do nothing;
        end loop;

        call pipeline.group_read_rows();
    end if;

    if v_source = 'lines' then
        with brought as (
            select
                r.customer_id,
                array_agg(distinct r.of_invoice_id) as of_invoice_ids,
                array_agg(r.invoice_id) as invoice_ids
            from pg_temp.read_invoices r
            where r.state <> 'rejected'
            group by r.customer_id
        )
        insert into raw.absent_invoice (batch_id, customer_id, invoice_id, is_dropped, noted_by)
        select
            p_batch,
            i.customer_id,
            i.invoice_id,
            true,
            p_batch
        from brought b
        join raw.invoice i
            on i.customer_id = b.customer_id
            and i.of_invoice_id = any(b.of_invoice_ids)
            and i.superseded_by is null
        where i.invoice_id <> all(b.invoice_ids);
    end if;

    with known as (
        select
            i.customer_id,
            i.invoice_id,
            i.of_invoice_id,
            i.issued_at
        from raw.invoice i
        join meta.batch b
            on b.batch_id = i.batch_id
            and b.source = v_source
        where not v_corrects
            and i.superseded_by is null
            and (v_source = 'periods' or i.issued_at between v_first and v_last)
    )
    insert into raw.absent_invoice (batch_id, customer_id, invoice_id, is_dropped, noted_by)
    select
        p_batch,
        i.customer_id,
        i.invoice_id,
        p_replace and (v_source <> 'stripe' or (i.issued_at > v_first and i.issued_at < v_last)),
        p_batch
    from known i
    where not exists (
            select
            from pg_temp.read_invoices r
            where r.invoice_id = i.invoice_id
                and (r.customer_id = i.customer_id or r.state = 'rejected')
        )
        and not exists (
            select
            from pg_temp.read_invoices r
            where r.of_invoice_id = i.of_invoice_id
                and r.state = 'rejected'
        )
        and not exists (
            select
            from pipeline.invoices_seen_later(v_as_of) s
            where s.customer_id = i.customer_id
                and s.invoice_id = i.invoice_id
        )
    on conflict do nothing;

    update raw.invoice i
    set superseded_by = p_batch
    from raw.absent_invoice a
    where a.batch_id = p_batch
        and a.is_dropped
        and i.customer_id = a.customer_id
        and i.invoice_id = a.invoice_id
        and i.superseded_by is null;

    if exists (select from pg_temp.read_groups g where g.state = 'changed') then
        update raw.invoice i
        set superseded_by = p_batch
        from pg_temp.read_invoices r
        where r.state = 'changed'
            and i.customer_id = r.customer_id
            and i.invoice_id = r.invoice_id
            and i.batch_id = r.known_batch_id;
    end if;

    -- Rows come in the order of the key, or nearly so.
    insert into raw.invoice (
        customer_id, invoice_id, batch_id, line_number, of_invoice_id, subscription_id, currency, status, issued_at,
        due_at, finalized_at, paid_at, voided_at, uncollectible_at, period_start, period_end, line_period_start,
        line_period_end, subtotal, discount, tax, exclusive_tax, inclusive_tax, total, monthly, amount_due,
        amount_paid, starting_balance, ending_balance, tax_percent, coupons
    )
    select
        r.customer_id, r.invoice_id, p_batch, r.line_number, r.of_invoice_id, r.subscription_id, r.currency, r.status,
        r.issued_at, r.due_at, r.finalized_at, r.paid_at, r.voided_at, r.uncollectible_at, r.period_start,
        r.period_end, r.line_period_start, r.line_period_end, r.subtotal, r.discount, r.tax, r.exclusive_tax,
        r.inclusive_tax, r.total, r.monthly, r.amount_due, r.amount_paid, r.starting_balance, r.ending_balance,
        r.tax_percent, r.coupons
    from pg_temp.read_invoices r
    where r.state in ('new', 'changed');
end;
$$;

comment on procedure pipeline.store_invoices(bigint, boolean) is
    'Stores the invoices that were read as versions of a batch, and lists (p_replace: drops) the known ones that the file lacks.';
revoke all on procedure pipeline.store_invoices(bigint, boolean) from public;
grant execute on procedure pipeline.store_invoices(bigint, boolean) to pgmrr_writer;
