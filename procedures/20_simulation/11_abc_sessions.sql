-- How often does a company of ABC Enterprises use the product in a month, as long as it
-- is a customer? Methodology, section 7: typical + or - U, with equal probability, U a
-- uniform integer in 0 .. typical. So 0 sessions, the end of the customer, have the
-- probability 1 / (2 * (typical + 1)).
create or replace function simulation.abc_sessions(p_stream bigint, p_month bigint, p_typical bigint)
returns bigint
language sql
immutable
parallel safe
return p_typical
    + (1 - 2 * simulation.random_integer(simulation.stream(p_stream, p_month), 1, 2))
    * simulation.random_integer(simulation.stream(p_stream, p_month), 2, p_typical + 1);

comment on function simulation.abc_sessions(bigint, bigint, bigint) is
    'Sessions in month p_month of a company with the random stream p_stream that typically has p_typical of them: 0 to twice as many.';
revoke all on function simulation.abc_sessions(bigint, bigint, bigint) from public;
grant execute on function simulation.abc_sessions(bigint, bigint, bigint) to pgmrr_writer;
