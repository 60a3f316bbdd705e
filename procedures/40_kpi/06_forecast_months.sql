-- Which months to come does a forecast reach, and how many periods ahead do they end? R11.
--
-- One row a month, of the p_months asked for those within reach; none where there is no
-- forecast. Months count from the last covered day; where the periods are weeks, a month ends
-- with the week that ends nearest to it.
create or replace function kpi.forecast_months(p_months integer)
returns table (
    month integer,
    step integer,
    last_on date
)
language sql
stable
parallel safe
begin atomic
    select
        m.month,
        e.step,
        case
            when s.grain = 'month' then e.ends_on
            when s.grain = 'week' then s.complete_through + 7 * e.step
            else s.complete_through + e.step
        end
    from kpi.forecast_status s
    cross join lateral generate_series(1, least(p_months, s.reach_months)) m (month)
    cross join lateral (
        select (s.complete_through + 1 + make_interval(months => m.month))::date - 1 as ends_on
    ) d
    cross join lateral (
        select
            d.ends_on,
            case s.grain
                when 'month' then m.month
                when 'week' then round((d.ends_on - s.complete_through) / 7.0)::integer
                else d.ends_on - s.complete_through
            end as step
    ) e
    where s.is_possible;
end;

comment on function kpi.forecast_months(integer) is
    'The months to come that a forecast of p_months reaches: number, how many periods ahead it ends, and its last day; one row a month.';
revoke all on function kpi.forecast_months(integer) from public;
grant execute on function kpi.forecast_months(integer) to pgmrr_reader, pgmrr_writer;
