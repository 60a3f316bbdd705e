-- What if more customers come, or fewer leave? Base, better and worse side by side.
--
-- One row a month to come, in the reporting currency, by the method `movements`. Better has
-- the losses (churn and contraction) times p_churn_factor, new customers and those who come
-- back times p_new_factor, and expansion times p_expansion_factor; worse has them divided by
-- it. The months are those of kpi.forecast. Error MR004 for a number of months below 1 and a
-- factor that is not above 0.
--
-- Plans of this size take longer to compile than to run: hence no JIT.
create or replace function kpi.scenario(
    p_months integer default 6,
    p_churn_factor numeric default 0.8,
    p_new_factor numeric default 1.25,
    p_expansion_factor numeric default 1.25
)
returns table (
    month integer,
    last_on date,
    base numeric,
    better numeric,
    worse numeric,
    better_difference numeric,
    worse_difference numeric
)
language plpgsql
stable
parallel safe
set search_path = ''
set jit = off
as $$
declare
    v_steps integer;
begin
    if p_months is null or p_months < 1 then
        raise exception using
            errcode = 'MR004',
            message = format('a scenario takes one month or more, not %s', coalesce(p_months::text, 'null')),
            hint = 'Give the number of months ahead, as in kpi.scenario(6).';
    end if;
    if coalesce(least(p_churn_factor, p_new_factor, p_expansion_factor), 0) <= 0
        or p_churn_factor is null
        or p_new_factor is null
        or p_expansion_factor is null
    then
        raise exception using
            errcode = 'MR004',
            message = 'a factor is above 0',
            detail = format('They are %s, %s and %s.', p_churn_factor, p_new_factor, p_expansion_factor),
            hint = 'Give 0.8 for 20 % less, 1.25 for 25 % more.';
    end if;

    select max(m.step)
    into v_steps
    from kpi.forecast_months(p_months) m;

    return query
    select
        m.month,
        m.last_on,
        base.mrr,
        better.mrr,
        worse.mrr,
        better.mrr - base.mrr,
        worse.mrr - base.mrr
    from kpi.forecast_status s
    cross join kpi.forecast_months(p_months) m
    join kpi.forecast_movements(v_steps) base
        on base.origin = s.periods
        and base.step = m.step
    join kpi.forecast_movements(v_steps, p_churn_factor, p_new_factor, p_expansion_factor) better
        on better.origin = s.periods
        and better.step = m.step
    join kpi.forecast_movements(v_steps, 1 / p_churn_factor, 1 / p_new_factor, 1 / p_expansion_factor) worse
        on worse.origin = s.periods
        and worse.step = m.step
    order by m.month;
end;
$$;

comment on function kpi.scenario(integer, numeric, numeric, numeric) is
    'MRR p_months ahead as it is going, better (losses, new customers and expansion times a factor) and worse (divided by it); one row a month, in the reporting currency; none where kpi.forecast_status says that there is too little. Error MR004 for a parameter out of range. Example: select * from kpi.scenario(6, 0.8, 1.25, 1.25).';
revoke all on function kpi.scenario(integer, numeric, numeric, numeric) from public;
grant execute on function kpi.scenario(integer, numeric, numeric, numeric) to pgmrr_reader, pgmrr_writer;
