-- The movements of many customers, made by as many processors as the server gives. Rules R9 and
-- R10. Divided, and planned, as pipeline.charges_of_many is.
create or replace function pipeline.movements_of_many(p_customers text[])
returns setof ledger.movement_cents
language plpgsql
stable
parallel safe
cost 100000000
rows 5000
set search_path = ''
set plan_cache_mode = force_custom_plan
set enable_nestloop = off
set enable_seqscan = off
set jit = off
as $$
declare
    v_part integer;
begin
    if cardinality(p_customers) > 2000 then
        v_part := (cardinality(p_customers) + 7) / 8;

        return query
        select m.*
        from pipeline.movements_of_many(p_customers[1:v_part]) m
        union all
        select m.*
        from pipeline.movements_of_many(p_customers[v_part + 1:2 * v_part]) m
        union all
        select m.*
        from pipeline.movements_of_many(p_customers[2 * v_part + 1:3 * v_part]) m
        union all
        select m.*
        from pipeline.movements_of_many(p_customers[3 * v_part + 1:4 * v_part]) m
        union all
        select m.*
        from pipeline.movements_of_many(p_customers[4 * v_part + 1:5 * v_part]) m
        union all
        select m.*
        from pipeline.movements_of_many(p_customers[5 * v_part + 1:6 * v_part]) m
        union all
        select m.*
        from pipeline.movements_of_many(p_customers[6 * v_part + 1:7 * v_part]) m
        union all
        select m.*
        from pipeline.movements_of_many(p_customers[7 * v_part + 1:8 * v_part]) m
        order by customer_id, currency, effective_on;
    else
        return query
        select
            m.customer_id,
            m.currency,
            m.effective_on,
            m.kind,
            m.customers,
            m.change,
            m.balance,
            m.unpaid_change
        from pipeline.movements(p_customers) m;
    end if;
end;
$$;

comment on function pipeline.movements_of_many(text[]) is
    'R9 and R10: the movements of many customers, as pipeline.movements makes them, by several processors.';
revoke all on function pipeline.movements_of_many(text[]) from public;
grant execute on function pipeline.movements_of_many(text[]) to pgmrr_writer;
