-- Which companies does ABC Enterprises acquire, and how long does each pay?
-- Methodology, section 7.
--
-- One row a company, in the order of their numbers; reads no table.
--
--   small   with probability 0.7: 19 USD a month, typically 5 sessions a month;
--   large   else: 99 USD a month, typically 10 sessions a month.
--
-- The first month with 0 sessions is the month in which the company churned: it pays
-- for the months before. Where that is month 1, it never pays at all.
create or replace function simulation.abc_companies(p_companies bigint, p_months bigint, p_seed bigint)
returns table (
    company bigint,
    customer_id text,
    company_size text,
    price bigint,
    typical_sessions bigint,
    session_stream bigint,
    paid_months bigint
)
language sql
immutable
parallel safe
begin atomic
    with drawn as (
        select
            n.company,
            simulation.random_fraction(simulation.stream(p_seed, 1), n.company) < 0.7 as is_small,
            simulation.stream(simulation.stream(p_seed, 2), n.company) as session_stream
        from generate_series(1, p_companies) n (company)
    ),
    sized as (
        select
            d.company,
            -- Padded, so that the order of the numbers is that of the keys.
            'abc_' || lpad(d.company::text, greatest(length(p_companies::text), 6), '0') as customer_id,
            case when d.is_small then 'small' else 'large' end as company_size,
            case when d.is_small then 1900 else 9900 end as price,
            case when d.is_small then 5 else 10 end as typical_sessions,
            d.session_stream
        from drawn d
    )
    select
        s.company,
        s.customer_id,
        s.company_size,
        s.price,
        s.typical_sessions,
        s.session_stream,
        coalesce(
            (
                select min(m.month) - 1
                from generate_series(1, p_months) m (month)
                where simulation.abc_sessions(s.session_stream, m.month, s.typical_sessions) = 0
            ),
            p_months
        )
    from sized s;
end;

comment on function simulation.abc_companies(bigint, bigint, bigint) is
    'The companies of a simulation: one row each, with size, price in cents a month, random stream of its sessions, and the number of months for which it pays.';
revoke all on function simulation.abc_companies(bigint, bigint, bigint) from public;
grant execute on function simulation.abc_companies(bigint, bigint, bigint) to pgmrr_writer;
