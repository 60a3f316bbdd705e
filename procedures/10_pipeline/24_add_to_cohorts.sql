-- Adds what became of some customers (all: NULL), month by month, to that of their cohorts, or,
-- with p_sign -1, takes it out again. Rules R11 and R12.
--
-- It reaches to meta.coverage.paying_on: to the day that was kept before the refresh, and to
-- that which is kept after it. What came before coverage stands in the month before
-- the first, whose opening it makes. Customers with one currency are added up: whether they are lost, and what they keep,
-- does not depend on a rate. One with several is judged over all of them, at rates that may
-- be set anew: it has rows of its own.
create or replace procedure pipeline.add_to_cohorts(p_customers text[], p_sign integer)
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
set jit = off
as $$
declare
    v_observed_from date;
    v_through date;
begin
    if p_customers is null and p_sign < 0 then
        delete from ledger.cohort_month_cents;
        return;
    end if;

    select c.observed_from, c.paying_on
    into v_observed_from, v_through
    from meta.coverage c;

    insert into ledger.cohort_month_cents as k (
        cohort, is_new, month, currency, customer_id, members, arrived, customers, change, lost, net_change, losses
    )
    with monthly as (
        select
            m.customer_id,
            m.currency,
            case
                when m.effective_on >= v_observed_from then date_trunc('month', m.effective_on::timestamp)::date
                else (date_trunc('month', v_observed_from::timestamp) - interval '1 month')::date
            end as month,
            min(m.effective_on) as first_on,
            bool_or(m.kind = 'new') as is_new,
            sum(m.customers) as customers,
            sum(m.change)::bigint as change
        from ledger.movement_cents m
        where m.effective_on <= v_through
            and m.change <> 0
            and (p_customers is null or m.customer_id = any(p_customers))
        group by 1, 2, 3
    ),
    followed as (
        select
            m.customer_id,
            m.currency,
            m.month,
            m.customers,
            m.change,
            min(m.first_on) over of_customer as first_on,
            bool_or(m.is_new) over of_customer as is_new,
            min(m.currency) over of_customer <> max(m.currency) over of_customer as has_several,
            row_number() over (partition by m.customer_id order by m.month, m.currency) = 1 as arrives,
            (sum(m.change) over (partition by m.customer_id, m.currency order by m.month))::bigint as closing
        from monthly m
        window of_customer as (partition by m.customer_id)
    )
    select
        date_trunc('month', f.first_on::timestamp)::date,
        f.is_new,
        f.month,
        f.currency,
        case when f.has_several then f.customer_id else '' end,
        p_sign * count(*),
        p_sign * count(*) filter (where f.arrives),
        p_sign * sum(f.customers),
        p_sign * sum(f.change),
        p_sign * count(*) filter (where f.closing = 0 and f.change < 0 and not f.has_several),
        p_sign * coalesce(sum(f.change) filter (where f.closing > f.change and not f.has_several), 0),
        p_sign * coalesce(sum(f.change) filter (where f.closing > f.change and f.change < 0 and not f.has_several), 0)
    from followed f
    group by 1, 2, 3, 4, 5
    on conflict on constraint cohort_month_pkey do update
    set members = k.members + excluded.members,
        arrived = k.arrived + excluded.arrived,
        customers = k.customers + excluded.customers,
        change = k.change + excluded.change,
        lost = k.lost + excluded.lost,
        net_change = k.net_change + excluded.net_change,
        losses = k.losses + excluded.losses;

    -- Who is taken out mostly comes back at once.
    if p_sign > 0 then
        delete from ledger.cohort_month_cents k where k.members = 0;
    end if;
end;
$$;

comment on procedure pipeline.add_to_cohorts(text[], integer) is
    'Adds (p_sign 1) or takes out (-1) what became of some customers (NULL: all), month by month, in the totals of their cohorts.';
revoke all on procedure pipeline.add_to_cohorts(text[], integer) from public;
grant execute on procedure pipeline.add_to_cohorts(text[], integer) to pgmrr_writer;
