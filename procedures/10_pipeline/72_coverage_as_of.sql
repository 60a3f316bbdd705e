-- What could the data say after batch p_batch? Rule R11.
--
-- One row, as in kpi.coverage: the first and last day on which MRR was known, the first
-- from which it was no lower bound, and the first on which churn was observable. The terms
-- that these depend on are those of the facts known then. No row where there is no such
-- batch.
create or replace function pipeline.coverage_as_of(p_batch bigint)
returns table (
    observed_from date,
    complete_through date,
    mrr_complete_from date,
    churn_observable_from date
)
language plpgsql
stable
parallel safe
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
set enable_nestloop = off
set jit = off
as $$
begin
    if not exists (select from meta.batch b where b.batch_id = p_batch) then
        return;
    end if;

    return query
    select
        v.observed_from,
        v.complete_through,
        (v.observed_from + make_interval(months => case when v.is_truncated then t.longest else 0 end))::date,
        (v.observed_from + make_interval(months => case when v.is_truncated then t.shortest else 0 end))::date
    from pipeline.coverage_at(p_batch) v
    cross join (
        select
            coalesce(max(p.months), 0) as longest,
            coalesce(min(p.months) filter (where p.mrr > 0), 0) as shortest
        from pipeline.priced_charges(null, p_batch) p
        where p.basis = 'term'
    ) t;
end;
$$;

comment on function pipeline.coverage_as_of(bigint) is
    'R11: what the data could say after a batch, one row with the four days of kpi.coverage; no row where there is no such batch.';
revoke all on function pipeline.coverage_as_of(bigint) from public;
grant execute on function pipeline.coverage_as_of(bigint) to pgmrr_writer;
