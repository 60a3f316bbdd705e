-- The p_place-th combination of two names and a suffix: 'Lee-Walker Ltd'.
--
-- Places count from 0 through all combinations, and then again.
create or replace function simulation.abc_name(p_place bigint, p_names text[], p_suffixes text[])
returns text
language sql
immutable
parallel safe
return p_names[1 + (p_place / cardinality(p_suffixes) / cardinality(p_names) % cardinality(p_names))::integer]
    || '-' || p_names[1 + (p_place / cardinality(p_suffixes) % cardinality(p_names))::integer]
    || ' ' || p_suffixes[1 + (p_place % cardinality(p_suffixes))::integer];

comment on function simulation.abc_name(bigint, text[], text[]) is
    'The p_place-th name of a company (from 0) that two names and a suffix of these pools make.';
revoke all on function simulation.abc_name(bigint, text[], text[]) from public;
grant execute on function simulation.abc_name(bigint, text[], text[]) to pgmrr_writer;
