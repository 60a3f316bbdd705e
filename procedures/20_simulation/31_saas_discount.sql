-- How much does a subscription's coupon take off what is billed at a moment, in percent?
--
-- p_stream is the subscription's. Four of five subscriptions have no coupon. Of the
-- others, some have one for the first bill alone, some for all bills of three or six
-- months, some for ever; from p_from on, when the subscription first costs money.
create or replace function simulation.saas_discount(p_stream bigint, p_from timestamp, p_billed_at timestamp)
returns bigint
language sql
immutable
parallel safe
return case
    when case
        when simulation.random_integer(p_stream, 1, 100) < 80 then false
        when simulation.random_integer(p_stream, 1, 100) < 87 then p_billed_at = p_from
        when simulation.random_integer(p_stream, 1, 100) < 91 then p_billed_at < p_from + interval '3 months'
        when simulation.random_integer(p_stream, 1, 100) < 95 then p_billed_at < p_from + interval '6 months'
        else true
    end then (array[5, 10, 20, 25, 50, 100])[1 + simulation.random_integer(p_stream, 2, 6)]
    else 0
end;

comment on function simulation.saas_discount(bigint, timestamp, timestamp) is
    'Percent that the coupon of the subscription with stream p_stream takes off what is billed at p_billed_at (UTC); p_from is when it first costs money.';
revoke all on function simulation.saas_discount(bigint, timestamp, timestamp) from public;
grant execute on function simulation.saas_discount(bigint, timestamp, timestamp) to pgmrr_writer;
