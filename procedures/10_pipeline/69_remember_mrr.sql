-- Remembers MRR as it is before a refresh, so that pipeline.mrr_effect can tell what the
-- refresh changed. Makes temporary tables until the end of the transaction:
--
--     mrr_range      one row: the days that are covered before and after it; NULL where none is
--     mrr_days       the totals by day
--     mrr_balances   balances on the last of these days, of the customers who are refreshed
--
-- p_customers are the customers to be refreshed (all: NULL). Where the beginning of the
-- history moves, pipeline.refresh takes them all, and so does this. Without days to
-- compare, no customer is looked at: the first import has nothing before it.
create or replace procedure pipeline.remember_mrr(p_customers text[])
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
    v_has_moved boolean;
    v_last date;
begin
    create temp table mrr_range on commit drop as
    select
        r.first_on,
        r.last_on,
        case when v.has_moved then null else p_customers end as customers,
        v.has_moved
    from (
        select
            greatest(c.observed_from, n.observed_from) as first_on,
            least(c.complete_through, n.complete_through) as last_on,
            c.observed_from <= c.complete_through and n.observed_from <= n.complete_through as is_known,
            (c.is_truncated, c.first_invoice_at, c.observed_from)
            is distinct from (n.is_truncated, n.first_invoice_at, n.observed_from) as has_moved
        from meta.coverage c
        cross join pipeline.coverage_at() n
    ) v
    left join lateral (
        select v.first_on, v.last_on
        where v.is_known
            and v.first_on <= v.last_on
    ) r on true;

    select r.has_moved, r.last_on
    into v_has_moved, v_last
    from pg_temp.mrr_range r;

    create temp table mrr_days on commit drop as
    select
        d.effective_on,
        d.currency,
        d.kind,
        d.change,
        d.customers
    from ledger.daily_change_cents d
    where v_last is not null;

    create temp table mrr_balances on commit drop as
    select distinct on (m.customer_id, m.currency)
        m.customer_id,
        m.currency,
        m.balance
    from ledger.movement_cents m
    where m.effective_on <= v_last
        and (v_has_moved or p_customers is null or m.customer_id = any(p_customers))
    order by m.customer_id, m.currency, m.effective_on desc;
end;
$$;

comment on procedure pipeline.remember_mrr(text[]) is
    'Remembers MRR before a refresh of some customers (NULL: all) in temporary tables, for pipeline.mrr_effect.';
revoke all on procedure pipeline.remember_mrr(text[]) from public;
grant execute on procedure pipeline.remember_mrr(text[]) to pgmrr_writer;
