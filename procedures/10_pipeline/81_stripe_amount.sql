-- Writes integer cents as Stripe's export does: 10440 is '104,40', -760 is '-7,60'.
--
-- The counterpart of pipeline.parse_amount.
create or replace function pipeline.stripe_amount(p_cents bigint)
returns text
language sql
immutable
parallel safe
return case when p_cents < 0 then '-' else '' end
    || (abs(p_cents) / 100)::text || ',' || lpad((abs(p_cents) % 100)::text, 2, '0');

comment on function pipeline.stripe_amount(bigint) is
    'Cents as a text with two decimals after a comma, as Stripe''s export has them; NULL for NULL.';
revoke all on function pipeline.stripe_amount(bigint) from public;
grant execute on function pipeline.stripe_amount(bigint) to pgmrr_writer;
