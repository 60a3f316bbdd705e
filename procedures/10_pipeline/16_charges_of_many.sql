-- The charges of many customers, made by as many processors as the server gives. Rules R1 to R8.
--
-- The rules look at charges in their order, so that the planner keeps their query out of
-- parallel workers; but they never look beyond a customer. So the customers are taken in eight
-- parts, each one call of this function, which a worker makes as a whole. Parts are so small
-- that their sorts and hashes stay in memory.
--
-- Each part picks its customers by their key, also where the statistics would have it read the
-- whole table (seqscan off): tables that were filled a moment ago have none yet, or those of a
-- rolled back import. Steps are joined by hash or merge: a nested loop, which the planner likes
-- where it takes a table for empty, would take hours. Plans are made for the customers at hand,
-- and compiling them (jit) takes longer than running them. The planner cannot see what a call
-- costs, and is told that it is much.
create or replace function pipeline.charges_of_many(p_customers text[])
returns setof billing.charge_cents
language plpgsql
stable
parallel safe
cost 100000000
rows 20000
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
        select c.*
        from pipeline.charges_of_many(p_customers[1:v_part]) c
        union all
        select c.*
        from pipeline.charges_of_many(p_customers[v_part + 1:2 * v_part]) c
        union all
        select c.*
        from pipeline.charges_of_many(p_customers[2 * v_part + 1:3 * v_part]) c
        union all
        select c.*
        from pipeline.charges_of_many(p_customers[3 * v_part + 1:4 * v_part]) c
        union all
        select c.*
        from pipeline.charges_of_many(p_customers[4 * v_part + 1:5 * v_part]) c
        union all
        select c.*
        from pipeline.charges_of_many(p_customers[5 * v_part + 1:6 * v_part]) c
        union all
        select c.*
        from pipeline.charges_of_many(p_customers[6 * v_part + 1:7 * v_part]) c
        union all
        select c.*
        from pipeline.charges_of_many(p_customers[7 * v_part + 1:8 * v_part]) c
        order by customer_id, invoice_id;
    else
        return query
        select
            c.customer_id,
            c.invoice_id,
            c.subscription_id,
            c.currency,
            c.basis,
            c.is_unpaid,
            c.is_renewal,
            c.carries_arrears,
            c.months,
            c.starts_on,
            c.ends_on,
            c.issued_at,
            c.starts_at,
            c.ends_at,
            c.billed_until,
            c.net,
            c.amount,
            c.mrr,
            c.unmatched
        from pipeline.charges(p_customers) c;
    end if;
end;
$$;

comment on function pipeline.charges_of_many(text[]) is
    'R1 to R8: the charges of many customers, as pipeline.charges makes them, by several processors.';
revoke all on function pipeline.charges_of_many(text[]) from public;
grant execute on function pipeline.charges_of_many(text[]) to pgmrr_writer;
