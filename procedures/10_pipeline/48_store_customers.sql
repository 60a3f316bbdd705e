-- Stores the customers that were read as versions of batch p_batch, and a mere name for
-- each customer whom invoices speak of and no customer file does.
--
-- A customer file tells of the same moment as the invoices beside it, or of its latest
-- customer's creation where that is later. As with invoices, an earlier file never
-- overwrites a later one (state `older`): a later customer file saw every listed customer
-- who was created within the range of its dates; a file of corrections, only whom it brought.
create or replace procedure pipeline.store_customers(p_batch bigint)
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
    v_later record;
begin
    if pg_catalog.to_regclass('pg_temp.read_customers') is not null then
        for v_later in
            with customer_file as (
                select
                    b.batch_id,
                    b.details -> 'corrections' is null as is_export,
                    greatest(b.as_of, (f.file ->> 'last_created_at')::timestamptz) as as_of,
                    (f.file ->> 'first_created_at')::timestamptz as first_created_at,
                    (f.file ->> 'last_created_at')::timestamptz as last_created_at
                from meta.batch b
                cross join lateral pg_catalog.jsonb_array_elements(b.files) as f (file)
                where b.source = 'stripe'
                    and f.file ->> 'role' = 'customers'
            )
            select
                l.batch_id,
                l.is_export,
                l.first_created_at,
                l.last_created_at
            from customer_file own
            join customer_file l
                on l.as_of > own.as_of
            where own.batch_id = p_batch
        loop
            update pg_temp.read_customers r
            set state = 'older'
            where r.state = 'changed'
                and (
                    r.known_batch_id = v_later.batch_id
                    or (
                        v_later.is_export
                        and (
                            r.known_created_at is null
                            or r.known_created_at between v_later.first_created_at and v_later.last_created_at
                        )
                    )
                );
        end loop;

        update raw.customer c
        set superseded_by = p_batch
        from pg_temp.read_customers r
        where r.state in ('new', 'changed')
            and c.customer_id = r.customer_id
            and c.batch_id = r.known_batch_id;

        insert into raw.customer (
            customer_id, batch_id, line_number, is_listed, name, created_at, payment_count, total_spend, attributes
        )
        select
            r.customer_id, p_batch, r.line_number, true, r.name, r.created_at, r.payment_count, r.total_spend,
            r.attributes
        from pg_temp.read_customers r
        where r.state in ('new', 'changed')
        order by r.customer_id;
    end if;

    with spoken_of as (
        select distinct r.customer_id
        from pg_temp.read_invoices r
        where r.state in ('new', 'changed')
    ),
    unknown as (
        select s.customer_id
        from spoken_of s
        except
        select c.customer_id
        from spoken_of s
        join raw.customer c
            on c.customer_id = s.customer_id
            and c.superseded_by is null
    )
    insert into raw.customer (customer_id, batch_id, is_listed)
    select
        u.customer_id,
        p_batch,
        false
    from unknown u;
end;
$$;

comment on procedure pipeline.store_customers(bigint) is
    'Stores the customers that were read as versions of a batch, and those whom only invoices speak of.';
revoke all on procedure pipeline.store_customers(bigint) from public;
grant execute on procedure pipeline.store_customers(bigint) to pgmrr_writer;
