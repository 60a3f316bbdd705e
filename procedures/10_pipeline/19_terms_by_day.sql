-- What do the terms of some customers (all: NULL) add up to by the day on which they begin?
-- One row a day, currency, length and whether it renews: their part of
-- ledger.daily_term_cents. Credits take no MRR from it. As a function of its own it runs on
-- several processors, which what writes at once never does; without a sort, as in
-- pipeline.changes_by_day.
create or replace function pipeline.terms_by_day(p_customers text[])
returns setof ledger.daily_term_cents
language plpgsql
stable
parallel safe
set search_path = ''
set plan_cache_mode = force_custom_plan
set jit = off
set enable_sort = off
as $$
begin
    return query
    select
        c.starts_on,
        c.currency,
        c.months,
        c.is_renewal,
        count(*),
        sum(greatest(c.mrr, 0))::bigint
    from billing.charge_cents c
    where (p_customers is null or c.customer_id = any(p_customers))
        and c.basis = 'term'
    group by c.starts_on, c.currency, c.months, c.is_renewal;
end;
$$;

comment on function pipeline.terms_by_day(text[]) is
    'Totals of the terms of some customers (NULL: all), as ledger.daily_term_cents holds them: one row a day, currency, length and whether it renews, in cents a month.';
revoke all on function pipeline.terms_by_day(text[]) from public;
grant execute on function pipeline.terms_by_day(text[]) to pgmrr_writer;
