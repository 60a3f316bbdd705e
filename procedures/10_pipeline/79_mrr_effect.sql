-- What did the refresh since pipeline.remember_mrr change? Gives p_effect, as jsonb:
--
--     {"currency": "EUR", "closing_on": "2025-02-26", "closing": 265131.69,
--      "first_on": "2025-01-02", "last_on": "2025-01-30",
--      "opening": [206878.1, 206900.2], "closing_then": [245400.5, 245380.5], "customers": [2809, 2808],
--      "kinds": {"new": [23403.0, 23383.0], …},
--      "largest": [{"customer_id": "cus_1", "name": "Ann", "before": 20.0, "after": 0.0}, …]}
--
-- In the reporting currency. `closing` is MRR on the last covered day, as it is now. Pairs
-- are before and after: over the days that were covered before and are now, from first_on
-- to last_on; where there are none, those keys are missing. `largest` are up to five
-- customers whose MRR on last_on changed most. Where a currency that has gone has no
-- exchange rate, before and after cannot be compared, and `unknown` says so.
create or replace procedure pipeline.mrr_effect(inout p_effect jsonb default null)
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
    v_compared jsonb;
    v_first date;
    v_last date;
    v_customers text[];
begin
    select pg_catalog.jsonb_build_object(
        'currency', coalesce((select min(c.reporting_currency) from kpi.currency c), 'EUR'),
        'closing_on', v.complete_through,
        'closing', kpi.mrr_total_at(v.complete_through)
    )
    into p_effect
    from meta.coverage v;

    select r.first_on, r.last_on, r.customers
    into v_first, v_last, v_customers
    from pg_temp.mrr_range r;

    if v_last is null then
        return;
    end if;

    begin
        with day as (
            select d.effective_on, d.currency, d.kind::text as kind, d.change as before, 0 as after,
                d.customers as customers_before, 0 as customers_after
            from pg_temp.mrr_days d
            union all
            select d.effective_on, d.currency, d.kind::text, 0, d.change, 0, d.customers
            from ledger.daily_change_cents d
        ),
        factor as materialized (
            select
                u.currency,
                pipeline.factor(u.currency) as factor
            from (select distinct d.currency from day d) u
        ),
        kind as (
            select
                case when d.effective_on >= v_first then d.kind end as kind,
                sum(d.before * 0.01 * f.factor) as before,
                sum(d.after * 0.01 * f.factor) as after,
                sum(d.customers_before) as customers_before,
                sum(d.customers_after) as customers_after
            from day d
            join factor f
                on f.currency = d.currency
            where d.effective_on <= v_last
            group by 1
        )
        select pg_catalog.jsonb_build_object(
            'first_on', v_first,
            'last_on', v_last,
            'opening', pg_catalog.jsonb_build_array(
                coalesce(sum(k.before) filter (where k.kind is null), 0),
                coalesce(sum(k.after) filter (where k.kind is null), 0)
            ),
            'closing_then', pg_catalog.jsonb_build_array(coalesce(sum(k.before), 0), coalesce(sum(k.after), 0)),
            'customers', pg_catalog.jsonb_build_array(
                coalesce(sum(k.customers_before), 0), coalesce(sum(k.customers_after), 0)
            ),
            'kinds', coalesce(
                pg_catalog.jsonb_object_agg(k.kind, pg_catalog.jsonb_build_array(k.before, k.after))
                filter (where k.kind <> 'unpaid'),
                '{}'
            )
        )
        into v_compared
        from kind k;

        with balance as (
            select b.customer_id, b.currency, b.balance as before, 0 as after
            from pg_temp.mrr_balances b
            union all
            select n.customer_id, n.currency, 0, n.balance
            from (
                select distinct on (m.customer_id, m.currency)
                    m.customer_id,
                    m.currency,
                    m.balance
                from ledger.movement_cents m
                where m.effective_on <= v_last
                    and (v_customers is null or m.customer_id = any(v_customers))
                order by m.customer_id, m.currency, m.effective_on desc
            ) n
        ),
        factor as materialized (
            select
                u.currency,
                pipeline.factor(u.currency) as factor
            from (select distinct b.currency from balance b) u
        ),
        largest as (
            select
                b.customer_id,
                sum(b.before * 0.01 * f.factor) as before,
                sum(b.after * 0.01 * f.factor) as after
            from balance b
            join factor f
                on f.currency = b.currency
            group by b.customer_id
            having sum(b.before * f.factor) <> sum(b.after * f.factor)
            order by abs(sum((b.after - b.before) * f.factor)) desc, b.customer_id
            limit 5
        )
        select v_compared || pg_catalog.jsonb_build_object(
            'largest',
            coalesce(
                pg_catalog.jsonb_agg(
                    pg_catalog.jsonb_build_object(
                        'customer_id', l.customer_id,
                        'name', u.name,
                        'before', l.before,
                        'after', l.after
                    )
                    order by abs(l.after - l.before) desc, l.customer_id
                ),
                '[]'
            )
        )
        into v_compared
        from largest l
        left join kpi.customer u
            on u.customer_id = l.customer_id;
    exception
        when sqlstate 'MR005' then
            v_compared := pg_catalog.jsonb_build_object('unknown', sqlerrm);
    end;

    p_effect := p_effect || v_compared;
end;
$$;

comment on procedure pipeline.mrr_effect(jsonb) is
    'What the refresh since pipeline.remember_mrr changed, as jsonb: MRR before and after by kind, and the customers whose MRR changed most.';
revoke all on procedure pipeline.mrr_effect(jsonb) from public;
grant execute on procedure pipeline.mrr_effect(jsonb) to pgmrr_writer;
