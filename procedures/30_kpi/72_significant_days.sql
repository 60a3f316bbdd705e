-- On which days did MRR change unusually, and who made it? Rule R12.
--
-- One row a covered day in the range whose score is at least p_threshold; see
-- kpi.significant_periods, which does the same for weeks and months, and
-- kpi.significant_day_drivers, which lists the drivers of any day as rows. NULL bounds are
-- those of coverage. Error MR006 where the range is upside down, MR004 where the threshold
-- is none.
create or replace function kpi.significant_days(
    p_from date default null,
    p_to date default null,
    p_threshold numeric default 3.5
)
returns table (
    day date,
    change numeric,
    expected numeric,
    deviation numeric,
    score numeric,
    closing numeric,
    compared_with text,
    kinds jsonb,
    drivers jsonb,
    churn_is_observable boolean
)
language sql
stable
parallel safe
begin atomic
    select
        s.first_on,
        s.change,
        s.expected,
        s.deviation,
        s.score,
        s.closing,
        s.compared_with,
        s.kinds,
        s.drivers,
        s.churn_is_observable
    from kpi.significant_periods('day', p_from, p_to, p_threshold) s
    order by s.first_on;
end;

comment on function kpi.significant_days(date, date, numeric) is
    'R12: covered days whose net change of MRR is an outlier (score at least p_threshold), with what was expected and the kinds and customers that make up half of the deviation; one row a day, in the reporting currency. Error MR004 where the threshold is none, MR006 where the range is upside down. Example: select * from kpi.significant_days(''2024-01-01'', ''2024-06-30'').';
revoke all on function kpi.significant_days(date, date, numeric) from public;
grant execute on function kpi.significant_days(date, date, numeric) to pgmrr_reader, pgmrr_writer;
