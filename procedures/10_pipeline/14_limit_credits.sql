-- What do the credits of one subscription really take away? Rule "Credits" after R8.
--
-- Takes the subscription's charges as arrays in the order of their starts, MRR in
-- cents, and returns one row a charge with the MRR that counts. A credit takes away at
-- most the MRR of the charges that start before it and are running at its start; an
-- earlier credit counts there with what it took itself. Pure: it reads no table.
create or replace function pipeline.limit_credits(p_starts timestamp[], p_ends timestamp[], p_mrr bigint[])
returns table (
    place bigint,
    mrr bigint
)
language plpgsql
immutable
parallel safe
rows 2
set search_path = pg_catalog, pg_temp
as $$
declare
    v_mrr bigint[] := p_mrr;
    v_running numeric;
begin
    for x in 1 .. cardinality(p_mrr) loop
        if p_mrr[x] < 0 then
            v_running := 0;
            for a in 1 .. x - 1 loop
                if p_ends[a] > p_starts[x] and p_starts[a] < p_starts[x] then
                    v_running := v_running + v_mrr[a];
                end if;
            end loop;

            v_mrr[x] := greatest(p_mrr[x], - greatest(v_running, 0))::bigint;
        end if;
    end loop;

    return query
    select w.place, w.mrr
    from unnest(v_mrr) with ordinality as w (mrr, place);
end;
$$;

comment on function pipeline.limit_credits(timestamp[], timestamp[], bigint[]) is
    'Limits the credits of one subscription to the MRR running at their start; arrays in the order of the starts, MRR in cents, one row a charge.';
revoke all on function pipeline.limit_credits(timestamp[], timestamp[], bigint[]) from public;
grant execute on function pipeline.limit_credits(timestamp[], timestamp[], bigint[]) to pgmrr_writer;
