-- The uniform random fraction, 0 <= x < 1, that belongs to a key of a stream.
--
-- 53 random bits divided by 2^53: what a double holds exactly, on every machine.
create or replace function simulation.random_fraction(p_stream bigint, p_key bigint)
returns double precision
language sql
immutable
parallel safe
return ((simulation.stream(p_stream, p_key) >> 11) & 9007199254740991)::double precision / 9007199254740992;

comment on function simulation.random_fraction(bigint, bigint) is
    'The uniform random fraction, 0 <= x < 1, of key p_key within p_stream.';
revoke all on function simulation.random_fraction(bigint, bigint) from public;
grant execute on function simulation.random_fraction(bigint, bigint) to pgmrr_writer;
