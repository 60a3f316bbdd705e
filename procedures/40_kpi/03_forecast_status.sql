-- Can the MRR to come be forecast, from which days, and how far ahead? Rule R11. One row.
--
-- A forecast learns from the days on which churn can be seen. Where the history is truncated
-- and six months of complete MRR are known, it learns from those alone. Else MRR may be a
-- lower bound: the MRR of customers who were there before and only become visible
-- (preexisting) is then never taken for growth, and what yearly customers lose is not known.
-- Of a complete history, what came before the first revenue is left out.
--
-- The days are cut into periods that count back from the last covered day, so that none is
-- a part of one and the newest day is used: months where there are five or more, else weeks
-- from eight on, else days from twenty on, else there is no forecast. It reaches no further
-- ahead than the history reaches back, to the nearest month.
--
-- What depends on the grain is decided here, and nowhere else:
--     window_periods   the last six months, from which `movements` takes its rates
--     first_origin     after so many periods a method may be tried in the backtest
--     tested_steps     so many periods ahead it is tried
--
-- Steps are materialized: inlined, each use of a figure would compute it anew.
create or replace view kpi.forecast_status as
with span as materialized (
    select
        v.complete_through,
        case
            when not v.is_truncated then v.observed_from
            when v.mrr_complete_from + interval '6 months' <= v.complete_through + 1 then v.mrr_complete_from
            else greatest(v.observed_from, v.churn_observable_from)
        end as usable_from,
        v.mrr_complete_from,
        v.covered_days
    from kpi.coverage v
),
-- Read once: it adds up all days.
daily as materialized (
    select f.day, f.opening, f.closing
    from kpi.mrr_daily f
),
-- The last day whose MRR is a starting point and not yet a change to learn from.
base as materialized (
    select
        s.complete_through,
        s.usable_from,
        s.mrr_complete_from,
        s.covered_days,
        (
            select case when f.opening > 0 then f.day - 1 else f.day end
            from daily f
            where f.day >= s.usable_from
                and f.opening + f.closing > 0
            order by f.day
            limit 1
        ) as base_on,
        (select l.closing from daily l where l.day = s.complete_through) as mrr
    from span s
),
counted as materialized (
    select
        b.complete_through,
        b.usable_from,
        b.mrr_complete_from,
        b.covered_days,
        b.base_on,
        b.mrr,
        b.complete_through - b.base_on as days,
        (b.complete_through - b.base_on) / 7 as weeks,
        m.months - case
            when (b.complete_through + 1 - make_interval(months => m.months))::date <= b.base_on then 1
            else 0
        end as months
    from base b
    cross join lateral (
        select (
            (extract(year from b.complete_through + 1) - extract(year from b.base_on + 1)) * 12
            + extract(month from b.complete_through + 1) - extract(month from b.base_on + 1)
        )::integer as months
    ) m
),
grained as materialized (
    select
        c.complete_through,
        c.usable_from,
        c.mrr_complete_from,
        c.covered_days,
        c.base_on,
        c.mrr,
        c.days,
        c.weeks,
        c.months,
        case
            when c.mrr > 0 and c.months >= 5 then 'month'
            when c.mrr > 0 and c.weeks >= 8 then 'week'
            when c.mrr > 0 and c.days >= 20 then 'day'
        end as grain
    from counted c
)
select
    g.grain is not null as is_possible,
    g.grain,
    case when g.grain is not null then g.usable_from end as usable_from,
    g.complete_through,
    case g.grain when 'month' then g.months when 'week' then g.weeks when 'day' then g.days else 0 end as periods,
    case when g.grain is not null then greatest(round(g.days / 30.4375), 1)::integer else 0 end as reach_months,
    case g.grain when 'month' then 6 when 'week' then 26 when 'day' then 183 end as window_periods,
    case g.grain when 'month' then 3 when 'week' then 4 when 'day' then 7 end as first_origin,
    case g.grain
        when 'month' then '{1,2,3,4,5,6}'::integer[]
        when 'week' then '{1,2,4,9,13,17}'::integer[]
        when 'day' then '{1,7,14,21,28}'::integer[]
    end as tested_steps,
    g.mrr,
    case
        when g.covered_days is null or g.covered_days = 0 then 'There is no covered day yet: nothing to forecast.'
        when g.usable_from > g.complete_through then format(
            'No forecast: churn can be seen from %s on, and MRR is known through %s.',
            to_char(g.usable_from, 'YYYY-MM-DD'),
            to_char(g.complete_through, 'YYYY-MM-DD')
        )
        when g.mrr = 0 then format(
            'No forecast: there is no MRR on %s, the last covered day.', to_char(g.complete_through, 'YYYY-MM-DD')
        )
        when g.grain is null then format(
            'No forecast: churn can be seen on %s from %s to %s; it takes 20.',
            case coalesce(g.days, 0) when 1 then '1 day' else format('%s days', coalesce(g.days, 0)) end,
            to_char(g.usable_from, 'YYYY-MM-DD'),
            to_char(g.complete_through, 'YYYY-MM-DD')
        )
        else concat_ws(
            ' ',
            format(
                'It rests on %s %ss, through %s, and reaches %s ahead.',
                case g.grain when 'month' then g.months when 'week' then g.weeks else g.days end,
                g.grain,
                to_char(g.complete_through, 'YYYY-MM-DD'),
                case
                    when greatest(round(g.days / 30.4375), 1) = 1 then 'a month'
                    else format('%s months', round(g.days / 30.4375))
                end
            ),
            case
                when g.usable_from < g.mrr_complete_from then
                    'MRR is a lower bound there: customers who only became visible are not taken for growth, and '
                    'what yearly customers lose is not known yet, so it may be too high.'
            end,
            case
                when g.grain = 'day' then
                    'Less than two months: most customers were seen at one renewal at most.'
            end
        )
    end as explanation
from grained g;

comment on view kpi.forecast_status is 'R11: whether MRR can be forecast, from which days and how far ahead, and why not; one row.';
comment on column kpi.forecast_status.is_possible is 'False where there is too little to forecast from.';
comment on column kpi.forecast_status.grain is 'month, week or day: the periods that a forecast learns from; NULL where there is none.';
comment on column kpi.forecast_status.usable_from is 'First day that it learns from; NULL where there is none.';
comment on column kpi.forecast_status.complete_through is 'Last covered day: the periods count back from it.';
comment on column kpi.forecast_status.periods is 'How many whole periods there are.';
comment on column kpi.forecast_status.reach_months is 'So many months ahead a forecast reaches: as long as the history.';
comment on column kpi.forecast_status.window_periods is 'So many periods, at most, make the rates of `movements`: six months.';
comment on column kpi.forecast_status.first_origin is 'After so many periods methods are tried in the backtest.';
comment on column kpi.forecast_status.tested_steps is 'So many periods ahead they are tried.';
comment on column kpi.forecast_status.mrr is 'MRR on the last covered day, in the reporting currency.';
comment on column kpi.forecast_status.explanation is 'The same in words.';
grant select on kpi.forecast_status to pgmrr_reader, pgmrr_writer;
