-- What do restarts and swaps do to the charges of one subscription? Rule R7.
--
-- Takes the subscription's charges as arrays in the order of R6 and returns one row
-- a charge: the money its MRR comes from, where it ends, and its months. Pure: it
-- reads no table. Each charge is looked at in turn, against the earlier ones that
-- are still running, that is, whose current end lies behind its start. Mostly there are
-- none, since one charge begins where the last one ended: then there is nothing to look for.
-- Where there are, loops look for them: to start a query takes longer than to go through the
-- few charges that a subscription has.
--
--   Swap     A change from a longer to a shorter plan that one invoice settles: its
--            net is negative, and it ends with charges that began earlier. Its net
--            and their unused rests make the price of one month; where that is worth
--            more than 0.05, they end here and a term of one month begins.
--   Restart  A term that begins more than 12 hours before earlier charges end, and
--            ends at another time than they do, starts a new cycle. They end here,
--            and what was credited for their unused rests (where they are paid) is
--            added back to it, but never less than 0.
--
-- Money is in cents, as numeric, since unused rests are fractions. `is_settled` marks
-- credits that a restart took into account.
create or replace function pipeline.walk_subscription(
    p_time_zone text,
    p_starts timestamp[],
    p_ends timestamp[],
    p_period_starts timestamp[],
    p_net bigint[],
    p_months integer[],
    p_is_paid boolean[]
)
returns table (
    place bigint,
    amount numeric,
    months integer,
    ends_at timestamp,
    billed_until timestamp,
    is_settled boolean
)
language plpgsql
immutable
parallel safe
rows 2
set search_path = pg_catalog, pg_temp
as $$
declare
    v_amounts numeric[] := p_net::numeric[];
    v_months integer[] := p_months;
    -- The charge's own end, and where it ends by now.
    v_own_ends timestamp[] := p_ends;
    v_ends timestamp[] := p_ends;
    v_is_settled boolean[] := array_fill(false, array[cardinality(p_net)]);
    -- The latest end among the charges before the one looked at.
    v_latest_end timestamp := timestamp '-infinity';
    v_running integer[];
    v_unused numeric;
    v_start timestamp;
    v_is_swap boolean;
begin
    for x in 1 .. cardinality(p_net) loop
        v_start := p_starts[x];
        v_is_swap := false;
        v_running := null;

        if v_latest_end > v_start
            and p_net[x] < 0
            and p_period_starts[x] between v_start - interval '2 hours' and v_start + interval '2 hours'
        then
            v_unused := 0;
            for a in 1 .. x - 1 loop
                if p_starts[a] < v_start
                    and v_ends[a] > v_start
                    and (v_own_ends[a] at time zone 'UTC' at time zone p_time_zone)::date
                    = (v_own_ends[x] at time zone 'UTC' at time zone p_time_zone)::date
                then
                    v_running := v_running || a;
                    v_unused := v_unused
                        + v_amounts[a] * extract(epoch from v_own_ends[a] - v_start)
                        / extract(epoch from v_own_ends[a] - p_starts[a]);
                end if;
            end loop;

            v_is_swap := round(p_net[x] + v_unused, 6) > 5;
            if v_is_swap then
                for y in 1 .. cardinality(v_running) loop
                    v_ends[v_running[y]] := v_start;
                end loop;
                v_amounts[x] := p_net[x] + v_unused;
                v_months[x] := 1;
                v_own_ends[x] := v_start + interval '1 month';
                v_ends[x] := v_own_ends[x];
            end if;
        end if;

        if v_latest_end > v_start and v_months[x] is not null and not v_is_swap then
            v_running := null;
            v_unused := 0;
            for a in 1 .. x - 1 loop
                if v_ends[a] > v_start + interval '12 hours'
                    and p_starts[a] <= v_start
                    and v_own_ends[a] not between v_own_ends[x] - interval '12 hours' and v_own_ends[x] + interval '12 hours'
                then
                    v_running := v_running || a;
                    if p_is_paid[a] then
                        v_unused := v_unused
                            + v_amounts[a] * extract(epoch from v_own_ends[a] - v_start)
                            / extract(epoch from v_own_ends[a] - p_starts[a]);
                    end if;
                end if;
            end loop;

            v_amounts[x] := v_amounts[x] + greatest(v_unused, 0);
            for y in 1 .. coalesce(cardinality(v_running), 0) loop
                v_ends[v_running[y]] := v_start;
                v_is_settled[v_running[y]] := v_is_settled[v_running[y]]
                    or (p_is_paid[v_running[y]] and p_net[v_running[y]] < 0);
            end loop;
        end if;

        if v_running is null then
            v_latest_end := greatest(v_latest_end, v_ends[x]);
        else
            v_latest_end := v_ends[x];
            for a in 1 .. x - 1 loop
                v_latest_end := greatest(v_latest_end, v_ends[a]);
            end loop;
        end if;
    end loop;

    return query
    select w.place, w.amount, w.months, w.ends_at, w.billed_until, w.is_settled
    from unnest(v_amounts, v_months, v_ends, v_own_ends, v_is_settled)
        with ordinality as w (amount, months, ends_at, billed_until, is_settled, place);
end;
$$;

comment on function pipeline.walk_subscription(text, timestamp[], timestamp[], timestamp[], bigint[], integer[], boolean[]) is
    'R7: restarts and swaps among the charges of one subscription, given as arrays in their order; one row a charge, amounts in cents, times in UTC.';
revoke all on function pipeline.walk_subscription(text, timestamp[], timestamp[], timestamp[], bigint[], integer[], boolean[]) from public;
grant execute on function pipeline.walk_subscription(text, timestamp[], timestamp[], timestamp[], bigint[], integer[], boolean[]) to pgmrr_writer;
