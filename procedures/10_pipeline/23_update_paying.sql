-- Brings up to date what each customer pays on the last covered day, for some customers
-- (all: NULL). Rule R9.
--
-- Whom a later day concerns, pipeline.with_due adds before. A charge without MRR changes
-- nothing, and leaves no row.
create or replace procedure pipeline.update_paying(p_customers text[])
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
set jit = off
as $$
declare
    v_day date;
begin
    update meta.coverage c
    set paying_on = case when c.observed_from <= c.complete_through then c.complete_through end
    returning c.paying_on into v_day;

    delete from ledger.paying_cents p
    where p_customers is null or p.customer_id = any(p_customers);

    insert into ledger.paying_cents (
        customer_id, currency, mrr, unpaid, by_month, by_year, by_other, is_only_currency, next_on
    )
    select
        s.customer_id,
        s.currency,
        greatest(s.mrr, 0),
        greatest(least(s.unpaid, s.mrr), 0),
        s.by_month,
        s.by_year,
        s.by_other,
        count(*) over (partition by s.customer_id) = 1,
        s.next_on
    from (
        select
            t.customer_id,
            t.currency,
            coalesce(100 * sum(t.mrr) filter (where t.starts_on <= v_day), 0) as mrr,
            coalesce(100 * sum(t.mrr) filter (where t.starts_on <= v_day and t.is_unpaid), 0) as unpaid,
            coalesce(100 * sum(t.mrr) filter (where t.starts_on <= v_day and t.term = 'month'), 0) as by_month,
            coalesce(100 * sum(t.mrr) filter (where t.starts_on <= v_day and t.term = 'year'), 0) as by_year,
            coalesce(100 * sum(t.mrr) filter (where t.starts_on <= v_day and t.term = 'other'), 0) as by_other,
            min(case when t.starts_on <= v_day then t.ends_on else t.starts_on end) as next_on
        from kpi.charge_term t
        where t.ends_on > v_day
            and t.mrr <> 0
            and (p_customers is null or t.customer_id = any(p_customers))
        group by t.customer_id, t.currency
    ) s;
end;
$$;

comment on procedure pipeline.update_paying(text[]) is
    'Brings what customers pay on the last covered day up to date, for the customers given (NULL: all).';
revoke all on procedure pipeline.update_paying(text[]) from public;
grant execute on procedure pipeline.update_paying(text[]) to pgmrr_writer;
