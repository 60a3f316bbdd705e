-- How many whole months is [p_from, p_until)? NULL where it is not a whole number
-- of them. Rule R5.
--
-- n = round(days / 30.4375), and either p_from + n months is within two hours of
-- p_until, or p_until - n months within two hours of p_from: the second catches
-- month ends, where Jan 31 + 1 month = Feb 28 but Feb 28 + 1 month <> Mar 31.
-- 2,629,800 seconds are 30.4375 days. Times are UTC. The body is one expression,
-- so that it is inlined into the queries that call it.
create or replace function pipeline.whole_months(p_from timestamp, p_until timestamp)
returns integer
language sql
immutable
parallel safe
return case
    when date_part('epoch', p_until - p_from) < 1314900 then null
    when p_from + make_interval(months => round(date_part('epoch', p_until - p_from) / 2629800)::integer)
        between p_until - interval '2 hours' and p_until + interval '2 hours'
        or p_until - make_interval(months => round(date_part('epoch', p_until - p_from) / 2629800)::integer)
        between p_from - interval '2 hours' and p_from + interval '2 hours'
        then round(date_part('epoch', p_until - p_from) / 2629800)::integer
end;

comment on function pipeline.whole_months(timestamp, timestamp) is
    'R5: number of whole months in [p_from, p_until), UTC times; NULL where it is not a whole number.';
revoke all on function pipeline.whole_months(timestamp, timestamp) from public;
grant execute on function pipeline.whole_months(timestamp, timestamp) to pgmrr_writer;
