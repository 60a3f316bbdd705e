-- Holds the rows of read_invoices, which pipeline.read_lines or read_periods made, against
-- the versions that are known: `state` becomes rejected, new, changed (any content differs
-- from the known version) or unchanged, and they come into the order of their key. Columns
-- that such files never have are added, so that all kinds of files are stored alike.
create or replace procedure pipeline.compare_with_known()
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
begin
    alter table pg_temp.read_invoices
    add column due_at timestamptz,
    add column finalized_at timestamptz,
    add column paid_at timestamptz,
    add column voided_at timestamptz,
    add column uncollectible_at timestamptz,
    add column if not exists period_start timestamptz,
    add column if not exists period_end timestamptz,
    add column if not exists subtotal bigint,
    add column if not exists discount bigint,
    add column if not exists tax bigint,
    add column exclusive_tax bigint,
    add column inclusive_tax bigint,
    add column if not exists monthly bigint,
    add column amount_due bigint,
    add column amount_paid bigint,
    add column starting_balance bigint,
    add column ending_balance bigint,
    add column tax_percent numeric,
    add column coupons text;

    analyze pg_temp.read_invoices;

    -- Writing all rows anew takes a fraction of the time that changing them does.
    create temp table compared_invoices on commit drop as
    select
        case
            when o.problem is not null then 'rejected'
            when known.batch_id is null then 'new'
            when (
                o.of_invoice_id, o.subscription_id, o.currency, o.status, o.issued_at, o.period_start,
                o.period_end, o.line_period_start, o.line_period_end, o.subtotal, o.discount, o.tax, o.total,
                o.monthly
            ) is distinct from (
                known.of_invoice_id, known.subscription_id, known.currency, known.status, known.issued_at,
                known.period_start, known.period_end, known.line_period_start, known.line_period_end,
                known.subtotal, known.discount, known.tax, known.total, known.monthly
            )
                then 'changed'
            else 'unchanged'
        end as state,
        known.batch_id as known_batch_id,
        o.*
    from pg_temp.read_invoices o
    left join raw.invoice known
        on known.customer_id = o.customer_id
        and known.invoice_id = o.invoice_id
        and known.superseded_by is null
        and o.problem is null
    order by o.customer_id, o.invoice_id;

    drop table pg_temp.read_invoices;
    alter table pg_temp.compared_invoices rename to read_invoices;

    -- What follows joins by state: without statistics of it, by nested loops that take hours.
    analyze pg_temp.read_invoices;
end;
$$;

comment on procedure pipeline.compare_with_known() is
    'Sets the state of the lines or periods that were read, by comparison with the versions that are known.';
revoke all on procedure pipeline.compare_with_known() from public;
grant execute on procedure pipeline.compare_with_known() to pgmrr_writer;
