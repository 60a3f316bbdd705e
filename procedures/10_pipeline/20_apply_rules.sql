-- Brings the charges and movements of some customers up to date with their facts.
--
-- Only what differs is written: of all that a customer ever was billed, an import changes an
-- invoice or two, and a rebuild nothing. What is stored is compared with what the rules make;
-- where a row is missing, another, or no longer made, it is inserted, updated or deleted. Where
-- nothing is stored yet, there is nothing to compare with.
--
-- Settings as in pipeline.charges_of_many, for the same reasons.
create or replace procedure pipeline.apply_rules(p_customers text[])
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
set enable_nestloop = off
set enable_seqscan = off
set jit = off
as $$
begin
    if not exists (select from billing.charge_cents c where c.customer_id = any(p_customers)) then
        call pipeline.apply_rules_anew(p_customers);
        return;
    end if;

    merge into billing.charge_cents c
    using (
        select
            coalesce(n.customer_id, s.customer_id) as customer_id,
            coalesce(n.invoice_id, s.invoice_id) as invoice_id,
            coalesce(n.basis, s.basis) as basis,
            n.customer_id is null as is_gone,
            n.subscription_id,
            n.currency,
            n.is_unpaid,
            n.is_renewal,
            n.carries_arrears,
            n.months,
            n.starts_on,
            n.ends_on,
            n.issued_at,
            n.starts_at,
            n.ends_at,
            n.billed_until,
            n.net,
            n.amount,
            n.mrr,
            n.unmatched
        from pipeline.charges_of_many(p_customers) n
        full join (
            select k.*
            from billing.charge_cents k
            where k.customer_id = any(p_customers)
        ) s
            on s.customer_id = n.customer_id
            and s.invoice_id = n.invoice_id
            and s.basis = n.basis
        where (
            s.subscription_id, s.currency, s.is_unpaid, s.is_renewal, s.carries_arrears, s.months, s.starts_on,
            s.ends_on, s.issued_at, s.starts_at, s.ends_at, s.billed_until, s.net, s.amount, s.mrr, s.unmatched
        ) is distinct from (
            n.subscription_id, n.currency, n.is_unpaid, n.is_renewal, n.carries_arrears, n.months, n.starts_on,
            n.ends_on, n.issued_at, n.starts_at, n.ends_at, n.billed_until, n.net, n.amount, n.mrr, n.unmatched
        )
    ) d
        on c.customer_id = any(p_customers)
        and c.customer_id = d.customer_id
        and c.invoice_id = d.invoice_id
        and c.basis = d.basis
    when matched and d.is_gone then delete
    when matched then update
    set subscription_id = d.subscription_id,
        currency = d.currency,
        is_unpaid = d.is_unpaid,
        is_renewal = d.is_renewal,
        carries_arrears = d.carries_arrears,
        months = d.months,
        starts_on = d.starts_on,
        ends_on = d.ends_on,
        issued_at = d.issued_at,
        starts_at = d.starts_at,
        ends_at = d.ends_at,
        billed_until = d.billed_until,
        net = d.net,
        amount = d.amount,
        mrr = d.mrr,
        unmatched = d.unmatched
    when not matched then insert (
        customer_id, invoice_id, subscription_id, currency, basis, is_unpaid, is_renewal, carries_arrears, months,
        starts_on, ends_on, issued_at, starts_at, ends_at, billed_until, net, amount, mrr, unmatched
    )
    values (
        d.customer_id, d.invoice_id, d.subscription_id, d.currency, d.basis, d.is_unpaid, d.is_renewal,
        d.carries_arrears, d.months, d.starts_on, d.ends_on, d.issued_at, d.starts_at, d.ends_at, d.billed_until,
        d.net, d.amount, d.mrr, d.unmatched
    );

    merge into ledger.movement_cents m
    using (
        select
            coalesce(n.customer_id, s.customer_id) as customer_id,
            coalesce(n.currency, s.currency) as currency,
            coalesce(n.effective_on, s.effective_on) as effective_on,
            n.customer_id is null as is_gone,
            n.kind,
            n.customers,
            n.change,
            n.balance,
            n.unpaid_change
        from pipeline.movements_of_many(p_customers) n
        full join (
            select k.*
            from ledger.movement_cents k
            where k.customer_id = any(p_customers)
        ) s
            on s.customer_id = n.customer_id
            and s.currency = n.currency
            and s.effective_on = n.effective_on
        where (s.kind, s.customers, s.change, s.balance, s.unpaid_change)
            is distinct from (n.kind, n.customers, n.change, n.balance, n.unpaid_change)
    ) d
        on m.customer_id = any(p_customers)
        and m.customer_id = d.customer_id
        and m.currency = d.currency
        and m.effective_on = d.effective_on
    when matched and d.is_gone then delete
    when matched then update
    set kind = d.kind,
        customers = d.customers,
        change = d.change,
        balance = d.balance,
        unpaid_change = d.unpaid_change
    when not matched then insert (
        customer_id, currency, effective_on, kind, customers, change, balance, unpaid_change
    )
    values (
        d.customer_id, d.currency, d.effective_on, d.kind, d.customers, d.change, d.balance, d.unpaid_change
    );
end;
$$;

comment on procedure pipeline.apply_rules(text[]) is
    'R1 to R10: brings the charges and movements of the customers given up to date with their facts. For pipeline.refresh, which keeps the totals.';
revoke all on procedure pipeline.apply_rules(text[]) from public;
grant execute on procedure pipeline.apply_rules(text[]) to pgmrr_writer;
