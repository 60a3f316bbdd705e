-- Makes the charges and movements of some customers, whose old ones are gone.
--
-- The rules never look beyond a customer, so customers are worked through some thousands
-- at a time, in the order of the keys: what one step hands to the next stays in memory, new
-- rows go side by side into the indexes, and the cost grows with the rows and not faster.
--
-- Each step picks its customers by their key, also where the statistics would have it read
-- the whole table (seqscan off): tables that were filled a moment ago have none yet, or those
-- of a rolled back import. Steps are joined by hash or merge: a nested loop, which the
-- planner likes where it takes a table for empty, would take hours. Plans are made for the
-- customers at hand, and compiling them (jit) takes longer than running them.
create or replace procedure pipeline.apply_rules(p_customers text[])
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
set enable_nestloop = off
set enable_seqscan = off
set jit = off
as $$
begin
    insert into billing.charge_cents (
        customer_id, invoice_id, subscription_id, currency, basis, is_unpaid, is_renewal, carries_arrears, months,
        starts_on, ends_on, issued_at, starts_at, ends_at, billed_until, net, amount, mrr, unmatched
    )
    select
        c.customer_id, c.invoice_id, c.subscription_id, c.currency, c.basis, c.is_unpaid, c.is_renewal,
        c.carries_arrears, c.months, c.starts_on, c.ends_on, c.issued_at, c.starts_at, c.ends_at, c.billed_until,
        c.net, c.amount, c.mrr, c.unmatched
    from pipeline.charges(p_customers) c;

    insert into ledger.movement_cents (
        customer_id, currency, effective_on, kind, customers, change, balance, unpaid_change
    )
    select m.customer_id, m.currency, m.effective_on, m.kind, m.customers, m.change, m.balance, m.unpaid_change
    from pipeline.movements(p_customers) m;
end;
$$;

comment on procedure pipeline.apply_rules(text[]) is
    'R1 to R10: makes the charges and movements of the customers given, of which none may be left. For pipeline.refresh.';
revoke all on procedure pipeline.apply_rules(text[]) from public;
grant execute on procedure pipeline.apply_rules(text[]) to pgmrr_writer;
