-- Brings the totals by day up to date, after the movements and charges of some customers
-- (all: NULL) were made anew: adds what they come to now, and takes out what was counted for
-- them before.
--
-- Only days whose totals change are written. Mostly they are few: of all that a customer ever
-- was billed, a refresh changes an invoice or two, and a rebuild nothing.
create or replace procedure pipeline.update_daily(
    p_customers text[],
    p_old_changes ledger.daily_change_cents[],
    p_old_terms ledger.daily_term_cents[]
)
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
begin
    insert into ledger.daily_change_cents as d (
        effective_on, currency, kind, movements, customers, change, unpaid_change
    )
    select
        c.effective_on,
        c.currency,
        c.kind,
        sum(c.movements),
        sum(c.customers),
        sum(c.change),
        sum(c.unpaid_change)
    from (
        select n.effective_on, n.currency, n.kind, n.movements, n.customers, n.change, n.unpaid_change
        from pipeline.changes_by_day(p_customers) n
        union all
        select o.effective_on, o.currency, o.kind, - o.movements, - o.customers, - o.change, - o.unpaid_change
        from unnest(p_old_changes) o
    ) c
    group by c.effective_on, c.currency, c.kind
    having sum(c.movements) <> 0
        or sum(c.customers) <> 0
        or sum(c.change) <> 0
        or sum(c.unpaid_change) <> 0
    on conflict on constraint daily_change_pkey do update
    set movements = d.movements + excluded.movements,
        customers = d.customers + excluded.customers,
        change = d.change + excluded.change,
        unpaid_change = d.unpaid_change + excluded.unpaid_change;

    insert into ledger.daily_term_cents as d (starts_on, currency, months, is_renewal, charges, mrr)
    select
        t.starts_on,
        t.currency,
        t.months,
        t.is_renewal,
        sum(t.charges),
        sum(t.mrr)
    from (
        select n.starts_on, n.currency, n.months, n.is_renewal, n.charges, n.mrr
        from pipeline.terms_by_day(p_customers) n
        union all
        select o.starts_on, o.currency, o.months, o.is_renewal, - o.charges, - o.mrr
        from unnest(p_old_terms) o
    ) t
    group by t.starts_on, t.currency, t.months, t.is_renewal
    having sum(t.charges) <> 0
        or sum(t.mrr) <> 0
    on conflict on constraint daily_term_pkey do update
    set charges = d.charges + excluded.charges,
        mrr = d.mrr + excluded.mrr;

    delete from ledger.daily_change_cents d where d.movements = 0;
    delete from ledger.daily_term_cents d where d.charges = 0;
end;
$$;

comment on procedure pipeline.update_daily(text[], ledger.daily_change_cents[], ledger.daily_term_cents[]) is
    'Brings the totals by day up to date for some customers (NULL: all), given what was counted for them before.';
revoke all on procedure pipeline.update_daily(text[], ledger.daily_change_cents[], ledger.daily_term_cents[]) from public;
grant execute on procedure pipeline.update_daily(text[], ledger.daily_change_cents[], ledger.daily_term_cents[]) to pgmrr_writer;
