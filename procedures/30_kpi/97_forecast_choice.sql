-- Which method does `auto` take at the end of each period, and why? One row an origin.
--
-- The one with the least mean absolute error over all forecasts that could be judged by then,
-- the same for every method. Where they come from fewer than three origins, nothing is chosen
-- by its luck: `movements` is taken, since it knows the renewals ahead.
create or replace view kpi.forecast_choice as
with judged as (
    select
        o.origin,
        t.method,
        count(*) as tries,
        count(distinct t.origin) as origins,
        avg(abs(t.error)) as mae
    from kpi.forecast_status s
    cross join lateral generate_series(s.first_origin, s.periods) o (origin)
    left join kpi.forecast_tries t
        on t.origin + t.step <= o.origin
    where s.is_possible
    group by o.origin, t.method
),
ranked as (
    select
        j.origin,
        j.method,
        j.tries,
        j.origins,
        j.mae,
        j.origins >= 3 as is_judged,
        min(j.mae) filter (where j.method = 'naive') over (partition by j.origin) as naive_mae,
        row_number() over (
            partition by j.origin
            order by
                case when j.origins >= 3 then j.mae end,
                case when j.method = 'movements' then 0 else 1 end,
                j.method
        ) as place
    from judged j
)
select
    r.origin,
    case when r.is_judged then r.method else 'movements' end as method,
    r.is_judged,
    r.origins,
    r.tries,
    case when r.is_judged then r.mae end as mae,
    case when r.is_judged then r.naive_mae end as naive_mae
from ranked r
where r.place = 1;

comment on view kpi.forecast_choice is 'The method that auto takes at the end of each period: that with the least error in the backtest so far; one row an origin.';
comment on column kpi.forecast_choice.origin is 'Number of the period (kpi.forecast_history) at whose end it is chosen.';
comment on column kpi.forecast_choice.method is 'The method.';
comment on column kpi.forecast_choice.is_judged is 'False where too few forecasts could be judged by then, and movements is taken.';
comment on column kpi.forecast_choice.origins is 'From so many origins forecasts could be judged by then.';
comment on column kpi.forecast_choice.tries is 'So many forecasts of each method could be judged.';
comment on column kpi.forecast_choice.mae is 'Mean absolute error of the method, in the reporting currency; NULL where not judged.';
comment on column kpi.forecast_choice.naive_mae is 'That of naive, on the same forecasts.';
grant select on kpi.forecast_choice to pgmrr_reader, pgmrr_writer;
