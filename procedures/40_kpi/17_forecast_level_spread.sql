-- How far may MRR be from the forecasts of naive, drift and damped_trend? One row a method,
-- origin and period ahead, with the quantiles of MRR for p_probabilities.
--
-- By bootstrap: p_paths futures, on each of which the method's equations (kpi.forecast_naive)
-- go on with errors drawn from its own past ones. Two things that a plain bootstrap leaves
-- out are drawn once a path, so that intervals from few periods are as wide as they must be:
--     the spread itself    every error of a path is larger by sqrt(n / chi-square), n the
--                          degrees of freedom, which makes normal errors Student's t
--                          (chi-square by Wilson and Hilferty's approximation)
--     the mean             where the trend is one, a path shifts it by the mean of a sample of
--                          the errors, with the variance of the mean of all
--
-- Plans of this size take longer to compile than to run: hence no JIT.
create or replace function kpi.forecast_level_spread(
    p_origins integer[], p_steps integer, p_paths integer, p_probabilities numeric[]
)
returns table (
    method text,
    origin integer,
    step integer,
    quantiles numeric[]
)
language sql
stable
parallel safe
set jit = off
begin atomic
    -- A path carries what is its own; the fits are few, and looked up at each step.
    with recursive fit as materialized (
        select
            f.method,
            f.origin,
            f.level::double precision as level,
            f.trend::double precision as trend,
            f.damping::double precision as damping,
            f.alpha::double precision as alpha,
            f.beta::double precision as beta,
            f.errors::double precision[] as errors,
            cardinality(f.errors) as count,
            f.freedom,
            f.drifts
        from kpi.forecast_levels f
        where f.origin = any(p_origins)
    ),
    path as materialized (
        select
            n.path,
            -- A standard normal number, by Box and Muller.
            sqrt(- 2 * ln((kpi.draw(n.path, -1) + 1.0::double precision) / 9223372036854775808))
            * cos(2 * pi() * (kpi.draw(n.path, -2) / 9223372036854775808::double precision)) as normal
        from generate_series(1, p_paths) n (path)
    ),
    start as materialized (
        select
            f.method,
            f.origin,
            p.path,
            greatest(1 - 2 / (9.0::double precision * f.freedom) + p.normal * sqrt(2 / (9.0::double precision * f.freedom)), 0.2)
            ^ (-1.5) as scale,
            case
                when f.drifts then (
                    select sum(f.errors[1 + kpi.draw(p.path, - 2 - k.place) % f.count] order by k.place) / sqrt(6.0::double precision * f.count)
                    from generate_series(1, 6) k (place)
                )
                else 0
            end as shift
        from fit f
        cross join path p
    ),
    walk (method, origin, path, scale, shift, step, level, trend, mrr) as (
        select s.method, s.origin, s.path, s.scale, s.scale * s.shift, 0, f.level, f.trend, f.level
        from start s
        join fit f
            on f.method = s.method
            and f.origin = s.origin
        union all
        select
            w.method,
            w.origin,
            w.path,
            w.scale,
            w.shift,
            w.step + 1,
            e.expected + f.alpha * e.error,
            f.damping * w.trend + f.beta * e.error,
            e.expected + e.error
        from walk w
        join fit f
            on f.method = w.method
            and f.origin = w.origin
        cross join lateral (
            select
                w.level + f.damping * w.trend + w.shift as expected,
                w.scale * f.errors[1 + kpi.draw(w.path, w.step + 1) % f.count] as error
        ) e
        where w.step < p_steps
    )
    select
        w.method,
        w.origin,
        w.step,
        percentile_cont(p_probabilities::double precision[]) within group (order by greatest(w.mrr, 0))::numeric[]
    from walk w
    where w.step > 0
    group by w.method, w.origin, w.step;
end;

comment on function kpi.forecast_level_spread(integer[], integer, integer, numeric[]) is
    'Quantiles of MRR, p_steps periods ahead of each origin, around the forecasts of naive, drift and damped_trend, by bootstrap of their errors with p_paths paths; one row a method, origin and period, in the reporting currency. Source: Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 3rd edition, section 5.5.';
revoke all on function kpi.forecast_level_spread(integer[], integer, integer, numeric[]) from public;
grant execute on function kpi.forecast_level_spread(integer[], integer, integer, numeric[]) to pgmrr_reader, pgmrr_writer;
