-- Counts anew what became of the invoices of some customers (all: NULL). Rules R1 and R2.
create or replace procedure pipeline.keep_fates(p_customers text[])
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
begin
    delete from billing.fate_cents f
    where p_customers is null or f.customer_id = any(p_customers);

    insert into billing.fate_cents (
        customer_id, currency, status, became, invoices, above_zero, total, last_batch_id
    )
    select
        f.customer_id,
        f.currency,
        f.status,
        f.became,
        f.invoices,
        f.above_zero,
        f.total,
        f.last_batch_id
    from pipeline.fates(p_customers) f;
end;
$$;

comment on procedure pipeline.keep_fates(text[]) is
    'Counts anew what became of the invoices of the customers given (NULL: all).';
revoke all on procedure pipeline.keep_fates(text[]) from public;
grant execute on procedure pipeline.keep_fates(text[]) to pgmrr_writer;
