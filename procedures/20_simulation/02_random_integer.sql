-- The uniform random integer in 0 .. p_values - 1 that belongs to a key of a stream.
--
-- The remainder of 63 random bits: the smallest values are the likelier by a share of
-- at most p_values / 2^63, which is under one in a million even for the microseconds
-- of a month. Whole numbers only, so that no machine rounds it otherwise.
create or replace function simulation.random_integer(p_stream bigint, p_key bigint, p_values bigint)
returns bigint
language sql
immutable
parallel safe
return (simulation.stream(p_stream, p_key) & 9223372036854775807) % p_values;

comment on function simulation.random_integer(bigint, bigint, bigint) is
    'The uniform random integer in 0 .. p_values - 1 of key p_key within p_stream.';
revoke all on function simulation.random_integer(bigint, bigint, bigint) from public;
grant execute on function simulation.random_integer(bigint, bigint, bigint) to pgmrr_writer;
