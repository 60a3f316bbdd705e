-- Counts anew what became of the invoices of some customers. Rules R1 and R2.
--
-- Only what differs is written, customer by customer.
create or replace procedure pipeline.keep_fates(p_customers text[])
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
set enable_nestloop = off
set enable_seqscan = off
set jit = off
as $$
declare
    v_new billing.fate_cents[] := array(select f from pipeline.fates(p_customers) f);
    v_old billing.fate_cents[] := array(
        select f from billing.fate_cents f where f.customer_id = any(p_customers)
    );
    v_changed text[];
begin
    v_changed := array(
        select distinct coalesce(n.customer_id, o.customer_id)
        from unnest(v_new) n
        full join unnest(v_old) o
            on o.customer_id = n.customer_id
            and o.currency = n.currency
            and o.status = n.status
            and o.became = n.became
        where (o.invoices, o.above_zero, o.total, o.last_batch_id)
            is distinct from (n.invoices, n.above_zero, n.total, n.last_batch_id)
    );

    delete from billing.fate_cents f
    where f.customer_id = any(v_changed);

    insert into billing.fate_cents (
        customer_id, currency, status, became, invoices, above_zero, total, last_batch_id
    )
    select
        n.customer_id,
        n.currency,
        n.status,
        n.became,
        n.invoices,
        n.above_zero,
        n.total,
        n.last_batch_id
    from unnest(v_new) n
    where n.customer_id = any(v_changed);
end;
$$;

comment on procedure pipeline.keep_fates(text[]) is
    'Counts anew what became of the invoices of the customers given.';
revoke all on procedure pipeline.keep_fates(text[]) from public;
grant execute on procedure pipeline.keep_fates(text[]) to pgmrr_writer;
