-- The periods of a forecast as boundaries: the first day of each of the past and of p_steps
-- to come, and at the end the day after the last. Rule R11.
--
-- All count from the last covered day, those of the past backwards. NULL where there is no
-- forecast.
create or replace function kpi.forecast_boundaries(p_steps integer)
returns date[]
language sql
stable
parallel safe
begin atomic
    select array_agg(
        case s.grain
            when 'month' then (s.complete_through + 1 + make_interval(months => k.place - s.periods))::date
            when 'week' then s.complete_through + 1 + 7 * (k.place - s.periods)
            else s.complete_through + 1 + k.place - s.periods
        end
        order by k.place
    )
    from kpi.forecast_status s
    cross join lateral generate_series(0, s.periods + p_steps) k (place)
    where s.is_possible;
end;

comment on function kpi.forecast_boundaries(integer) is
    'First days of the periods that a forecast learns from and of p_steps to come, and the day after the last; NULL where there is no forecast.';
revoke all on function kpi.forecast_boundaries(integer) from public;
grant execute on function kpi.forecast_boundaries(integer) to pgmrr_reader, pgmrr_writer;
