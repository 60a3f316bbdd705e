-- The moment at which the p_month-th month begins, p_start being the first day of
-- month 1. Months are months of the calendar in UTC, whatever the session's time zone.
create or replace function simulation.month_start(p_start date, p_month bigint)
returns timestamptz
language sql
immutable
parallel safe
return (p_start + make_interval(months => p_month::integer - 1)) at time zone 'UTC';

comment on function simulation.month_start(date, bigint) is
    'When month p_month of a simulation begins (UTC), p_start being the first day of month 1.';
revoke all on function simulation.month_start(date, bigint) from public;
grant execute on function simulation.month_start(date, bigint) to pgmrr_writer;
