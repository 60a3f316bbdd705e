-- Which figures of past months did later batches change, by how much, and through what?
--
--     select * from kpi.restatements(1, 3);     -- what batches 2 and 3 changed
--     select * from kpi.restatements();         -- what the last batch of facts changed
--
-- One row a month and customer whose closing MRR, or whose movements by kind, differ as
-- known after the one batch and after the other; in the reporting currency, on the days
-- that both cover. Summed over customers, the changes of a month are the differences of
-- kpi.mrr_total_as_of on its last_on. Settings and exchange rates are today's. NULL stands
-- for the last batch that brought facts, and for the one before it. No row where there is
-- no such batch; error MR006 where the batches are upside down.
--
-- It runs with the rights of its owner, for the reason that kpi.mrr_total_as_of gives.
create or replace function kpi.restatements(p_from_batch bigint default null, p_to_batch bigint default null)
returns table (
    month date,
    first_on date,
    last_on date,
    customer_id text,
    name text,
    mrr_before numeric,
    mrr_after numeric,
    change numeric,
    kinds jsonb,
    invoice_ids text[]
)
language plpgsql
stable
parallel safe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_to bigint := coalesce(p_to_batch, (select max(b.batch_id) from meta.batch b where b.source is not null));
    v_from bigint := coalesce(
        p_from_batch, (select max(b.batch_id) from meta.batch b where b.source is not null and b.batch_id < v_to)
    );
begin
    if v_from > v_to then
        raise exception using
            errcode = 'MR006',
            message = 'the range of batches is upside down',
            detail = format('It begins with batch %s and ends with batch %s.', v_from, v_to),
            hint = 'Give the earlier batch first.';
    end if;

    return query
    select
        r.month,
        r.first_on,
        r.last_on,
        r.customer_id,
        u.name,
        r.mrr_before,
        r.mrr_after,
        r.mrr_after - r.mrr_before,
        r.kinds,
        r.invoice_ids
    from pipeline.restatements(v_from, v_to) r
    left join kpi.customer u
        on u.customer_id = r.customer_id
    where (select count(*) from meta.batch b where b.batch_id in (v_from, v_to)) = 2
    order by r.month, abs(r.mrr_after - r.mrr_before) desc, r.customer_id;
end;
$$;

comment on function kpi.restatements(bigint, bigint) is
    'What the batches after p_from_batch, up to p_to_batch, changed in the months that both cover: one row a month and customer, with MRR at the month''s last day that both cover, before and after, differences by kind of movement, and the invoices behind them; in the reporting currency, at today''s settings and rates. NULL: the last batch of facts, and the one before it. Error MR006 where the batches are upside down. Example: select month, customer_id, change, invoice_ids from kpi.restatements(1, 2).';
revoke all on function kpi.restatements(bigint, bigint) from public;
grant execute on function kpi.restatements(bigint, bigint) to pgmrr_reader, pgmrr_writer;
