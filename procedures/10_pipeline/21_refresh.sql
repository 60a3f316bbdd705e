-- Brings charges, ledger and totals up to date for some customers (all: NULL).
--
-- One transaction with the facts: readers see the old state or the new one. The cost
-- depends on the customers given. Where the beginning of the history has moved, the
-- kinds of all may depend on it, and all are refreshed. Refresh = rebuild, always.
--
-- The rules never look beyond a customer, so customers are worked through some thousands
-- at a time, in the order of the keys: what one step hands to the next stays in memory, new
-- rows go side by side into the indexes, and the cost grows with the rows and not faster. So
-- many are taken that each processor has some of them to do.
--
-- Where customers are given, they are looked up by their key, whatever the statistics say;
-- where all are meant, tables are read as a whole.
create or replace procedure pipeline.refresh(p_customers text[])
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
set enable_nestloop = off
set enable_seqscan = on
set jit = off
as $$
declare
    v_customers text[] := p_customers;
    v_old_changes ledger.daily_change_cents[];
    v_old_terms ledger.daily_term_cents[];
    v_some text[];
    v_kept text[];
    v_covered record;
    v_factors jsonb;
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
    perform pg_catalog.set_config('enable_seqscan', (v_customers is null)::text, true);

    update meta.coverage c
    set is_truncated = v_covered.is_truncated,
        first_invoice_at = v_covered.first_invoice_at,
        observed_from = v_covered.observed_from,
        complete_through = v_covered.complete_through;

    v_kept := pipeline.with_due(v_customers);
    call pipeline.add_to_cohorts(v_kept, -1);

    -- What is counted for them by now. Of all customers that is what the totals hold.
    if v_customers is null then
        v_old_changes := array(select d from ledger.daily_change_cents d);
        v_old_terms := array(select d from ledger.daily_term_cents d);
    else
        v_old_changes := array(select d from pipeline.changes_by_day(v_customers) d);
        v_old_terms := array(select d from pipeline.terms_by_day(v_customers) d);
    end if;

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
                union
                select distinct c.customer_id
                from billing.charge_cents c
                where v_customers is null
                union
                select distinct m.customer_id
                from ledger.movement_cents m
                where v_customers is null
                union
                select distinct f.customer_id
                from billing.fate_cents f
                where v_customers is null
                union
                select g.customer_id
                from unnest(v_customers) as g (customer_id)
            ) u
        ) k
        group by k.part, (k.place - 1) / 16000
        order by k.part, (k.place - 1) / 16000
    loop
        call pipeline.apply_rules(v_some);
        call pipeline.keep_fates(v_some);
    end loop;

    call pipeline.update_daily(v_customers, v_old_changes, v_old_terms);

    -- Totals by day are few, and read as a whole.
    perform pg_catalog.set_config('enable_seqscan', 'on', true);

    update meta.coverage c
    set longest_term_months = (select max(d.months) from ledger.daily_term_cents d);

    v_factors := (select c.factors from meta.coverage c);
    call pipeline.update_currencies();

    perform pg_catalog.set_config('enable_seqscan', (v_kept is null)::text, true);
    call pipeline.add_to_prices(v_kept, -1);
    call pipeline.update_paying(v_kept);
    call pipeline.add_to_prices(v_kept, 1);
    call pipeline.add_to_cohorts(v_kept, 1);

    perform pg_catalog.set_config('enable_seqscan', (v_customers is null)::text, true);
    -- Where a factor changed, the histories of all have been made anew.
    if exists (select from meta.coverage c where c.factors = v_factors) then
        call pipeline.keep_histories(v_customers);
    end if;
end;
$$;

comment on procedure pipeline.refresh(text[]) is
    'Brings charges, ledger and totals up to date for the customers given (NULL: all). Error MR005 where a currency has no exchange rate.';
revoke all on procedure pipeline.refresh(text[]) from public;
grant execute on procedure pipeline.refresh(text[]) to pgmrr_writer;
