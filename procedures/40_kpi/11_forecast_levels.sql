-- What the methods that follow a level know, as seen from the end of each period: one row a
-- method and origin, in the terms of kpi.forecast_naive.
create or replace view kpi.forecast_levels as
with series as materialized (
    select (array_agg(h.opening order by h.period))[1:1] || array_agg(h.closing order by h.period) as levels
    from kpi.forecast_history h
    having count(*) > 1
),
fitted as (
    select 'naive' as method, f.origin, f.level, f.trend, f.damping, f.alpha, f.beta, f.errors, f.freedom, f.drifts
    from series s
    cross join lateral kpi.forecast_naive(s.levels) f
    union all
    select 'drift', f.origin, f.level, f.trend, f.damping, f.alpha, f.beta, f.errors, f.freedom, f.drifts
    from series s
    cross join lateral kpi.forecast_drift(s.levels) f
    union all
    select 'damped_trend', f.origin, f.level, f.trend, f.damping, f.alpha, f.beta, f.errors, f.freedom, f.drifts
    from series s
    cross join lateral kpi.forecast_damped_trend(s.levels) f
)
select f.method, f.origin, f.level, f.trend, f.damping, f.alpha, f.beta, f.errors, f.freedom, f.drifts
from kpi.forecast_status s
join fitted f
    on f.origin >= s.first_origin;

comment on view kpi.forecast_levels is 'What naive, drift and damped_trend know at the end of each period; one row a method and origin.';
comment on column kpi.forecast_levels.method is 'naive, drift or damped_trend.';
comment on column kpi.forecast_levels.origin is 'Number of the period (kpi.forecast_history) at whose end the forecast is made.';
comment on column kpi.forecast_levels.level is 'Level of MRR, in the reporting currency.';
comment on column kpi.forecast_levels.trend is 'Change of the level a period, in the reporting currency.';
comment on column kpi.forecast_levels.damping is 'What remains of the trend after a period, 0 to 1.';
comment on column kpi.forecast_levels.alpha is 'Part of an error that stays in the level, 0 to 1.';
comment on column kpi.forecast_levels.beta is 'Part of an error that goes into the trend, 0 to 1.';
comment on column kpi.forecast_levels.errors is 'Past errors one period ahead, scaled for what was estimated.';
comment on column kpi.forecast_levels.freedom is 'Degrees of freedom that judge their spread.';
comment on column kpi.forecast_levels.drifts is 'True where the trend is a mean, and uncertain as such.';
grant select on kpi.forecast_levels to pgmrr_reader, pgmrr_writer;
