-- Who are the customers of the richer company?
--
-- One row a customer and track, reads no table. A track is a line of subscriptions one
-- after the other; one customer in thirty has a second track beside the first (another
-- team), half of those in the other currency.
--
-- A quarter of the customers come in the first month, the others at any time. Prices
-- contain the tax for some, have it on top for others, and have none for the rest.
create or replace function simulation.saas_tracks(p_companies bigint, p_months bigint, p_seed bigint, p_start date)
returns table (
    customer bigint,
    track bigint,
    customer_id text,
    stream bigint,
    currency text,
    taxation text,
    tax_percent bigint,
    plan bigint,
    seats bigint,
    created_at timestamp,
    begins_at timestamp
)
language sql
immutable
parallel safe
begin atomic
    with drawn as (
        select
            n.customer,
            simulation.stream(simulation.stream(p_seed, 11), n.customer) as stream,
            extract(epoch from (p_start + make_interval(months => p_months::integer)) - p_start::timestamp)::bigint
                as seconds
        from generate_series(1, p_companies) n (customer)
    ),
    customer as (
        select
            d.customer,
            d.stream,
            -- Padded, so that the order of the numbers is that of the keys.
            'cus_' || lpad(d.customer::text, greatest(length(p_companies::text), 6), '0') as customer_id,
            simulation.random_integer(d.stream, 1, 10) < 6 as pays_in_euro,
            case
                when simulation.random_integer(d.stream, 2, 100) < 30 then 'exclusive'
                when simulation.random_integer(d.stream, 2, 100) < 42 then 'inclusive'
                else 'none'
            end as taxation,
            (array[19, 20, 21, 23])[1 + simulation.random_integer(d.stream, 3, 4)] as tax_percent,
            -- Plans 0, 1, 2 and 3 with weights 3, 4, 2 and 1.
            (array[0, 0, 0, 1, 1, 1, 1, 2, 2, 3])[1 + simulation.random_integer(d.stream, 4, 10)] as plan,
            -- The smaller of two numbers: small teams are the likelier.
            1 + least(simulation.random_integer(d.stream, 5, 6), simulation.random_integer(d.stream, 6, 6)) as seats,
            p_start::timestamp + interval '1 second' * simulation.random_integer(
                d.stream,
                7,
                case when simulation.random_integer(d.stream, 8, 4) = 0 then least(d.seconds, 2419200) else d.seconds end
            ) as created_at
        from drawn d
    )
    select
        c.customer,
        t.track,
        c.customer_id,
        simulation.stream(c.stream, 100 + t.track),
        case when c.pays_in_euro = (t.track = 1 or simulation.random_integer(c.stream, 9, 2) = 0) then 'EUR' else 'USD' end,
        c.taxation,
        case c.taxation when 'none' then 0 else c.tax_percent end,
        c.plan,
        c.seats,
        c.created_at,
        c.created_at + case t.track
            when 1 then interval '0'
            else make_interval(days => (5 + simulation.random_integer(c.stream, 10, 200))::integer)
        end
    from customer c
    cross join generate_series(1, 2) t (track)
    where t.track = 1 or simulation.random_integer(c.stream, 11, 30) = 0;
end;

comment on function simulation.saas_tracks(bigint, bigint, bigint, date) is
    'Customers of the richer company: one row a customer and track of subscriptions, with currency, taxes, usual plan and seats, random stream, and when customer and track begin (UTC).';
revoke all on function simulation.saas_tracks(bigint, bigint, bigint, date) from public;
grant execute on function simulation.saas_tracks(bigint, bigint, bigint, date) to pgmrr_writer;
