-- First day of service of the recurring invoices known after p_batch, in the reporting
-- time zone; without one, the day of the first invoice. A complete history is covered
-- from there (R11).
create or replace function pipeline.first_service_on(p_batch bigint)
returns date
language sql
stable
parallel safe
begin atomic
    select (coalesce(
        (select min(p.starts_at) at time zone 'UTC' from pipeline.service_periods(null, p_batch) p),
        (select min(b.first_invoice_at) from meta.batch b where b.batch_id <= p_batch)
    ) at time zone s.time_zone)::date
    from meta.setting s;
end;

comment on function pipeline.first_service_on(bigint) is
    'First day of service among the recurring invoices known after a batch; else the day of the first invoice.';
revoke all on function pipeline.first_service_on(bigint) from public;
grant execute on function pipeline.first_service_on(bigint) to pgmrr_writer;
