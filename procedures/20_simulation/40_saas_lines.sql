-- What stands on the richer company's invoices? One row a line item, as Stripe makes them.
--
--   bill    a cycle, in advance; 0 for a trial and a free plan;
--   change  two lines for the rest of the cycle: the old price credited, the new one
--           charged, each rounded to cents; on an invoice of their own, or with the next
--           renewal (in arrears);
--   switch  the unused rest of the old cycle, credited on the first invoice of the phase
--           that follows;
--   close   the unused rest, credited on an invoice of its own as all ends at once;
--   extra   something sold once, without a subscription: to one customer in twelve.
--
-- An invoice is known by track, phase, cycle and step (0 the bill, 1 the change, 2 the
-- close). `period_start` is that of the invoice: where the cycle before the bill began,
-- or the cycle in which something changed. Amounts in cents, times in UTC.
create or replace function simulation.saas_lines(
    p_companies bigint,
    p_months bigint,
    p_seed bigint,
    p_start date,
    p_unseen bigint
)
returns table (
    customer_id text,
    currency text,
    taxation text,
    tax_percent bigint,
    track bigint,
    phase bigint,
    cycle bigint,
    step bigint,
    subscription bigint,
    what text,
    stream bigint,
    fails boolean,
    given_up_at timestamp,
    issued_at timestamp,
    period_start timestamp,
    starts_at timestamp,
    ends_at timestamp,
    amount bigint,
    discount bigint
)
language sql
immutable
parallel safe
begin atomic
    select
        c.customer_id,
        c.currency,
        c.taxation,
        c.tax_percent,
        c.track,
        l.phase,
        l.cycle,
        l.step,
        c.subscription,
        l.what,
        simulation.stream(c.stream, 30 + l.step),
        l.what = 'bill' and coalesce(c.exit_kind in ('unpaid', 'failing'), false),
        case when l.what = 'bill' and c.exit_kind = 'unpaid' then c.given_up_at end,
        l.issued_at,
        l.period_start,
        l.starts_at,
        l.ends_at,
        round(l.price * l.share)::bigint,
        round(l.discount * l.share)::bigint
    from simulation.saas_cycles(p_companies, p_months, p_seed, p_start, p_unseen) c
    -- Which part of the cycle is left as something happens in it.
    cross join lateral (
        select
            extract(epoch from c.ends_at - c.changed_at) / extract(epoch from c.ends_at - c.starts_at) as after_change,
            extract(epoch from c.ends_at - c.exit_at) / extract(epoch from c.ends_at - c.starts_at) as after_exit,
            case when c.settles_later then c.cycle + 1 else c.cycle end as settled_in,
            case when c.settles_later then 0 else 1 end as settled_as,
            case when c.settles_later then c.ends_at else c.changed_at end as settled_at
        offset 0
    ) r
    cross join lateral (
        values
            (
                'bill', true, c.phase, c.cycle, 0, c.starts_at, c.previous_starts_at,
                c.starts_at, c.ends_at, c.price, c.discount, 1
            ),
            (
                'change', c.changed_at is not null, c.phase, r.settled_in, r.settled_as, r.settled_at, c.starts_at,
                c.changed_at, c.ends_at, - c.price, - c.discount, r.after_change
            ),
            (
                'change', c.changed_at is not null, c.phase, r.settled_in, r.settled_as, r.settled_at, c.starts_at,
                c.changed_at, c.ends_at, c.new_price, c.new_discount, r.after_change
            ),
            (
                'switch', c.kind = 'paid' and c.exit_kind = 'switch', c.phase + 1, 0, 0, c.exit_at, c.exit_at,
                c.exit_at, c.ends_at, - coalesce(c.new_price, c.price), - coalesce(c.new_discount, c.discount),
                r.after_exit
            ),
            (
                'close', c.exit_kind = 'credited', c.phase, c.cycle, 2, c.exit_at, c.starts_at,
                c.exit_at, c.ends_at, - coalesce(c.new_price, c.price), - coalesce(c.new_discount, c.discount),
                r.after_exit
            )
    ) l (
        what, is_there, phase, cycle, step, issued_at, period_start, starts_at, ends_at, price, discount, share
    )
    where l.is_there
        and l.issued_at < p_start + make_interval(months => p_months::integer)
    union all
    select
        t.customer_id,
        t.currency,
        t.taxation,
        t.tax_percent,
        0,
        0,
        0,
        0,
        null,
        'extra',
        simulation.stream(t.stream, 5000),
        simulation.random_integer(t.stream, 5001, 10) = 0,
        null,
        o.sold_at,
        o.sold_at,
        o.sold_at,
        o.sold_at,
        (5 + simulation.random_integer(t.stream, 5003, 300)) * 1000,
        0
    from simulation.saas_tracks(p_companies, p_months, p_seed, p_start) t
    cross join lateral (
        select t.created_at + interval '1 second' * simulation.random_integer(t.stream, 5004, 31536000) as sold_at
        offset 0
    ) o
    where t.track = 1
        and simulation.random_integer(t.stream, 5005, 12) = 0
        and o.sold_at < p_start + make_interval(months => p_months::integer);
end;

comment on function simulation.saas_lines(bigint, bigint, bigint, date, bigint) is
    'Line items of the richer company''s invoices: one row a line, amounts in cents before tax on top, times in UTC.';
revoke all on function simulation.saas_lines(bigint, bigint, bigint, date, bigint) from public;
grant execute on function simulation.saas_lines(bigint, bigint, bigint, date, bigint) to pgmrr_writer;
