-- Sums up the rows of read_invoices, so that the steps of an import need not go through all
-- of them each. Makes the temporary table read_groups anew: one row a state, reason of
-- rejection and currency, with how many rows, the first and last date of the invoices, and
-- their latest event: date, finalization, payment, voiding or mark as uncollectible.
create or replace procedure pipeline.group_read_rows()
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
begin
    if pg_catalog.to_regclass('pg_temp.read_groups') is not null then
        drop table pg_temp.read_groups;
    end if;
    create temp table read_groups on commit drop as
    select
        r.state,
        r.problem[2] as reason,
        r.currency,
        count(*) as rows,
        min(r.issued_at) as first_issued_at,
        max(r.issued_at) as last_issued_at,
        max(greatest(r.issued_at, r.finalized_at, r.paid_at, r.voided_at, r.uncollectible_at)) as last_event_at
    from pg_temp.read_invoices r
    group by r.state, r.problem[2], r.currency;
end;
$$;

comment on procedure pipeline.group_read_rows() is
    'Sums up the invoices, lines or periods that were read in the temporary table read_groups: one row a state, reason of rejection and currency.';
revoke all on procedure pipeline.group_read_rows() from public;
grant execute on procedure pipeline.group_read_rows() to pgmrr_writer;
