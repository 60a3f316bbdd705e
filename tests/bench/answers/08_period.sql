-- The waterfall, churn and retention of each period that a read asks for. R12.
--
-- One row a period, in the reporting currency. Rates are NULL where churn is not observable in
-- the whole period, or there was nothing to lose.
create or replace temp table period as
with summed as (
    select
        a.period_of,
        a.first_on,
        a.last_on,
        arg_min(d.opening, d.day) as opening,
        sum(d.preexisting) as preexisting,
        sum(d.new) as new,
        sum(d.reactivation) as reactivation,
        sum(d.expansion) as expansion,
        sum(d.contraction) as contraction,
        sum(d.rounding) as rounding,
        sum(d.churn) as churn,
        arg_max(d.closing, d.day) as closing,
        arg_max(d.unpaid, d.day) as unpaid,
        arg_min(d.customers_opening, d.day) as customers_opening,
        sum(d.customers_preexisting)::bigint as customers_preexisting,
        sum(d.customers_new)::bigint as customers_new,
        sum(d.customers_reactivated)::bigint as customers_reactivated,
        sum(d.customers_churned)::bigint as customers_churned,
        arg_max(d.customers, d.day) as customers,
        bool_and(d.mrr_is_complete) as mrr_is_complete,
        bool_and(d.churn_is_observable) as churn_is_observable
    from asked a
    join day d
        on d.day between a.first_on and a.last_on
    group by a.period_of, a.first_on, a.last_on
),
based as (
    select
        s.*,
        if(s.churn_is_observable, nullif(s.opening, 0), null) as base,
        if(s.churn_is_observable, nullif(s.customers_opening, 0), null) as customer_base
    from summed s
)
select
    b.*,
    coalesce(k.customers_lost, 0) as customers_lost,
    coalesce(k.customers_lost, 0) / b.customer_base as customer_churn_rate,
    (abs(b.churn) + abs(b.contraction)) / b.base as gross_mrr_churn_rate,
    (abs(b.churn) + abs(b.contraction) - b.expansion - b.reactivation) / b.base as net_mrr_churn_rate,
    (b.opening + coalesce(k.net_change, 0)) / b.base as nrr,
    (b.opening + coalesce(k.losses, 0)) / b.base as grr,
    case
        when b.churn_is_observable
            then (b.new + b.reactivation + b.expansion) / nullif(abs(b.contraction) + abs(b.churn), 0)
    end as quick_ratio,
    if(b.churn_is_observable, (b.closing - b.opening - b.preexisting) / nullif(b.opening, 0), null) as growth,
    b.closing / nullif(b.customers, 0) as arpa,
    12 * b.closing as arr,
    b.first_on = date_trunc('month', b.first_on)::date and b.last_on = last_day(b.first_on) as is_whole
from based b
left join kept k
    on k.period_of = b.period_of
    and k.first_on = b.first_on;
