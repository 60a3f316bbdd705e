-- Which current invoices did an export later than p_as_of see as they are?
--
-- One row an invoice. A later export saw it where it brought the current version, or
-- where the invoice lies in the range of its dates: then the row was the same, unless it
-- is listed as absent there or was rejected; a file of corrections saw only what it brought.
-- So what an older export says of these
-- invoices counts for nothing, in whatever order exports arrive. Where none is later, no
-- row, and no invoice is looked at.
create or replace function pipeline.invoices_seen_later(p_as_of timestamptz)
returns table (
    customer_id text,
    invoice_id text
)
language sql
stable
parallel safe
begin atomic
    select
        i.customer_id,
        i.invoice_id
    from meta.batch later
    join raw.invoice i
        on i.batch_id = later.batch_id
    where later.source = 'stripe'
        and later.as_of > p_as_of
        and i.superseded_by is null
    union
    select
        i.customer_id,
        i.invoice_id
    from meta.batch later
    join raw.invoice i
        on i.issued_at between later.first_invoice_at and later.last_invoice_at
    where later.source = 'stripe'
        and later.as_of > p_as_of
        and later.details -> 'corrections' is null
        and i.superseded_by is null
        and not exists (
            select
            from raw.absent_invoice a
            where a.batch_id = later.batch_id
                and a.customer_id = i.customer_id
                and a.invoice_id = i.invoice_id
        )
        and not exists (
            select
            from raw.rejected_row r
            where r.batch_id = later.batch_id
                and r.file_role = 'invoices'
                and r.reason <> 'duplicate id in this file'
                and r.row_id = i.invoice_id
        );
end;

comment on function pipeline.invoices_seen_later(timestamptz) is
    'Current invoices that a Stripe export later than p_as_of saw as they are: one row each.';
revoke all on function pipeline.invoices_seen_later(timestamptz) from public;
grant execute on function pipeline.invoices_seen_later(timestamptz) to pgmrr_writer;
