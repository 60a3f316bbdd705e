-- Churn and retention of consecutive periods. Rule R12.
--
-- p_boundaries are the first days of the periods and, at the end, the day after the last
-- one. One row a period. All rates are shares; they are NULL where churn is not
-- observable in the whole period (R11) or their denominator is 0.
create or replace function kpi.retention_by_period(p_boundaries date[])
returns table (
    first_on date,
    last_on date,
    opening numeric,
    closing numeric,
    customers_opening bigint,
    customers_lost bigint,
    customer_churn_rate numeric,
    gross_mrr_churn_rate numeric,
    net_mrr_churn_rate numeric,
    nrr numeric,
    grr numeric,
    quick_ratio numeric,
    arpa numeric,
    mrr_is_complete boolean,
    churn_is_observable boolean
)
language sql
stable
parallel safe
begin atomic
    with period as (
        select
            w.first_on,
            w.last_on,
            w.opening,
            w.closing,
            w.new,
            w.reactivation,
            w.expansion,
            abs(w.contraction) as contraction,
            abs(w.churn) as churn,
            w.customers_opening,
            w.customers,
            coalesce(r.customers_lost, 0) as customers_lost,
            coalesce(r.net_change, 0) as net_change,
            coalesce(r.losses, 0) as losses,
            w.mrr_is_complete,
            w.churn_is_observable,
            -- The denominators: NULL where the rate cannot be told.
            case when w.churn_is_observable then nullif(w.opening, 0) end as base,
            case when w.churn_is_observable then nullif(w.customers_opening, 0) end as customer_base
        from kpi.waterfall(p_boundaries) w
        left join kpi.retention_of(p_boundaries) r
            on r.first_on = w.first_on
    )
    select
        p.first_on,
        p.last_on,
        p.opening,
        p.closing,
        p.customers_opening,
        p.customers_lost,
        p.customers_lost::numeric / p.customer_base,
        (p.churn + p.contraction) / p.base,
        (p.churn + p.contraction - p.expansion - p.reactivation) / p.base,
        (p.opening + p.net_change) / p.base,
        (p.opening + p.losses) / p.base,
        case
            when p.churn_is_observable
                then (p.new + p.reactivation + p.expansion) / nullif(p.contraction + p.churn, 0)
        end,
        p.closing / nullif(p.customers, 0),
        p.mrr_is_complete,
        p.churn_is_observable
    from period p
    order by p.first_on;
end;

comment on function kpi.retention_by_period(date[]) is
    'R12: churn and retention of consecutive periods, given by their first days and the day after the last; one row a period. Rates are shares, NULL where churn is not observable.';
revoke all on function kpi.retention_by_period(date[]) from public;
grant execute on function kpi.retention_by_period(date[]) to pgmrr_reader, pgmrr_writer;
