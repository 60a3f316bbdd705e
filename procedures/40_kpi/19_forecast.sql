-- What will MRR be? Rules R10 to R12.
--
-- One row a month to come, counted from the last covered day, in the reporting currency: the
-- forecast, and the interval in which MRR lies with probability p_level if the future is like
-- the past. `auto` takes the method that was best in the backtest (kpi.forecast_choice).
-- `movements` says by kind what it expects:
--     opening + new + reactivation + expansion + contraction + churn = point, exactly;
-- the other methods know no kinds, and have NULL there.
--
-- No rows where there is too little to forecast from, and fewer than p_months where the
-- history is shorter: kpi.forecast_status says why. Error MR004 for a number of months below
-- 1, a level outside of 0 to 1, and an unknown method.
--
-- Plans of this size take longer to compile than to run: hence no JIT.
create or replace function kpi.forecast(
    p_months integer default 6, p_level numeric default 0.8, p_method text default 'auto'
)
returns table (
    month integer,
    last_on date,
    method text,
    point numeric,
    low numeric,
    high numeric,
    opening numeric,
    new numeric,
    reactivation numeric,
    expansion numeric,
    contraction numeric,
    churn numeric
)
language plpgsql
stable
parallel safe
set search_path = ''
set jit = off
as $$
declare
    v_origin integer;
    v_steps integer;
    v_method text;
    v_tails numeric[];
begin
    if p_months is null or p_months < 1 then
        raise exception using
            errcode = 'MR004',
            message = format('a forecast takes one month or more, not %s', coalesce(p_months::text, 'null')),
            hint = 'Give the number of months ahead, as in kpi.forecast(6).';
    end if;
    if p_level is null or p_level <= 0 or p_level >= 1 then
        raise exception using
            errcode = 'MR004',
            message = format('the level of an interval is between 0 and 1, not %s', coalesce(p_level::text, 'null')),
            hint = 'Give 0.8 for 80 %.';
    end if;
    if p_method is null or p_method not in ('auto', 'naive', 'drift', 'damped_trend', 'movements') then
        raise exception using
            errcode = 'MR004',
            message = format('there is no method %s', coalesce(quote_literal(p_method), 'null')),
            hint = 'Take auto, naive, drift, damped_trend or movements.';
    end if;

    select s.periods, (select max(m.step) from kpi.forecast_months(p_months) m)
    into v_origin, v_steps
    from kpi.forecast_status s
    where s.is_possible;

    if v_origin is null then
        return;
    end if;

    v_method := p_method;
    if p_method = 'auto' then
        select c.method
        into v_method
        from kpi.forecast_choice c
        where c.origin = v_origin;
    end if;
    v_tails := array[(1 - p_level) / 2, (1 + p_level) / 2];

    if v_method = 'movements' then
        return query
        with step as (
            select
                m.step,
                coalesce(lag(m.step) over (order by m.month), 0) as previous_step,
                m.month,
                m.last_on
            from kpi.forecast_months(p_months) m
        ),
        expected as (
            select
                s.month,
                s.step,
                s.last_on,
                (array_agg(f.mrr order by f.step desc))[1] as mrr,
                (array_agg(f.opening order by f.step))[1] as opening,
                sum(f.new) as new,
                sum(f.reactivation) as reactivation,
                sum(f.expansion) as expansion,
                sum(f.contraction) as contraction,
                sum(f.churn) as churn
            from step s
            join kpi.forecast_movements(v_steps) f
                on f.origin = v_origin
                and f.step > s.previous_step
                and f.step <= s.step
            group by s.month, s.step, s.last_on
        )
        select
            e.month,
            e.last_on,
            v_method,
            e.mrr,
            least(round(q.quantiles[1], 2), e.mrr),
            greatest(round(q.quantiles[2], 2), e.mrr),
            e.opening,
            e.new,
            e.reactivation,
            e.expansion,
            e.contraction,
            e.churn
        from expected e
        join kpi.forecast_movement_spread(array[v_origin], v_steps, 2000, v_tails) q
            on q.step = e.step
        order by e.month;
    else
        return query
        select
            m.month,
            m.last_on,
            v_method,
            p.mrr,
            least(round(q.quantiles[1], 2), p.mrr),
            greatest(round(q.quantiles[2], 2), p.mrr),
            null::numeric,
            null::numeric,
            null::numeric,
            null::numeric,
            null::numeric,
            null::numeric
        from kpi.forecast_months(p_months) m
        join kpi.forecast_points(v_steps) p
            on p.method = v_method
            and p.origin = v_origin
            and p.step = m.step
        join kpi.forecast_level_spread(array[v_origin], v_steps, 2000, v_tails) q
            on q.method = v_method
            and q.step = m.step
        order by m.month;
    end if;
end;
$$;

comment on function kpi.forecast(integer, numeric, text) is
    'MRR p_months ahead, with the interval that holds it with probability p_level, by the method auto, naive, drift, damped_trend or movements; one row a month, in the reporting currency; none where kpi.forecast_status says that there is too little. Error MR004 for a parameter out of range. Example: select * from kpi.forecast(6, 0.8, ''movements'').';
revoke all on function kpi.forecast(integer, numeric, text) from public;
grant execute on function kpi.forecast(integer, numeric, text) to pgmrr_reader, pgmrr_writer;
