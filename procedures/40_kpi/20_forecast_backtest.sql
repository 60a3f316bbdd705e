-- How good were such forecasts in the past? Rolling origin, every method and `auto`.
--
-- One row a method and number of periods ahead, over all origins from which it can be judged
-- (kpi.forecast_tries); `auto` is what kpi.forecast_choice took at each of them. No rows where
-- there is no forecast.
--
--     mae            mean |forecast - actual|
--     mape           mean |forecast - actual| / actual, where actual is above 0
--     mase           mean |forecast - actual| / mean |change a period up to the origin|
--     relative_mae   mae / mae of naive on the same origins
--     bias           mean of forecast - actual: above 0 it promised too much
--     coverage_50    share of actuals inside the 50 % interval; so for 80 and 95 %
--
-- Plans of this size take longer to compile than to run: hence no JIT.
create or replace function kpi.forecast_backtest()
returns table (
    method text,
    grain text,
    periods_ahead integer,
    origins bigint,
    mae numeric,
    mape numeric,
    mase numeric,
    relative_mae numeric,
    bias numeric,
    coverage_50 numeric,
    coverage_80 numeric,
    coverage_95 numeric,
    is_auto boolean
)
language sql
stable
parallel safe
set jit = off
begin atomic
    with tries as materialized (
        select t.method, t.origin, t.step, t.actual, t.error, t.naive_error
        from kpi.forecast_tries t
    ),
    choice as materialized (
        select c.origin, c.method
        from kpi.forecast_choice c
    ),
    asked as materialized (
        select
            array_agg(distinct t.origin) as origins,
            max(t.step) as steps
        from tries t
    ),
    spread as materialized (
        select s.method, s.origin, s.step, s.quantiles
        from asked a
        cross join lateral kpi.forecast_level_spread(a.origins, a.steps, 300, '{0.025,0.1,0.25,0.75,0.9,0.975}') s
        union all
        select 'movements', s.origin, s.step, s.quantiles
        from asked a
        cross join lateral kpi.forecast_movement_spread(a.origins, a.steps, 300, '{0.025,0.1,0.25,0.75,0.9,0.975}') s
    ),
    judged as (
        select
            t.method,
            t.origin,
            t.step,
            t.actual,
            t.error,
            t.naive_error,
            round(s.quantiles[1], 2) <= t.actual and t.actual <= round(s.quantiles[6], 2) as is_within_95,
            round(s.quantiles[2], 2) <= t.actual and t.actual <= round(s.quantiles[5], 2) as is_within_80,
            round(s.quantiles[3], 2) <= t.actual and t.actual <= round(s.quantiles[4], 2) as is_within_50
        from tries t
        join spread s
            on s.method = t.method
            and s.origin = t.origin
            and s.step = t.step
    ),
    with_auto as (
        select j.method, j.origin, j.step, j.actual, j.error, j.naive_error, j.is_within_50, j.is_within_80, j.is_within_95
        from judged j
        union all
        select 'auto', j.origin, j.step, j.actual, j.error, j.naive_error, j.is_within_50, j.is_within_80, j.is_within_95
        from judged j
        join choice c
            on c.origin = j.origin
            and c.method = j.method
    ),
    summed as (
        select
            w.method,
            w.step,
            count(*) as origins,
            avg(abs(w.error)) as mae,
            avg(abs(w.error) / nullif(w.actual, 0)) as mape,
            avg(abs(w.error) / nullif(w.naive_error, 0)) as mase,
            avg(w.error) as bias,
            avg(w.is_within_50::integer) as coverage_50,
            avg(w.is_within_80::integer) as coverage_80,
            avg(w.is_within_95::integer) as coverage_95
        from with_auto w
        group by w.method, w.step
    )
    select
        f.method,
        s.grain,
        f.step,
        f.origins,
        f.mae,
        f.mape,
        f.mase,
        f.mae / nullif(min(f.mae) filter (where f.method = 'naive') over (partition by f.step), 0),
        f.bias,
        f.coverage_50,
        f.coverage_80,
        f.coverage_95,
        f.method = (select c.method from choice c where c.origin = s.periods)
    from kpi.forecast_status s
    cross join summed f
    order by f.step, f.mae, f.method;
end;

comment on function kpi.forecast_backtest() is
    'How good the forecasts of each method would have been: errors in the reporting currency and as shares, and the share of actuals inside the intervals; one row a method and number of periods ahead, none where there is no forecast. Source: Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 3rd edition, sections 5.8 and 5.10. Example: select * from kpi.forecast_backtest().';
revoke all on function kpi.forecast_backtest() from public;
grant execute on function kpi.forecast_backtest() to pgmrr_reader, pgmrr_writer;
