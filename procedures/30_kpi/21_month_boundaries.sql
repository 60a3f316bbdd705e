-- The covered months as boundaries: the first day of each, clipped to coverage, and at
-- the end the day after coverage. NULL where nothing is covered.
create or replace function kpi.month_boundaries()
returns date[]
language sql
stable
parallel safe
begin atomic
    select array_agg(greatest(g.month::date, v.observed_from) order by g.month) || (v.complete_through + 1)
    from kpi.coverage v
    cross join lateral generate_series(
        date_trunc('month', v.observed_from::timestamp), v.complete_through::timestamp, interval '1 month'
    ) g (month)
    where v.observed_from <= v.complete_through
    group by v.observed_from, v.complete_through;
end;

comment on function kpi.month_boundaries() is
    'First days of the covered months, clipped to coverage, and the day after coverage; NULL where nothing is covered.';
revoke all on function kpi.month_boundaries() from public;
grant execute on function kpi.month_boundaries() to pgmrr_reader, pgmrr_writer;
