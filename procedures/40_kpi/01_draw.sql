-- The random number that belongs to a key of a path, 0 to 2^63 - 1.
--
-- Counter-based, as the simulation's (simulation.stream): a draw is a hash of what it decides
-- (which path, which step), never of what was drawn before. So an interval is the same under
-- any plan and on any server, and no session's setseed() has a part in it.
create or replace function kpi.draw(p_path bigint, p_key bigint)
returns bigint
language sql
immutable
parallel safe
return pg_catalog.hashint8extended(0, pg_catalog.hashint8extended(p_key, pg_catalog.hashint8extended(p_path, 0)))
    & 9223372036854775807;

comment on function kpi.draw(bigint, bigint) is
    'The random number, 0 to 2^63 - 1, of key p_key on path p_path: the same at every call.';
revoke all on function kpi.draw(bigint, bigint) from public;
grant execute on function kpi.draw(bigint, bigint) to pgmrr_reader, pgmrr_writer;
