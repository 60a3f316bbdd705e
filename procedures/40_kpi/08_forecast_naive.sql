-- The naive method: MRR stays what it is.
--
-- p_levels are MRR at the start and at the end of each period. One row an origin, that is,
-- seen from the end of each period, in the terms of all methods that follow a level:
--
--     forecast h periods ahead = level + trend * (damping + damping^2 + ... + damping^h)
--
-- and an error e of a period moves the level by alpha * e and the trend by beta * e. Here the
-- level is the last MRR and there is no trend. It claims no direction, so each past change
-- counts as an error upwards and downwards.
create or replace function kpi.forecast_naive(p_levels numeric[])
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
    )
    select
        o.period,
        o.level,
        0,
        1,
        1,
        0,
        (
            select array_agg(c.change * s.sign order by c.period, s.sign)
            from change c
            cross join (values (-1), (1)) s (sign)
            where c.period between 1 and o.period
        ),
        o.period,
        false
    from change o
    where o.period > 0;
end;

comment on function kpi.forecast_naive(numeric[]) is
    'Naive forecasts of a series: level, trend and errors as seen from the end of each period (p_levels: the start, then the end of each period); one row an origin. Source: Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 3rd edition, section 5.2.';
revoke all on function kpi.forecast_naive(numeric[]) from public;
grant execute on function kpi.forecast_naive(numeric[]) to pgmrr_reader, pgmrr_writer;
