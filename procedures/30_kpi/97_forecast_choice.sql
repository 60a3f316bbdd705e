-- Which method does `auto` take at the end of each period, and why? One row an origin.
--
-- The one with the least mean absolute error over all forecasts that could be judged by then,
-- the same for every method; but `movements`, which knows the renewals ahead and says what it
-- expects by kind, gives way only to a method whose lead over it, averaged by origin, is more
-- than its standard error: a smaller one may be luck. Where the forecasts come from fewer
-- than three origins, nothing is judged, and `movements` is taken.
create or replace view kpi.forecast_choice as
with tried as materialized (
    select
        t.method,
        t.origin,
        t.origin + t.step as known_at,
        abs(t.error) as error,
        min(abs(t.error)) filter (where t.method = 'movements') over (partition by t.origin, t.step) as movements_error
    from kpi.forecast_tries t
),
by_origin as (
    select
        o.origin,
        t.method,
        t.origin as tried_at,
        count(t.error) as tries,
        sum(t.error) as error,
        avg(t.movements_error - t.error) as lead
    from kpi.forecast_status s
    cross join lateral generate_series(s.first_origin, s.periods) o (origin)
    left join tried t
        on t.known_at <= o.origin
    where s.is_possible
    group by o.origin, t.method, t.origin
),
judged as (
    select
        b.origin,
        b.method,
        count(b.tried_at) as origins,
        sum(b.tries)::bigint as tries,
        sum(b.error) / nullif(sum(b.tries), 0) as mae,
        avg(b.lead) as lead,
        stddev_samp(b.lead) / sqrt(count(b.lead)) as lead_error
    from by_origin b
    group by b.origin, b.method
),
ranked as (
    select
        j.origin,
        j.origins,
        j.tries,
        j.origins >= 3 as is_judged,
        j.method,
        j.mae,
        min(j.mae) filter (where j.method = 'movements') over at_origin as movements_mae,
        min(j.mae) filter (where j.method = 'naive') over at_origin as naive_mae,
        row_number() over (
            at_origin
            order by
                coalesce(j.origins >= 3 and (j.lead > j.lead_error or j.method = 'movements'), false) desc,
                j.mae,
                j.method
        ) as place
    from judged j
    window at_origin as (partition by j.origin)
)
select
    r.origin,
    case when r.is_judged then r.method else 'movements' end as method,
    r.is_judged,
    r.origins,
    r.tries,
    case when r.is_judged then r.mae end as mae,
    case when r.is_judged then r.movements_mae end as movements_mae,
    case when r.is_judged then r.naive_mae end as naive_mae
from ranked r
where r.place = 1;

comment on view kpi.forecast_choice is 'The method that auto takes at the end of each period: that with the least error in the backtest so far, unless its lead over movements may be luck; one row an origin.';
comment on column kpi.forecast_choice.origin is 'Number of the period (kpi.forecast_history) at whose end it is chosen.';
comment on column kpi.forecast_choice.method is 'The method.';
comment on column kpi.forecast_choice.is_judged is 'False where too few forecasts could be judged by then, and movements is taken.';
comment on column kpi.forecast_choice.origins is 'From so many origins forecasts could be judged by then.';
comment on column kpi.forecast_choice.tries is 'So many forecasts of each method could be judged.';
comment on column kpi.forecast_choice.mae is 'Mean absolute error of the method, in the reporting currency; NULL where not judged.';
comment on column kpi.forecast_choice.naive_mae is 'That of naive, on the same forecasts.';
comment on column kpi.forecast_choice.movements_mae is 'That of movements, on the same forecasts.';
grant select on kpi.forecast_choice to pgmrr_reader, pgmrr_writer;
