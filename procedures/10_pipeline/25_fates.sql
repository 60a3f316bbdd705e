-- What became of the current invoices of some customers? Rules R1 and R2.
--
-- One row a customer, currency, status and fate, as billing.fate_cents keeps it. An invoice
-- that counts, of a subscription, for a time, makes a charge; nearly all of these are of whole
-- months, so that only charges of another basis are looked up. Many customers are divided
-- among processors, as in pipeline.charges_of_many.
create or replace function pipeline.fates(p_customers text[])
returns setof billing.fate_cents
language plpgsql
stable
parallel safe
cost 100000000
rows 4000
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
        select f.*
        from pipeline.fates(p_customers[1:v_part]) f
        union all
        select f.*
        from pipeline.fates(p_customers[v_part + 1:2 * v_part]) f
        union all
        select f.*
        from pipeline.fates(p_customers[2 * v_part + 1:3 * v_part]) f
        union all
        select f.*
        from pipeline.fates(p_customers[3 * v_part + 1:4 * v_part]) f
        union all
        select f.*
        from pipeline.fates(p_customers[4 * v_part + 1:5 * v_part]) f
        union all
        select f.*
        from pipeline.fates(p_customers[5 * v_part + 1:6 * v_part]) f
        union all
        select f.*
        from pipeline.fates(p_customers[6 * v_part + 1:7 * v_part]) f
        union all
        select f.*
        from pipeline.fates(p_customers[7 * v_part + 1:8 * v_part]) f
        order by customer_id, currency, status, became;
        return;
    end if;

    return query
    select
        f.customer_id,
        f.currency,
        f.status,
        f.became,
        count(*),
        count(*) filter (where f.total > 0),
        sum(f.total)::bigint,
        max(f.batch_id)
    from (
        select
            i.customer_id,
            i.currency,
            i.status,
            i.total,
            i.batch_id,
            case
                when i.subscription_id is null then 'no subscription'
                when i.line_period_start is null or i.line_period_end is null then 'no service period'
                when i.line_period_end <= i.line_period_start then 'empty service period'
                when i.status <> all(s.counted_statuses) then 'not counted'
                else coalesce(c.basis, 'term')::text
            end as became
        from raw.invoice i
        cross join meta.setting s
        left join billing.charge_cents c
            on c.customer_id = i.customer_id
            and c.invoice_id = i.invoice_id
            and c.customer_id = any(p_customers)
            and c.basis <> 'term'
            and c.basis <> 'implied'
        where i.superseded_by is null
            and i.customer_id = any(p_customers)
    ) f
    group by f.customer_id, f.currency, f.status, f.became;
end;
$$;

comment on function pipeline.fates(text[]) is
    'R1 and R2: what became of the current invoices of the customers given, one row a customer, currency, status and fate; amounts in cents.';
revoke all on function pipeline.fates(text[]) from public;
grant execute on function pipeline.fates(text[]) to pgmrr_writer;
