-- The drift method: MRR goes on as it did on average, along the line from the first to the
-- last known value.
--
-- One row an origin, in the terms of kpi.forecast_naive. The trend is the mean change; errors
-- are the changes less it, each larger by sqrt(n / (n - 1)) for the mean that they were used
-- to estimate, and the mean itself is uncertain (`drifts`).
create or replace function kpi.forecast_drift(p_levels numeric[])
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
    with change as (
        select
            l.place::integer - 1 as period,
            l.level,
            l.level - lag(l.level) over (order by l.place) as change
        from unnest(p_levels) with ordinality l (level, place)
    ),
    fitted as (
        select
            c.period,
            c.level,
            (c.level - p_levels[1]) / c.period as trend
        from change c
        where c.period > 1
    )
    select
        f.period,
        f.level,
        f.trend,
        1,
        1,
        0,
        (
            select array_agg((c.change - f.trend) * sqrt(f.period::numeric / (f.period - 1)) order by c.period)
            from change c
            where c.period between 1 and f.period
        ),
        f.period - 1,
        true
    from fitted f;
end;

comment on function kpi.forecast_drift(numeric[]) is
    'Forecasts of a series by its mean change: level, trend and errors as seen from the end of each period (p_levels: the start, then the end of each period); one row an origin, from the second period on. Source: Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 3rd edition, section 5.2.';
revoke all on function kpi.forecast_drift(numeric[]) from public;
grant execute on function kpi.forecast_drift(numeric[]) to pgmrr_reader, pgmrr_writer;
