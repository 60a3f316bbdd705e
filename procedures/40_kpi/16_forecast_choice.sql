-- Which method does `auto` take at the end of each period, and why? One row an origin.
--
-- The one with the least mean absolute error over all forecasts that could be judged by then,
-- the same for every method. But forecasts from neighbouring origins share their luck, so
--
-- - nothing is judged before there are twice as many origins as the longest forecast to be
--   tried has periods, and `movements` is taken, which knows the renewals ahead and says what
--   it expects by kind. So weeks and days, which are the grain of short histories alone, are
--   never enough;
-- - `movements` gives way only to a method that is better by a tenth or more, and whose lead
--   over it, averaged by origin, is more than its standard error.
create or replace view kpi.forecast_choice as
with tried as materialized (
    select
        t.method,
        t.origin,
        t.step,
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
        (select max(l.step) from unnest(s.tested_steps) l (step)) as longest,
        sum(t.error) as error,
        avg(t.movements_error - t.error) as lead
    from kpi.forecast_status s
    cross join lateral generate_series(s.first_origin, s.periods) o (origin)
    left join tried t
        on t.known_at <= o.origin
    where s.is_possible
    group by o.origin, t.method, t.origin, s.tested_steps
),
judged as (
    select
        b.origin,
        b.method,
        count(b.tried_at) as origins,
        sum(b.tries)::bigint as tries,
        count(b.tried_at) >= 2 * max(b.longest) as is_judged,
        sum(b.error) / nullif(sum(b.tries), 0) as mae,
        avg(b.lead) as lead,
        stddev_samp(b.lead) / sqrt(count(b.lead)) as lead_error
    from by_origin b
    group by b.origin, b.method
),
compared as (
    select
        j.origin,
        j.origins,
        j.tries,
        j.is_judged,
        j.method,
        j.mae,
        min(j.mae) filter (where j.method = 'movements') over at_origin as movements_mae,
        min(j.mae) filter (where j.method = 'naive') over at_origin as naive_mae,
        min(j.mae) filter (where j.method = 'drift') over at_origin as drift_mae,
        j.lead > j.lead_error as leads
    from judged j
    window at_origin as (partition by j.origin)
),
ranked as (
    select
        c.origin,
        c.origins,
        c.tries,
        c.is_judged,
        c.method,
        c.mae,
        c.movements_mae,
        c.naive_mae,
        c.drift_mae,
        row_number() over (
            partition by c.origin
            order by
                coalesce(c.method = 'movements' or (c.leads and c.mae <= 0.9 * c.movements_mae), false) desc,
                c.mae,
                c.method
        ) as place
    from compared c
)
select
    r.origin,
    case when r.is_judged then r.method else 'movements' end as method,
    r.is_judged,
    r.origins,
    r.tries,
    case when r.is_judged then r.mae end as mae,
    case when r.is_judged then r.movements_mae end as movements_mae,
    case when r.is_judged then r.naive_mae end as naive_mae,
    case when r.is_judged then r.drift_mae end as drift_mae
from ranked r
where r.place = 1;

comment on view kpi.forecast_choice is 'The method that auto takes at the end of each period: that with the least error in the backtest so far, unless its lead over movements may be luck; one row an origin.';
comment on column kpi.forecast_choice.origin is 'Number of the period (kpi.forecast_history) at whose end it is chosen.';
comment on column kpi.forecast_choice.method is 'The method.';
comment on column kpi.forecast_choice.is_judged is 'False where too few forecasts could be judged by then, and movements is taken.';
comment on column kpi.forecast_choice.origins is 'From so many origins forecasts could be judged by then.';
comment on column kpi.forecast_choice.tries is 'So many forecasts of each method could be judged.';
comment on column kpi.forecast_choice.mae is 'Mean absolute error of the method, in the reporting currency a month; NULL where not judged.';
comment on column kpi.forecast_choice.naive_mae is 'Mean absolute error of naive on the same forecasts, in the reporting currency a month.';
comment on column kpi.forecast_choice.drift_mae is 'Mean absolute error of drift on the same forecasts, in the reporting currency a month.';
comment on column kpi.forecast_choice.movements_mae is 'Mean absolute error of movements on the same forecasts, in the reporting currency a month.';
grant select on kpi.forecast_choice to pgmrr_reader, pgmrr_writer;
