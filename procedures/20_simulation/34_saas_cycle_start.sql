-- When does the p_cycle-th cycle (from 0) of a phase begin?
--
-- Counted from the anchor, so that a subscription made on the 31st renews on the last of
-- shorter months and on the 31st again afterwards. Trials have days, all else months.
create or replace function simulation.saas_cycle_start(
    p_starts_at timestamp,
    p_months bigint,
    p_days bigint,
    p_cycle bigint
)
returns timestamp
language sql
immutable
parallel safe
return p_starts_at + make_interval(months => (p_months * p_cycle)::integer, days => (p_days * p_cycle)::integer);

comment on function simulation.saas_cycle_start(timestamp, bigint, bigint, bigint) is
    'When cycle p_cycle (from 0) of a phase begins (UTC), a cycle being p_months and p_days long.';
revoke all on function simulation.saas_cycle_start(timestamp, bigint, bigint, bigint) from public;
grant execute on function simulation.saas_cycle_start(timestamp, bigint, bigint, bigint) to pgmrr_writer;
