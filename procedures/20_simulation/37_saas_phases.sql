-- What does each track of the richer company live through? One row a phase: a time with
-- one anchor and one length of cycle, on one subscription.
--
-- A track begins with a trial of 14 or 30 days, on the free plan, or at once with a paid
-- plan, monthly or annual. How a phase ends (simulation.saas_exit) decides what follows:
-- another phase of the same subscription, a new subscription after some time for one in
-- three who left, or nothing.
--
-- `previous_starts_at` is the start of the cycle before, with which the first invoice's
-- own period begins; for an invoice at once it is the start itself. `costs_from` is when
-- the subscription first costs money: its coupon counts from there.
create or replace function simulation.saas_phases(
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
    plan bigint,
    seats bigint,
    phase bigint,
    subscription bigint,
    subscription_stream bigint,
    stream bigint,
    kind text,
    months bigint,
    days bigint,
    starts_at timestamp,
    previous_starts_at timestamp,
    costs_from timestamp,
    exit_cycle bigint,
    exit_kind text,
    exit_at timestamp,
    free_from timestamp
)
language sql
immutable
parallel safe
begin atomic
    with recursive horizon as (
        select (p_start + make_interval(months => p_months::integer))::timestamp as until
    ),
    begun as (
        select
            t.customer,
            t.track,
            t.customer_id,
            t.currency,
            t.taxation,
            t.tax_percent,
            t.plan,
            t.seats,
            t.stream as track_stream,
            simulation.stream(t.stream, 1) as stream,
            case
                when t.track > 1 then 'paid'
                when simulation.random_integer(t.stream, 2001, 100) < 18 then 'trial'
                when simulation.random_integer(t.stream, 2001, 100) < 40 then 'free'
                else 'paid'
            end as kind,
            t.begins_at
        from simulation.saas_tracks(p_companies, p_months, p_seed, p_start) t
    ),
    lived as (
        select
            b.customer,
            b.track,
            b.customer_id,
            b.currency,
            b.taxation,
            b.tax_percent,
            b.plan,
            b.seats,
            b.track_stream,
            1::bigint as phase,
            1::bigint as subscription,
            b.stream,
            b.kind,
            l.months,
            l.days,
            b.begins_at as starts_at,
            b.begins_at as previous_starts_at,
            case b.kind when 'paid' then b.begins_at end as costs_from,
            x.cycle as exit_cycle,
            x.kind as exit_kind,
            x.exit_at,
            x.free_from
        from begun b
        cross join horizon h
        cross join lateral (
            select
                case
                    when b.kind = 'trial' then 0
                    when b.kind = 'paid' and simulation.random_integer(b.stream, 3, 4) = 0 then 12
                    else 1
                end as months,
                case
                    when b.kind <> 'trial' then 0
                    when simulation.random_integer(b.stream, 4, 4) = 0 then 30
                    else 14
                end as days
        ) l
        left join lateral simulation.saas_exit(
            b.stream, b.kind, l.months, l.days, b.begins_at, true, p_unseen, p_months, h.until
        ) x on true
        where b.begins_at < h.until
        union all
        select
            l.customer,
            l.track,
            l.customer_id,
            l.currency,
            l.taxation,
            l.tax_percent,
            l.plan,
            l.seats,
            l.track_stream,
            l.phase + 1,
            l.subscription + n.is_new::integer,
            n.stream,
            'paid',
            n.months,
            0,
            n.starts_at,
            case when l.exit_kind = 'convert' then l.starts_at else n.starts_at end,
            case when n.is_new or l.kind <> 'paid' then n.starts_at else l.costs_from end,
            x.cycle,
            x.kind,
            x.exit_at,
            x.free_from
        from lived l
        cross join horizon h
        cross join lateral (
            select
                simulation.stream(l.track_stream, l.phase + 1) as stream,
                l.exit_kind not in ('convert', 'switch') as is_new
        ) d
        cross join lateral (
            select
                d.stream,
                d.is_new,
                case
                    when l.exit_kind = 'switch' and l.kind = 'paid' then 13 - l.months
                    when simulation.random_integer(d.stream, 3, 4) = 0 then 12
                    else 1
                end as months,
                case
                    when d.is_new then l.free_from + interval '1 second' * (
                        259200 + simulation.random_integer(d.stream, 5, 200 * 86400)
                    )
                    else l.exit_at
                end as starts_at
        ) n
        left join lateral simulation.saas_exit(
            n.stream, 'paid', n.months, 0, n.starts_at, d.is_new, p_unseen, p_months, h.until
        ) x on true
        where l.exit_at is not null
            and n.starts_at < h.until
            and (not d.is_new or simulation.random_integer(d.stream, 6, 3) = 0)
    )
    select
        l.customer,
        l.track,
        l.customer_id,
        l.currency,
        l.taxation,
        l.tax_percent,
        l.plan,
        l.seats,
        l.phase,
        l.subscription,
        simulation.stream(l.track_stream, 3000 + l.subscription),
        l.stream,
        l.kind,
        l.months,
        l.days,
        l.starts_at,
        l.previous_starts_at,
        l.costs_from,
        l.exit_cycle,
        l.exit_kind,
        l.exit_at,
        l.free_from
    from lived l;
end;

comment on function simulation.saas_phases(bigint, bigint, bigint, date, bigint) is
    'What the subscriptions of the richer company live through: one row a track and phase with one anchor and one length of cycle, with how and when it ends. Times in UTC.';
revoke all on function simulation.saas_phases(bigint, bigint, bigint, date, bigint) from public;
grant execute on function simulation.saas_phases(bigint, bigint, bigint, date, bigint) to pgmrr_writer;
