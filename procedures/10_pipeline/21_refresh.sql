-- Brings charges, ledger and totals up to date for some customers (all: NULL).
--
-- One transaction with the facts: readers see the old state or the new one. The cost
-- depends on the customers given. Where the beginning of the history has moved, the
-- kinds of all may depend on it, and all are refreshed. Refresh = rebuild, always.
--
-- The rules never look beyond a customer, so customers are worked through some thousands
-- at a time, in the order of the keys: what a step hands to the next stays in memory, rows
-- go to the right edge of the indexes, and the cost grows with the rows and not faster.
--
-- Each step picks its customers by their key (seqscan off: tables that were filled a moment
-- ago have no statistics yet, or those of a rolled back import) and is joined to the next by
-- hash or merge: a nested loop, which the planner likes where it takes a table for empty,
-- would take hours. Plans are made for the customers at hand, and compiling them (jit)
-- takes longer than running them.
create or replace procedure pipeline.refresh(p_customers text[])
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
set enable_nestloop = off
set enable_seqscan = off
set jit = off
as $$
declare
    v_customers text[] := p_customers;
    v_some text[];
    v_covered record;
begin
    perform pipeline.lock();

    select k.is_truncated, k.first_invoice_at, k.observed_from, k.complete_through
    into v_covered
    from pipeline.coverage_at() k;

    if exists (
        select
        from meta.coverage c
        where (c.is_truncated, c.first_invoice_at, c.observed_from)
            is distinct from (v_covered.is_truncated, v_covered.first_invoice_at, v_covered.observed_from)
    ) then
        v_customers := null;
    end if;

    update meta.coverage c
    set is_truncated = v_covered.is_truncated,
        first_invoice_at = v_covered.first_invoice_at,
        observed_from = v_covered.observed_from,
        complete_through = v_covered.complete_through;

    if v_customers is null then
        delete from ledger.daily_change_cents;
        delete from ledger.daily_term_cents;
    else
        call pipeline.add_to_daily(v_customers, -1);
    end if;

    delete from billing.charge_cents c
    where v_customers is null or c.customer_id = any(v_customers);

    delete from ledger.movement_cents m
    where v_customers is null or m.customer_id = any(v_customers);

    for v_some in
        select array_agg(k.customer_id order by k.customer_id)
        from (
            select
                u.customer_id,
                pipeline.part_of(u.customer_id) as part,
                row_number() over (partition by pipeline.part_of(u.customer_id) order by u.customer_id) as place
            from (
                select distinct i.customer_id
                from raw.invoice i
                where v_customers is null
                union all
                select distinct g.customer_id
                from unnest(v_customers) as g (customer_id)
            ) u
        ) k
        group by k.part, (k.place - 1) / 4000
        order by k.part, (k.place - 1) / 4000
    loop
        insert into billing.charge_cents (
            customer_id, invoice_id, subscription_id, currency, basis, is_unpaid, is_renewal, carries_arrears, months,
            starts_on, ends_on, issued_at, starts_at, ends_at, billed_until, net, amount, mrr, unmatched
        )
        select
            c.customer_id, c.invoice_id, c.subscription_id, c.currency, c.basis, c.is_unpaid, c.is_renewal,
            c.carries_arrears, c.months, c.starts_on, c.ends_on, c.issued_at, c.starts_at, c.ends_at, c.billed_until,
            c.net, c.amount, c.mrr, c.unmatched
        from pipeline.charges(v_some) c;

        insert into ledger.movement_cents (
            customer_id, currency, effective_on, kind, customers, change, balance, unpaid_change
        )
        select m.customer_id, m.currency, m.effective_on, m.kind, m.customers, m.change, m.balance, m.unpaid_change
        from pipeline.movements(v_some) m;
    end loop;

    call pipeline.add_to_daily(v_customers, 1);
    delete from ledger.daily_change_cents d where d.movements = 0;
    delete from ledger.daily_term_cents d where d.charges = 0;

    update meta.coverage c
    set longest_term_months = (select max(d.months) from ledger.daily_term_cents d);

    call pipeline.update_currencies();
end;
$$;

comment on procedure pipeline.refresh(text[]) is
    'Brings charges, ledger and totals up to date for the customers given (NULL: all). Error MR005 where a currency has no exchange rate.';
revoke all on procedure pipeline.refresh(text[]) from public;
grant execute on procedure pipeline.refresh(text[]) to pgmrr_writer;
