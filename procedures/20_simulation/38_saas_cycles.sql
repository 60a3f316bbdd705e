-- Which cycles are billed, at what price, and what changes within them?
--
-- One row a cycle that begins before the simulation ends. In mid-cycle a customer of a
-- paid plan may take another plan or other seats, once: in one of 25 months, in three of
-- ten years. `price` holds from the cycle's start, `new_price` from `changed_at` on; both
-- for a whole cycle, in cents, and so do the discounts. A coupon counts by the moment of
-- the bill: what is left of the old plan is credited at what it cost, and the new one is
-- billed at what the coupon is then.
--
-- `settles_later`: the change is not billed when it happens, but with the next renewal,
-- as Stripe does unless told otherwise; p_unseen of a thousand changes by the month.
create or replace function simulation.saas_cycles(
    p_companies bigint,
    p_months bigint,
    p_seed bigint,
    p_start date,
    p_unseen bigint
)
returns table (
    customer bigint,
    track bigint,
    customer_id text,
    currency text,
    taxation text,
    tax_percent bigint,
    phase bigint,
    subscription bigint,
    stream bigint,
    kind text,
    months bigint,
    cycle bigint,
    previous_starts_at timestamp,
    starts_at timestamp,
    ends_at timestamp,
    exit_kind text,
    exit_at timestamp,
    given_up_at timestamp,
    price bigint,
    discount bigint,
    changed_at timestamp,
    settles_later boolean,
    new_price bigint,
    new_discount bigint
)
language sql
immutable
parallel safe
begin atomic
    with cycle as (
        select
            p.customer,
            p.track,
            p.customer_id,
            p.currency,
            p.taxation,
            p.tax_percent,
            p.plan,
            p.seats,
            p.phase,
            p.subscription,
            p.subscription_stream,
            p.stream as phase_stream,
            p.kind,
            p.months,
            p.costs_from,
            n.cycle,
            simulation.stream(p.stream, 1000 + n.cycle) as stream,
            case
                when n.cycle = 0 then p.previous_starts_at
                else simulation.saas_cycle_start(p.starts_at, p.months, p.days, n.cycle - 1)
            end as previous_starts_at,
            c.starts_at,
            c.ends_at,
            case when p.exit_cycle = n.cycle then p.exit_kind end as exit_kind,
            case when p.exit_cycle = n.cycle then p.exit_at end as exit_at,
            case when p.exit_cycle = n.cycle then p.free_from end as given_up_at,
            coalesce(p.exit_cycle = n.cycle + 1 and p.exit_kind in ('unpaid', 'failing'), false) as next_fails
        from simulation.saas_phases(p_companies, p_months, p_seed, p_start, p_unseen) p
        cross join lateral generate_series(0, coalesce(p.exit_cycle, p_months)) n (cycle)
        cross join lateral (
            select
                simulation.saas_cycle_start(p.starts_at, p.months, p.days, n.cycle) as starts_at,
                simulation.saas_cycle_start(p.starts_at, p.months, p.days, n.cycle + 1) as ends_at
            offset 0
        ) c
        where c.starts_at < p_start + make_interval(months => p_months::integer)
    ),
    decided as (
        select
            c.customer,
            c.track,
            c.customer_id,
            c.currency,
            c.taxation,
            c.tax_percent,
            c.plan,
            c.seats,
            c.phase,
            c.subscription,
            c.subscription_stream,
            c.stream,
            c.kind,
            c.months,
            c.costs_from,
            c.cycle,
            c.previous_starts_at,
            c.starts_at,
            c.ends_at,
            c.exit_kind,
            c.exit_at,
            c.given_up_at,
            c.next_fails,
            d.changed_at,
            simulation.stream(c.stream, 23) as new_choice,
            -- What was chosen last: in an earlier cycle, or as the phase began.
            coalesce(
                simulation.stream(simulation.stream(
                    c.phase_stream,
                    1000 + max(c.cycle) filter (where d.changed_at is not null) over earlier
                ), 23),
                simulation.stream(c.phase_stream, 23)
            ) as choice
        from cycle c
        cross join lateral (
            select case
                when c.kind = 'paid'
                    and coalesce(c.exit_kind, '') not in ('unpaid', 'failing')
                    and simulation.random_integer(c.stream, 21, 1000) < case c.months when 1 then 40 else 300 end
                    and simulation.saas_moment(simulation.stream(c.stream, 22), c.starts_at, c.ends_at)
                    < coalesce(c.exit_at - interval '1 day', c.ends_at)
                    then simulation.saas_moment(simulation.stream(c.stream, 22), c.starts_at, c.ends_at)
            end as changed_at
            offset 0
        ) d
        window earlier as (
            partition by c.customer, c.track, c.phase
            order by c.cycle
            rows between unbounded preceding and 1 preceding
        )
    ),
    priced as (
        select
            d.customer,
            d.track,
            d.customer_id,
            d.currency,
            d.taxation,
            d.tax_percent,
            d.phase,
            d.subscription,
            d.subscription_stream,
            d.stream,
            d.kind,
            d.months,
            d.costs_from,
            d.cycle,
            d.previous_starts_at,
            d.starts_at,
            d.ends_at,
            d.exit_kind,
            d.exit_at,
            d.given_up_at,
            d.next_fails,
            d.changed_at,
            p.price,
            p.new_price
        from decided d
        cross join lateral (
            select
                case when d.kind = 'paid'
                    then simulation.saas_price(d.choice, d.currency, d.plan, d.seats, d.months)
                    else 0
                end as price,
                case when d.changed_at is not null
                    then simulation.saas_price(d.new_choice, d.currency, d.plan, d.seats, d.months)
                end as new_price
            offset 0
        ) p
    )
    select
        p.customer,
        p.track,
        p.customer_id,
        p.currency,
        p.taxation,
        p.tax_percent,
        p.phase,
        p.subscription,
        p.stream,
        p.kind,
        p.months,
        p.cycle,
        p.previous_starts_at,
        p.starts_at,
        p.ends_at,
        p.exit_kind,
        p.exit_at,
        p.given_up_at,
        p.price,
        round(p.price * simulation.saas_discount(p.subscription_stream, p.costs_from, p.starts_at) * 0.01)::bigint,
        c.changed_at,
        c.changed_at is not null
            and p.months = 1
            and p.exit_kind is null
            and not p.next_fails
            and simulation.random_integer(p.stream, 24, 1000) < p_unseen,
        case when c.changed_at is not null then p.new_price end,
        case when c.changed_at is not null then round(
            p.new_price * simulation.saas_discount(p.subscription_stream, p.costs_from, c.changed_at) * 0.01
        )::bigint end
    from priced p
    -- The same price again is no change.
    cross join lateral (
        select case when p.new_price <> p.price then p.changed_at end as changed_at
    ) c;
end;

comment on function simulation.saas_cycles(bigint, bigint, bigint, date, bigint) is
    'Billed cycles of the richer company: one row a cycle, with prices and discounts for a whole cycle in cents, and what changes within it. Times in UTC.';
revoke all on function simulation.saas_cycles(bigint, bigint, bigint, date, bigint) from public;
grant execute on function simulation.saas_cycles(bigint, bigint, bigint, date, bigint) to pgmrr_writer;
