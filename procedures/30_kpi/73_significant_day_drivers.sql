-- Who made MRR deviate on a day from what was expected? Rule R12 (significant days).
--
-- One row a driver, the largest first: the customers and kinds that make up half of the
-- deviation of p_date, whether the day is significant or not. Without a day it is the last
-- covered one. No row where the day is not covered, where MRR changed as expected, or where
-- the deviation lies in what did not happen. A share passes 1 where other customers moved
-- the other way.
create or replace function kpi.significant_day_drivers(p_date date default null)
returns table (
    day date,
    place bigint,
    customer_id text,
    name text,
    kind text,
    change numeric,
    share numeric,
    cumulative_share numeric
)
language sql
stable
parallel safe
set jit = off
begin atomic
    select
        d.first_on,
        d.place,
        d.customer_id,
        d.name,
        d.kind,
        d.change,
        d.share,
        d.cumulative_share
    from kpi.coverage v
    join kpi.period_changes('day') c
        on c.first_on = coalesce(p_date, v.complete_through)
    cross join lateral kpi.change_drivers(array[c.first_on], array[c.last_on], array[c.change - c.expected]) d
    order by d.place;
end;

comment on function kpi.significant_day_drivers(date) is
    'R12: the customers and kinds that make up half of a day''s deviation from what was expected, the largest first; one row a driver, in the reporting currency. Example: select * from kpi.significant_day_drivers(''2024-03-01'').';
revoke all on function kpi.significant_day_drivers(date) from public;
grant execute on function kpi.significant_day_drivers(date) to pgmrr_reader, pgmrr_writer;
