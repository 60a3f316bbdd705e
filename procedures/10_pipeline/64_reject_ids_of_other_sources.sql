-- Rejects the rows that were read whose invoice is known from another source, and not from
-- this one: taken in, it would count twice. Sources may be mixed where their ids are disjoint.
create or replace procedure pipeline.reject_ids_of_other_sources(p_source text)
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
begin
    if not exists (select from meta.batch b where b.kind = 'import' and b.source <> p_source) then
        return;
    end if;

    update pg_temp.read_invoices r
    set state = 'rejected',
        problem = array['id', 'known from another source']
    from raw.invoice i
    join meta.batch b
        on b.batch_id = i.batch_id
        and b.source <> p_source
    where r.state <> 'rejected'
        and i.superseded_by is null
        and i.customer_id = r.customer_id
        and coalesce(i.of_invoice_id, i.invoice_id) = coalesce(r.of_invoice_id, r.invoice_id);
end;
$$;

comment on procedure pipeline.reject_ids_of_other_sources(text) is
    'Rejects the rows that were read whose invoice another source has brought.';
revoke all on procedure pipeline.reject_ids_of_other_sources(text) from public;
grant execute on procedure pipeline.reject_ids_of_other_sources(text) to pgmrr_writer;
