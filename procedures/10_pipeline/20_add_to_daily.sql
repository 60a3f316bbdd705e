-- Adds the movements and terms of some customers (all: NULL) to the totals by day, or,
-- with p_sign -1, takes them out again.
create or replace procedure pipeline.add_to_daily(p_customers text[], p_sign integer)
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
begin
    insert into ledger.daily_change_cents as d (
        effective_on, currency, kind, movements, customers, change, unpaid_change
    )
    select
        m.effective_on,
        m.currency,
        m.kind,
        p_sign * count(*),
        p_sign * sum(m.customers),
        p_sign * sum(m.change),
        p_sign * sum(m.unpaid_change)
    from ledger.movement_cents m
    where p_customers is null or m.customer_id = any(p_customers)
    group by m.effective_on, m.currency, m.kind
    on conflict on constraint daily_change_pkey do update
    set movements = d.movements + excluded.movements,
        customers = d.customers + excluded.customers,
        change = d.change + excluded.change,
        unpaid_change = d.unpaid_change + excluded.unpaid_change;

    insert into ledger.daily_term_cents as d (starts_on, currency, months, is_renewal, charges, mrr)
    select
        c.starts_on,
        c.currency,
        c.months,
        c.is_renewal,
        p_sign * count(*),
        p_sign * sum(greatest(c.mrr, 0))
    from billing.charge_cents c
    where (p_customers is null or c.customer_id = any(p_customers))
        and c.basis = 'term'
    group by c.starts_on, c.currency, c.months, c.is_renewal
    on conflict on constraint daily_term_pkey do update
    set charges = d.charges + excluded.charges,
        mrr = d.mrr + excluded.mrr;
end;
$$;

comment on procedure pipeline.add_to_daily(text[], integer) is
    'Adds (p_sign 1) or takes out (-1) the movements and terms of some customers (NULL: all) in the totals by day.';
revoke all on procedure pipeline.add_to_daily(text[], integer) from public;
grant execute on procedure pipeline.add_to_daily(text[], integer) to pgmrr_writer;
