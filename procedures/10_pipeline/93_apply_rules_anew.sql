-- Makes the charges and movements of some customers anew: what pipeline.apply_rules does where
-- nothing is stored, and for tables that Citus has divided.
--
-- Citus takes no merge with a full join. It inserts on the servers that have the rows, and
-- there alone, where the customers given are all in one part of the tables and what is
-- inserted is one statement: so the loader puts the queries of pipeline.charges and
-- pipeline.movements in the place of the calls (scripts/pgmrr/citus.py).
create or replace procedure pipeline.apply_rules_anew(p_customers text[])
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
set enable_seqscan = off
set jit = off
as $$
begin
    delete from billing.charge_cents c
    where c.customer_id = any(p_customers);

    insert into billing.charge_cents (
        customer_id, invoice_id, subscription_id, currency, basis, is_unpaid, is_renewal, carries_arrears, months,
        starts_on, ends_on, issued_at, starts_at, ends_at, billed_until, net, amount, mrr, unmatched
    )
    select
        c.customer_id, c.invoice_id, c.subscription_id, c.currency, c.basis, c.is_unpaid, c.is_renewal,
        c.carries_arrears, c.months, c.starts_on, c.ends_on, c.issued_at, c.starts_at, c.ends_at, c.billed_until,
        c.net, c.amount, c.mrr, c.unmatched
    from pipeline.charges_of_many(p_customers) c;

    delete from ledger.movement_cents m
    where m.customer_id = any(p_customers);

    insert into ledger.movement_cents (
        customer_id, currency, effective_on, kind, customers, change, balance, unpaid_change
    )
    select m.customer_id, m.currency, m.effective_on, m.kind, m.customers, m.change, m.balance, m.unpaid_change
    from pipeline.movements_of_many(p_customers) m;
end;
$$;

comment on procedure pipeline.apply_rules_anew(text[]) is
    'R1 to R10: makes the charges and movements of the customers given anew; for pipeline.refresh, where nothing is stored, or tables are divided over servers.';
revoke all on procedure pipeline.apply_rules_anew(text[]) from public;
grant execute on procedure pipeline.apply_rules_anew(text[]) to pgmrr_writer;
