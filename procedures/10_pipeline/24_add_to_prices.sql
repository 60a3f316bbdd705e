-- Adds what some customers (all: NULL) pay to the count of each price, or, with p_sign -1, takes
-- it out again. Rule R9.
--
-- What they pay is that of ledger.paying_cents: it is taken out before they are brought up to
-- date there, and added after it.
create or replace procedure pipeline.add_to_prices(p_customers text[], p_sign integer)
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
set jit = off
as $$
begin
    if p_customers is null and p_sign < 0 then
        delete from ledger.price_cents;
        return;
    end if;

    insert into ledger.price_cents as k (currency, is_only_currency, by_month, by_year, by_other, mrr, customers)
    select
        p.currency,
        p.is_only_currency,
        p.by_month,
        p.by_year,
        p.by_other,
        p.mrr,
        p_sign * count(*)
    from ledger.paying_cents p
    where p.mrr > 0
        and (p_customers is null or p.customer_id = any(p_customers))
    group by p.currency, p.is_only_currency, p.by_month, p.by_year, p.by_other, p.mrr
    on conflict on constraint price_pkey do update
    set customers = k.customers + excluded.customers;

    -- What is taken out mostly comes back at once.
    if p_sign > 0 then
        delete from ledger.price_cents k where k.customers = 0;
    end if;
end;
$$;

comment on procedure pipeline.add_to_prices(text[], integer) is
    'Adds (p_sign 1) or takes out (-1) what some customers (NULL: all) pay on the last covered day in the count of each price.';
revoke all on procedure pipeline.add_to_prices(text[], integer) from public;
grant execute on procedure pipeline.add_to_prices(text[], integer) to pgmrr_writer;
