-- Holt's method with a damped trend: MRR goes on as it did lately, ever more slowly.
--
-- One row an origin, in the terms of kpi.forecast_naive. With y the MRR at the end of a period,
--
--     error e = y - (level + damping * trend)           as forecast one period before
--     level   = level + damping * trend + alpha * e
--     trend   = damping * trend + beta * e              beta = alpha * beta*
--
-- from level = the first MRR and trend = the first change. Of alpha 0.1 to 1, beta* 0 to 1,
-- both by tenths, and damping 0.80, 0.85, 0.90, 0.95, 0.98, an origin takes those with the
-- least sum of squared errors up to it. The first error is none, since the trend began with
-- it; three parameters leave n - 3 of n errors, at least 2, to judge the spread from, and
-- each counts as larger by sqrt(n / (n - 3)). The trend is uncertain as a mean of n changes is
-- (`drifts`).
--
-- In double precision: what is estimated is no money yet.
create or replace function kpi.forecast_damped_trend(p_levels numeric[])
returns table (
    origin integer,
    level numeric,
    trend numeric,
    damping numeric,
    alpha numeric,
    beta numeric,
    errors numeric[],
    freedom integer,
    drifts boolean
)
language sql
immutable
parallel safe
begin atomic
    with recursive fit (period, alpha, beta, damping, level, trend, error, squares) as (
        select
            0,
            a.tenths / 10::double precision,
            a.tenths * b.tenths / 100::double precision,
            d.percent / 100::double precision,
            p_levels[1]::double precision,
            (p_levels[2] - p_levels[1])::double precision,
            0::double precision,
            0::double precision
        from generate_series(1, 10) a (tenths)
        cross join generate_series(0, 10) b (tenths)
        cross join (values (80), (85), (90), (95), (98)) d (percent)
        union all
        select
            f.period + 1,
            f.alpha,
            f.beta,
            f.damping,
            f.level + f.damping * f.trend + f.alpha * e.error,
            f.damping * f.trend + f.beta * e.error,
            e.error,
            f.squares + e.error * e.error
        from fit f
        cross join lateral (
            select p_levels[f.period + 2]::double precision - f.level - f.damping * f.trend as error
        ) e
        where f.period < cardinality(p_levels) - 1
    ),
    best as (
        select distinct on (f.period)
            f.period,
            f.alpha,
            f.beta,
            f.damping,
            f.level,
            f.trend,
            greatest(f.period - 3, 2) as freedom
        from fit f
        where f.period > 1
        order by f.period, f.squares, f.alpha, f.beta, f.damping
    )
    select
        b.period,
        b.level::numeric,
        b.trend::numeric,
        b.damping::numeric,
        b.alpha::numeric,
        b.beta::numeric,
        (
            select array_agg((e.error * sqrt(b.period / b.freedom::double precision))::numeric order by e.period)
            from fit e
            where e.alpha = b.alpha
                and e.beta = b.beta
                and e.damping = b.damping
                and e.period between 1 and b.period
        ),
        b.freedom,
        true
    from best b;
end;

comment on function kpi.forecast_damped_trend(numeric[]) is
    'Forecasts of a series by Holt''s method with a damped trend, parameters by grid search: level, trend and errors as seen from the end of each period (p_levels: the start, then the end of each period); one row an origin, from the second period on. Source: Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 3rd edition, sections 8.2 and 8.5.';
revoke all on function kpi.forecast_damped_trend(numeric[]) from public;
grant execute on function kpi.forecast_damped_trend(numeric[]) to pgmrr_reader, pgmrr_writer;
