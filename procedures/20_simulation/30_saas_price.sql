-- What does a cycle of the richer company cost, in cents, before discounts?
--
-- p_stream decides how the customer's choice differs from its usual plan and seats: one
-- in ten takes the next smaller plan, one in ten the next larger one; one seat less to two
-- more. So most changes are of seats. A year costs ten months. Plans are 0 (starter) to 3
-- (enterprise), priced by seat, and a tenth dearer in USD.
create or replace function simulation.saas_price(
    p_stream bigint,
    p_currency text,
    p_plan bigint,
    p_seats bigint,
    p_months bigint
)
returns bigint
language sql
immutable
parallel safe
return (case p_currency when 'EUR' then array[1900, 3900, 7900, 14900] else array[2100, 4300, 8700, 16400] end)[
        1 + greatest(least(
            p_plan + case simulation.random_integer(p_stream, 1, 10) when 0 then -1 when 1 then 1 else 0 end,
            3
        ), 0)
    ]::bigint
    * greatest(p_seats + simulation.random_integer(p_stream, 2, 4) - 1, 1)
    * case p_months when 12 then 10 else p_months end;

comment on function simulation.saas_price(bigint, text, bigint, bigint, bigint) is
    'Price of a cycle of p_months for a customer who usually has plan p_plan (0 to 3) and p_seats seats, in cents; p_stream decides how its choice differs from that.';
revoke all on function simulation.saas_price(bigint, text, bigint, bigint, bigint) from public;
grant execute on function simulation.saas_price(bigint, text, bigint, bigint, bigint) to pgmrr_writer;
