-- What do the movements of some customers (all: NULL) add up to on each day? One row a day,
-- currency and kind: their part of ledger.daily_change_cents. As a function of its own it
-- runs on several processors, which what writes at once never does. There are few such totals,
-- whatever the statistics of a table say that was filled a moment ago: hence no sort.
create or replace function pipeline.changes_by_day(p_customers text[])
returns setof ledger.daily_change_cents
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
        m.effective_on,
        m.currency,
        m.kind,
        count(*),
        sum(m.customers),
        sum(m.change)::bigint,
        sum(m.unpaid_change)::bigint
    from ledger.movement_cents m
    where p_customers is null or m.customer_id = any(p_customers)
    group by m.effective_on, m.currency, m.kind;
end;
$$;

comment on function pipeline.changes_by_day(text[]) is
    'Totals of the movements of some customers (NULL: all), as ledger.daily_change_cents holds them: one row a day, currency and kind, in cents a month.';
revoke all on function pipeline.changes_by_day(text[]) from public;
grant execute on function pipeline.changes_by_day(text[]) to pgmrr_writer;
