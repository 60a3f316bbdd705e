-- The random stream that belongs to a key within another stream. A seed is a stream.
--
-- The simulation is counter-based: every draw is a hash of what it decides (which
-- company, which month, which session), never of what was drawn before it. So it does
-- not depend on the order of rows, that is, not on plan, workers or memory, and the
-- hash is the same on every machine and PostgreSQL version, since hash-partitioned
-- tables rest on it.
--
-- The second hash is needed: after one alone, the upper bits of neighbouring keys are
-- alike, and the sizes of neighbouring companies would go together. Only the lower 32
-- bits of a key count in full: keys are small numbers. A stream takes all of its 64.
create or replace function simulation.stream(p_stream bigint, p_key bigint)
returns bigint
language sql
immutable
parallel safe
return pg_catalog.hashint8extended(0, pg_catalog.hashint8extended(p_key, p_stream));

comment on function simulation.stream(bigint, bigint) is
    'The random stream of key p_key within p_stream, 64 random bits; a seed is a stream.';
revoke all on function simulation.stream(bigint, bigint) from public;
grant execute on function simulation.stream(bigint, bigint) to pgmrr_writer;
