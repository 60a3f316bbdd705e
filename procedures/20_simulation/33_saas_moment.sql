-- When, within a cycle, does a customer change its mind?
--
-- From a day after the cycle's start to a day before its end, to the second. The earlier
-- of two uniform moments: people change a plan when the last bill is fresh.
create or replace function simulation.saas_moment(p_stream bigint, p_starts_at timestamp, p_ends_at timestamp)
returns timestamp
language sql
immutable
parallel safe
return p_starts_at + interval '1 day' + interval '1 second' * least(
    simulation.random_integer(p_stream, 11, extract(epoch from p_ends_at - p_starts_at)::bigint - 172800),
    simulation.random_integer(p_stream, 12, extract(epoch from p_ends_at - p_starts_at)::bigint - 172800)
);

comment on function simulation.saas_moment(bigint, timestamp, timestamp) is
    'A random moment (UTC) within a cycle, at least a day from its start and its end, the earlier the likelier.';
revoke all on function simulation.saas_moment(bigint, timestamp, timestamp) from public;
grant execute on function simulation.saas_moment(bigint, timestamp, timestamp) to pgmrr_writer;
