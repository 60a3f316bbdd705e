-- What do the methods forecast, as seen from the end of each period? One row a method, origin
-- and period ahead, in the reporting currency, never below 0.
--
-- No method knows anything that lies behind its origin.
--
-- Plans of this size take longer to compile than to run: hence no JIT.
create or replace function kpi.forecast_points(p_steps integer)
returns table (
    method text,
    origin integer,
    step integer,
    mrr numeric
)
language sql
stable
parallel safe
set jit = off
begin atomic
    select
        l.method,
        l.origin,
        t.step,
        round(greatest(l.level + l.trend * sum(l.damping ^ t.step) over (partition by l.method, l.origin order by t.step), 0), 2)
    from kpi.forecast_levels l
    cross join generate_series(1, p_steps) t (step)
    union all
    select
        'movements',
        m.origin,
        m.step,
        m.mrr
    from kpi.forecast_movements(p_steps) m;
end;

comment on function kpi.forecast_points(integer) is
    'Forecasts of every method, p_steps periods ahead of the end of each period; one row a method, origin and period, in the reporting currency.';
revoke all on function kpi.forecast_points(integer) from public;
grant execute on function kpi.forecast_points(integer) to pgmrr_reader, pgmrr_writer;
