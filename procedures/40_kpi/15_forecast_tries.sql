-- How well did each method forecast, each time that it can be told? The rolling origin.
--
-- One row a method, origin and number of periods ahead: what it would have said at the end of
-- the origin, and what came. Origins roll over the history, period by period; every method is
-- tried on the same ones.
create or replace view kpi.forecast_tries as
with status as materialized (
    select s.tested_steps, s.periods, least(max(t.step), s.periods) as last_step
    from kpi.forecast_status s
    cross join lateral unnest(s.tested_steps) t (step)
    where s.is_possible
    group by s.tested_steps, s.periods
),
-- The errors of the simplest forecast one period ahead, known at the origin: MASE's unit.
history as materialized (
    select
        h.period,
        h.closing,
        avg(abs(h.closing - h.opening)) over (order by h.period) as naive_error
    from kpi.forecast_history h
)
select
    p.method,
    p.origin,
    p.step,
    p.mrr as forecast,
    came.closing as actual,
    p.mrr - came.closing as error,
    o.naive_error
from status s
cross join lateral kpi.forecast_points(s.last_step) p
join history o
    on o.period = p.origin
join history came
    on came.period = p.origin + p.step
where p.step = any(s.tested_steps);

comment on view kpi.forecast_tries is 'Forecasts of the past beside what came: one row a method, origin and number of periods ahead, in the reporting currency.';
comment on column kpi.forecast_tries.method is 'naive, drift, damped_trend or movements.';
comment on column kpi.forecast_tries.origin is 'Number of the period (kpi.forecast_history) at whose end the forecast is made.';
comment on column kpi.forecast_tries.step is 'Periods ahead.';
comment on column kpi.forecast_tries.forecast is 'MRR as forecast, in the reporting currency.';
comment on column kpi.forecast_tries.actual is 'MRR as it came, in the reporting currency.';
comment on column kpi.forecast_tries.error is 'Forecast less actual, in the reporting currency.';
comment on column kpi.forecast_tries.naive_error is 'Mean absolute change of MRR from period to period, up to the origin.';
grant select on kpi.forecast_tries to pgmrr_reader, pgmrr_writer;
