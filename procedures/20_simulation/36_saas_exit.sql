-- In which cycle does a phase of a subscription end, how, and when?
--
-- One row, or none where it goes on to the end of the simulation. Each cycle draws
-- whether the phase ends in it:
--
--   convert     a trial is over and becomes a paid plan;
--   switch      in mid-cycle from a month to a year, from a year to a month, or from the
--               free plan to a paid one: a new cycle begins there;
--   cancel      it is cancelled, and runs to the cycle's end;
--   credited    it is cancelled at once, and the unused rest is credited;
--   uncredited  it is cancelled at once without a credit, which no invoice shows;
--   unpaid      the cycle's invoice is not paid, and is voided or written off two to four
--               weeks later: the customer was none from the cycle's start on;
--   failing     the same, with the simulation's end before that: the invoice is open.
--
-- p_is_fresh says that nothing came directly before: a first invoice that settles an
-- earlier plan is never unpaid. p_unseen is the share of cancellations at once that are
-- not credited, in thousandths of all cancellations by the month. `free_from` is the
-- moment from which the customer may come back.
create or replace function simulation.saas_exit(
    p_stream bigint,
    p_kind text,
    p_months bigint,
    p_days bigint,
    p_starts_at timestamp,
    p_is_fresh boolean,
    p_unseen bigint,
    p_cycles bigint,
    p_until timestamp
)
returns table (
    cycle bigint,
    kind text,
    exit_at timestamp,
    free_from timestamp
)
language sql
immutable
parallel safe
begin atomic
    with drawn as (
        select
            n.cycle,
            simulation.stream(p_stream, 1000 + n.cycle) as stream,
            simulation.random_integer(simulation.stream(p_stream, 1000 + n.cycle), 1, 1000) as place,
            simulation.saas_cycle_start(p_starts_at, p_months, p_days, n.cycle) as starts_at,
            simulation.saas_cycle_start(p_starts_at, p_months, p_days, n.cycle + 1) as ends_at
        from generate_series(0, p_cycles) n (cycle)
    ),
    judged as (
        select
            d.cycle,
            d.stream,
            d.starts_at,
            d.ends_at,
            -- Written off at this moment, should it not be paid.
            d.starts_at + make_interval(days => (14 + simulation.random_integer(d.stream, 2, 13))::integer) as given_up_at,
            case
                when p_kind = 'trial' then case when d.place < 600 then 'convert' else 'cancel' end
                when p_kind = 'free' then case when d.place < 15 then 'cancel' when d.place < 45 then 'switch' end
                when p_months = 1 then case
                    when d.place < 26 then case
                        when simulation.random_integer(d.stream, 3, 1000) < p_unseen then 'uncredited' else 'cancel'
                    end
                    when d.place < 29 then 'credited'
                    when d.place < 37 and (d.cycle > 0 or p_is_fresh) then 'unpaid'
                    when d.place between 37 and 46 then 'switch'
                end
                when d.place < 200 then 'cancel'
                when d.place < 220 then 'credited'
                when d.place < 235 and (d.cycle > 0 or p_is_fresh) then 'unpaid'
                when d.place between 235 and 264 then 'switch'
            end as kind
        from drawn d
        where d.starts_at < p_until
    )
    select
        j.cycle,
        case when j.kind = 'unpaid' and j.given_up_at >= p_until then 'failing' else j.kind end,
        case
            when j.kind in ('convert', 'cancel') then j.ends_at
            when j.kind in ('switch', 'credited', 'uncredited') then simulation.saas_moment(j.stream, j.starts_at, j.ends_at)
            when j.given_up_at < p_until then j.starts_at
        end,
        case
            when j.kind in ('convert', 'cancel') then j.ends_at
            when j.kind in ('switch', 'credited', 'uncredited') then simulation.saas_moment(j.stream, j.starts_at, j.ends_at)
            when j.given_up_at < p_until then j.given_up_at
        end
    from judged j
    where j.kind is not null
    order by j.cycle
    limit 1;
end;

comment on function simulation.saas_exit(bigint, text, bigint, bigint, timestamp, boolean, bigint, bigint, timestamp) is
    'How and when a phase of a subscription ends (UTC): one row, or none where it goes on until p_until.';
revoke all on function simulation.saas_exit(bigint, text, bigint, bigint, timestamp, boolean, bigint, bigint, timestamp) from public;
grant execute on function simulation.saas_exit(bigint, text, bigint, bigint, timestamp, boolean, bigint, bigint, timestamp) to pgmrr_writer;
