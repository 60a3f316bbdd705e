-- By how much did MRR change in each covered day, week or month, and how much was to be
-- expected? Rules R11 and R12 (significant days).
--
-- p_grain is day, week (from Monday) or month. One row a period that is covered as a whole:
-- a part of a week cannot be compared with a week. The change is closing - opening -
-- preexisting: a customer who was there before the history began, and becomes visible, is
-- no change of MRR. The figures are those of all of coverage, so that what is unusual does
-- not depend on what a caller looks at.
--
--     expected  the median of the periods that a period is compared with: all of them, or,
--               for days, from 8 covered weeks on, those of its weekday
--     spread    1.4826 x their median absolute deviation from it; where that is 0,
--               1.2533 x their mean absolute deviation; 0 where none differs
--     score     |change - expected| / spread; NULL where the spread is 0
--
-- The median of figures in order is the mean of the lower and the upper middle one.
create or replace function kpi.period_changes(p_grain text)
returns table (
    first_on date,
    last_on date,
    change numeric,
    closing numeric,
    compared_with text,
    periods bigint,
    expected numeric,
    spread numeric,
    spread_is text,
    score numeric,
    churn_is_observable boolean
)
language sql
stable
parallel safe
begin atomic
    with period as (
        select
            date_trunc(p_grain, d.day::timestamp)::date as first_on,
            (date_trunc(p_grain, d.day::timestamp) + ('1 ' || p_grain)::interval)::date as ends_on,
            sum(d.closing - d.opening - d.preexisting) as change,
            (array_agg(d.closing order by d.day desc))[1] as closing,
            bool_and(d.churn_is_observable) as churn_is_observable,
            count(*) as days
        from kpi.mrr_daily d
        group by 1, 2
    ),
    compared as (
        select
            p.first_on,
            p.ends_on - 1 as last_on,
            p.change,
            p.closing,
            p.churn_is_observable,
            -- 0 stands for all periods, 1 to 7 for the days of the week.
            case
                when p_grain = 'day' and v.covered_days >= 8 * 7 then extract(isodow from p.first_on)::integer
                else 0
            end as weekday
        from period p
        cross join kpi.coverage v
        where p.days = p.ends_on - p.first_on
    ),
    middle as (
        select
            c.weekday,
            count(*) as periods,
            (
                percentile_disc(0.5) within group (order by c.change)
                + percentile_disc(0.5) within group (order by c.change desc)
            ) / 2 as median
        from compared c
        group by c.weekday
    ),
    -- Once: the planner takes the groups to be few and would find it for each of them.
    deviation as materialized (
        select
            c.weekday,
            (
                percentile_disc(0.5) within group (order by abs(c.change - m.median))
                + percentile_disc(0.5) within group (order by abs(c.change - m.median) desc)
            ) / 2 as median,
            avg(abs(c.change - m.median)) as mean
        from compared c
        join middle m
            on m.weekday = c.weekday
        group by c.weekday
    ),
    measured as materialized (
        select
            m.weekday,
            m.periods,
            m.median as expected,
            case when d.median > 0 then 1.4826 * d.median else 1.2533 * d.mean end as spread,
            case
                when d.median > 0 then 'median absolute deviation'
                when d.mean > 0 then 'mean absolute deviation'
                else 'none'
            end as spread_is
        from middle m
        join deviation d
            on d.weekday = m.weekday
    )
    select
        c.first_on,
        c.last_on,
        c.change,
        c.closing,
        case
            when c.weekday > 0 then (array['Mondays', 'Tuesdays', 'Wednesdays', 'Thursdays', 'Fridays', 'Saturdays', 'Sundays'])[c.weekday]
            else 'all ' || p_grain || 's'
        end,
        m.periods,
        m.expected,
        m.spread,
        m.spread_is,
        abs(c.change - m.expected) / nullif(m.spread, 0),
        c.churn_is_observable
    from compared c
    join measured m
        on m.weekday = c.weekday
    order by c.first_on;
end;

comment on function kpi.period_changes(text) is
    'R12: net change of MRR in each whole covered day, week or month (p_grain), preexisting customers left out, with what was to be expected and how unusual it is; one row a period, in the reporting currency.';
revoke all on function kpi.period_changes(text) from public;
grant execute on function kpi.period_changes(text) to pgmrr_reader, pgmrr_writer;
