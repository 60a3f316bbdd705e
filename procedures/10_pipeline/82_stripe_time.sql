-- Writes a moment as Stripe's export does: in UTC, without seconds, hours not padded:
-- '2025-02-27 9:56'. The counterpart of pipeline.parse_time.
create or replace function pipeline.stripe_time(p_moment timestamptz)
returns text
language sql
stable
parallel safe
return to_char(p_moment at time zone 'UTC', 'YYYY-MM-DD FMHH24:MI');

comment on function pipeline.stripe_time(timestamptz) is
    'A moment in UTC as Stripe''s export has it: to the minute, hours without padding; NULL for NULL.';
revoke all on function pipeline.stripe_time(timestamptz) from public;
grant execute on function pipeline.stripe_time(timestamptz) to pgmrr_writer;
