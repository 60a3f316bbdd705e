-- Can MRR be computed from an amount over a period? Not where it would pass what an
-- amount can be: so much money for a minute is a mistake in the file. Rule R6.
--
-- p_amount is in cents, and its MRR that of R6.3, a month being 2,629,800 seconds; the
-- limit is a hundred times the largest amount that is read. True where there is no period:
-- then there is no MRR.
create or replace function pipeline.is_priceable(p_amount bigint, p_from timestamptz, p_until timestamptz)
returns boolean
language sql
immutable
parallel safe
return p_until is null
    or p_from is null
    or p_until <= p_from
    or (abs(p_amount) <= 30000000000 and p_until - p_from >= interval '1 second')
    or abs(p_amount::numeric) * 2629800 < 1e17 * extract(epoch from p_until - p_from);

comment on function pipeline.is_priceable(bigint, timestamptz, timestamptz) is
    'R6: whether the MRR of an amount (cents) over a period is a number that can be.';
revoke all on function pipeline.is_priceable(bigint, timestamptz, timestamptz) from public;
grant execute on function pipeline.is_priceable(bigint, timestamptz, timestamptz) to pgmrr_writer;
