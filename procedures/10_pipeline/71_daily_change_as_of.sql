-- By how much did MRR change on each day, by kind, as known after batch p_batch? Rules R9,
-- R10 and R13.
--
-- One row a day, currency and kind, in the reporting currency: what kpi.daily_change holds
-- for the present. Evaluated on demand, by the rules that the ledger is kept by, from the
-- versions of the facts that were in force then, so the cost is that of a rebuild. No row
-- where there is no such batch. Error MR005 where an exchange rate is missing: settings and
-- rates are today's.
create or replace function pipeline.daily_change_as_of(p_batch bigint)
returns table (
    effective_on date,
    currency text,
    kind text,
    customers bigint,
    change numeric,
    unpaid_change numeric
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
    with daily as materialized (
        select
            m.effective_on,
            m.currency,
            m.kind,
            sum(m.customers) as customers,
            sum(m.change) as change,
            sum(m.unpaid_change) as unpaid_change
        from pipeline.movements(null, p_batch) m
        group by m.effective_on, m.currency, m.kind
    ),
    converted as materialized (
        select
            u.currency,
            pipeline.factor(u.currency) as factor
        from (select distinct d.currency from daily d) u
    )
    select
        d.effective_on,
        d.currency,
        d.kind::text,
        d.customers::bigint,
        d.change * 0.01 * c.factor,
        d.unpaid_change * 0.01 * c.factor
    from daily d
    join converted c
        on c.currency = d.currency;
end;
$$;

comment on function pipeline.daily_change_as_of(bigint) is
    'R10: changes of MRR as known after a batch, one row a day, currency and kind, in the reporting currency; no row where there is no such batch.';
revoke all on function pipeline.daily_change_as_of(bigint) from public;
grant execute on function pipeline.daily_change_as_of(bigint) to pgmrr_writer;
