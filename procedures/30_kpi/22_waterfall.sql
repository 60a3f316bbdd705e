-- How does MRR move, period by period? Rules R10 to R13 and R12's waterfall.
--
-- p_boundaries are the first days of consecutive periods and, at the end, the day after
-- the last one. One row a period, in the reporting currency. Periods are taken as they
-- are: clip them to coverage first (kpi.covered_range, kpi.month_boundaries).
create or replace function kpi.waterfall(p_boundaries date[])
returns table (
    first_on date,
    last_on date,
    opening numeric,
    preexisting numeric,
    new numeric,
    reactivation numeric,
    expansion numeric,
    contraction numeric,
    rounding numeric,
    churn numeric,
    closing numeric,
    unpaid numeric,
    customers_opening bigint,
    customers_preexisting bigint,
    customers_new bigint,
    customers_reactivated bigint,
    customers_churned bigint,
    customers bigint,
    mrr_is_complete boolean,
    churn_is_observable boolean
)
language sql
stable
parallel safe
begin atomic
    with daily as (
        select
            width_bucket(d.day, p_boundaries) as period,
            d.day,
            d.opening,
            d.preexisting,
            d.new,
            d.reactivation,
            d.expansion,
            d.contraction,
            d.rounding,
            d.churn,
            d.closing,
            d.unpaid,
            d.customers - d.customers_preexisting - d.customers_new - d.customers_reactivated
            + d.customers_churned as customers_opening,
            d.customers_preexisting,
            d.customers_new,
            d.customers_reactivated,
            d.customers_churned,
            d.customers,
            d.mrr_is_complete,
            d.churn_is_observable
        from kpi.mrr_daily d
    )
    select
        min(d.day),
        max(d.day),
        (array_agg(d.opening order by d.day))[1],
        sum(d.preexisting),
        sum(d.new),
        sum(d.reactivation),
        sum(d.expansion),
        sum(d.contraction),
        sum(d.rounding),
        sum(d.churn),
        (array_agg(d.closing order by d.day desc))[1],
        (array_agg(d.unpaid order by d.day desc))[1],
        (array_agg(d.customers_opening order by d.day))[1],
        sum(d.customers_preexisting)::bigint,
        sum(d.customers_new)::bigint,
        sum(d.customers_reactivated)::bigint,
        sum(d.customers_churned)::bigint,
        (array_agg(d.customers order by d.day desc))[1],
        bool_and(d.mrr_is_complete),
        bool_and(d.churn_is_observable)
    from daily d
    where d.period between 1 and cardinality(p_boundaries) - 1
    group by d.period
    order by d.period;
end;

comment on function kpi.waterfall(date[]) is
    'The waterfall of consecutive periods, given by their first days and the day after the last; one row a period, in the reporting currency.';
revoke all on function kpi.waterfall(date[]) from public;
grant execute on function kpi.waterfall(date[]) to pgmrr_reader, pgmrr_writer;
