-- Which months does each company pay for, and how often does it use the product then?
--
-- One row a company and paid month, companies and months in order; reads no table. Each
-- such month has an invoice and at least one session. `offset 0` keeps the planner from
-- working a row's columns out again for each of its sessions.
create or replace function simulation.abc_months(p_companies bigint, p_months bigint, p_seed bigint, p_start date)
returns table (
    customer_id text,
    month bigint,
    starts_at timestamptz,
    ends_at timestamptz,
    previous_starts_at timestamptz,
    price bigint,
    sessions bigint,
    moment_stream bigint
)
language sql
immutable
parallel safe
begin atomic
    select
        c.customer_id,
        m.month,
        simulation.month_start(p_start, m.month),
        simulation.month_start(p_start, m.month + 1),
        simulation.month_start(p_start, greatest(m.month - 1, 1)),
        c.price,
        simulation.abc_sessions(c.session_stream, m.month, c.typical_sessions),
        simulation.stream(simulation.stream(simulation.stream(p_seed, 3), c.company), m.month)
    from simulation.abc_companies(p_companies, p_months, p_seed) c
    cross join lateral generate_series(1, c.paid_months) m (month)
    offset 0;
end;

comment on function simulation.abc_months(bigint, bigint, bigint, date) is
    'The paid months of a simulation: one row a company and month, with its bounds (UTC), price in cents, number of sessions, and random stream of their moments. The first month''s previous one is itself.';
revoke all on function simulation.abc_months(bigint, bigint, bigint, date) from public;
grant execute on function simulation.abc_months(bigint, bigint, bigint, date) to pgmrr_writer;
