-- How many warnings are there about what batch p_batch brought, by warning? As jsonb:
-- {"due before it was issued": 18}. p_customers are the customers that it touched (NULL:
-- any), so that a small import looks at a few.
create or replace function pipeline.warnings_of_batch(p_batch bigint, p_customers text[])
returns jsonb
language plpgsql
stable
parallel safe
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
begin
    return (
        select coalesce(pg_catalog.jsonb_object_agg(w.warning, w.warnings), '{}')
        from (
            select
                w.warning,
                count(*) as warnings
            from kpi.warnings w
            where w.batch_id = p_batch
                and (p_customers is null or w.customer_id = any(p_customers))
            group by w.warning
        ) w
    );
end;
$$;

comment on function pipeline.warnings_of_batch(bigint, text[]) is
    'How many warnings there are about what a batch brought for some customers (NULL: all), by warning.';
revoke all on function pipeline.warnings_of_batch(bigint, text[]) from public;
grant execute on function pipeline.warnings_of_batch(bigint, text[]) to pgmrr_writer;
