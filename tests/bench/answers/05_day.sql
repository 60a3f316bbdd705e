-- The waterfall by day. One row a covered day, in the reporting currency.
create or replace temp table day as
with opening as (
    select
        coalesce(sum(c.change), 0) as mrr,
        coalesce(sum(c.unpaid_change), 0) as unpaid,
        coalesce(sum(c.customers), 0)::bigint as customers
    from change c
    join known k
        on c.effective_on < k.observed_from
),
changed as (
    select
        c.effective_on,
        sum(c.change) as change,
        sum(c.change) filter (where c.kind = 'preexisting') as preexisting,
        sum(c.change) filter (where c.kind = 'new') as new,
        sum(c.change) filter (where c.kind = 'reactivation') as reactivation,
        sum(c.change) filter (where c.kind = 'expansion') as expansion,
        sum(c.change) filter (where c.kind = 'contraction') as contraction,
        sum(c.change) filter (where c.kind = 'rounding') as rounding,
        sum(c.change) filter (where c.kind = 'churn') as churn,
        sum(c.unpaid_change) as unpaid,
        sum(c.customers) filter (where c.kind = 'preexisting') as customers_preexisting,
        sum(c.customers) filter (where c.kind = 'new') as customers_new,
        sum(c.customers) filter (where c.kind = 'reactivation') as customers_reactivated,
        - sum(c.customers) filter (where c.kind = 'churn') as customers_churned,
        sum(c.customers) as customers
    from change c
    group by c.effective_on
),
balanced as (
    select
        d.day::date as day,
        coalesce(c.change, 0) as change,
        coalesce(c.preexisting, 0) as preexisting,
        coalesce(c.new, 0) as new,
        coalesce(c.reactivation, 0) as reactivation,
        coalesce(c.expansion, 0) as expansion,
        coalesce(c.contraction, 0) as contraction,
        coalesce(c.rounding, 0) as rounding,
        coalesce(c.churn, 0) as churn,
        coalesce(c.customers_preexisting, 0)::bigint as customers_preexisting,
        coalesce(c.customers_new, 0)::bigint as customers_new,
        coalesce(c.customers_reactivated, 0)::bigint as customers_reactivated,
        coalesce(c.customers_churned, 0)::bigint as customers_churned,
        coalesce(c.customers, 0)::bigint as customers_change,
        o.mrr + coalesce(sum(c.change) over up_to_day, 0) as closing,
        o.unpaid + coalesce(sum(c.unpaid) over up_to_day, 0) as unpaid,
        (o.customers + coalesce(sum(c.customers) over up_to_day, 0))::bigint as customers,
        d.mrr_complete_from,
        d.churn_observable_from
    from (
        select
            unnest(generate_series(k.observed_from, k.complete_through, interval 1 day)) as day,
            k.mrr_complete_from,
            k.churn_observable_from
        from known k
    ) d
    cross join opening o
    left join changed c
        on c.effective_on = d.day
    window up_to_day as (order by d.day)
)
select
    b.day,
    b.closing - b.change as opening,
    b.preexisting,
    b.new,
    b.reactivation,
    b.expansion,
    b.contraction,
    b.rounding,
    b.churn,
    b.closing,
    b.unpaid,
    b.customers - b.customers_change as customers_opening,
    b.customers_preexisting,
    b.customers_new,
    b.customers_reactivated,
    b.customers_churned,
    b.customers,
    b.day >= b.mrr_complete_from as mrr_is_complete,
    b.day >= b.churn_observable_from as churn_is_observable
from balanced b;
