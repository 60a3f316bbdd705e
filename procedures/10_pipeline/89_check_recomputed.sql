-- Is what is stored what the rules make of the facts? Rules R1 to R11, evaluated again.
--
-- One row a check, described in kpi.checks. Takes p_sample customers with invoices, others
-- each time (NULL: all of them, at the cost of a rebuild). Writes nothing and locks nothing.
-- Charges are compared with those that the rules make of the current versions, the ledger
-- with that which they make of the stored charges. Totals and terms by day, which a rebuild
-- makes too, kpi.invariants compares.
create or replace function pipeline.check_recomputed(p_sample integer default 1000)
returns table (
    check_name text,
    compared bigint,
    wrong bigint,
    example text
)
language plpgsql
stable
parallel safe
set search_path = ''
set plan_cache_mode = force_custom_plan
set enable_nestloop = off
set jit = off
as $$
declare
    v_customers text[];
begin
    if p_sample is not null then
        v_customers := array(
            select k.customer_id
            from (
                select i.customer_id
                from raw.invoice i
                union
                select c.customer_id
                from billing.charge_cents c
                union
                select m.customer_id
                from ledger.movement_cents m
            ) k
            order by pg_catalog.hashtextextended(k.customer_id, (extract(epoch from now()) * 1000)::bigint), k.customer_id
            limit p_sample
        );
    end if;

    return query
    select
        'coverage',
        count(*),
        count(*) filter (
            where row(c.is_truncated, c.first_invoice_at, c.observed_from, c.complete_through, c.longest_term_months)
                is distinct from row(n.is_truncated, n.first_invoice_at, n.observed_from, n.complete_through, t.months)
        ),
        min(format(
            'stored %s to %s, recomputed %s to %s',
            c.observed_from::text, c.complete_through::text, n.observed_from::text, n.complete_through::text
        )) filter (
            where row(c.is_truncated, c.first_invoice_at, c.observed_from, c.complete_through, c.longest_term_months)
                is distinct from row(n.is_truncated, n.first_invoice_at, n.observed_from, n.complete_through, t.months)
        )
    from pipeline.coverage_at() n
    cross join (select max(b.months) filter (where b.basis = 'term') as months from billing.charge_cents b) t
    left join meta.coverage c on true;

    return query
    select
        'charges as the rules make them',
        count(*),
        count(*) filter (where d.is_wrong),
        min(format('%s of %s', d.invoice_id, d.customer_id)) filter (where d.is_wrong)
    from (
        select
            coalesce(s.customer_id, n.customer_id) as customer_id,
            coalesce(s.invoice_id, n.invoice_id) as invoice_id,
            row(
                s.subscription_id, s.currency, s.is_unpaid, s.is_renewal, s.carries_arrears, s.months, s.starts_on,
                s.ends_on, s.issued_at, s.starts_at, s.ends_at, s.billed_until, s.net, s.amount, s.mrr, s.unmatched
            ) is distinct from row(
                n.subscription_id, n.currency, n.is_unpaid, n.is_renewal, n.carries_arrears, n.months, n.starts_on,
                n.ends_on, n.issued_at, n.starts_at, n.ends_at, n.billed_until, n.net, n.amount, n.mrr, n.unmatched
            ) as is_wrong
        from (
            select c.*
            from billing.charge_cents c
            where v_customers is null or c.customer_id = any(v_customers)
        ) s
        full join pipeline.charges(v_customers) n
            on n.customer_id = s.customer_id
            and n.invoice_id = s.invoice_id
            and n.basis = s.basis
    ) d;

    return query
    select
        'ledger as the rules make it',
        count(*),
        count(*) filter (where d.is_wrong),
        min(format('%s on %s', d.customer_id, d.effective_on::text)) filter (where d.is_wrong)
    from (
        select
            coalesce(s.customer_id, n.customer_id) as customer_id,
            coalesce(s.effective_on, n.effective_on) as effective_on,
            row(s.kind, s.customers, s.change, s.balance, s.unpaid_change)
            is distinct from row(n.kind, n.customers, n.change, n.balance, n.unpaid_change) as is_wrong
        from (
            select m.*
            from ledger.movement_cents m
            where v_customers is null or m.customer_id = any(v_customers)
        ) s
        full join pipeline.movements(v_customers) n
            on n.customer_id = s.customer_id
            and n.currency = s.currency
            and n.effective_on = s.effective_on
    ) d;
end;
$$;

comment on function pipeline.check_recomputed(integer) is
    'Evaluates the rules again for a sample of customers (NULL: all) and compares with what is stored: one row a check of kpi.checks.';
revoke all on function pipeline.check_recomputed(integer) from public;
grant execute on function pipeline.check_recomputed(integer) to pgmrr_writer;
