-- Brings the histories of some customers (all: NULL) up to date with their movements.
-- Rules R9 and R13.
--
-- One row for each customer that is known, those without movements included, so that a
-- look-up of MRR tells who pays nothing from who is unknown. Who is no longer known loses
-- the row. Only what differs is written. Movements lie in the order of the customers, so that
-- sorting them is nearly free, where a hash of all days would take more memory than all else.
create or replace procedure pipeline.keep_histories(p_customers text[])
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
set enable_hashagg = off
as $$
begin
    delete from ledger.history h
    where (p_customers is null or h.customer_id = any(p_customers))
        and not exists (
            select
            from raw.customer c
            where c.customer_id = h.customer_id
                and c.superseded_by is null
                and (p_customers is null or c.customer_id = any(p_customers))
        );

    insert into ledger.history as h (customer_id, days, mrr)
    select
        n.customer_id,
        n.days,
        n.mrr
    from (
        select
            c.customer_id,
            '0001-01-01'::date || coalesce(m.days, '{}') as days,
            0::numeric || coalesce(m.mrr, '{}') as mrr
        from raw.customer c
        left join (
            select
                d.customer_id,
                array_agg(d.effective_on order by d.effective_on) as days,
                array_agg(d.mrr order by d.effective_on) as mrr
            from (
                select
                    l.customer_id,
                    l.effective_on,
                    sum(sum(l.change * 0.01 * u.factor)) over (partition by l.customer_id order by l.effective_on) as mrr
                from ledger.movement_cents l
                join ledger.currency u
                    on u.currency = l.currency
                where l.change <> 0
                    and (p_customers is null or l.customer_id = any(p_customers))
                group by l.customer_id, l.effective_on
            ) d
            group by d.customer_id
        ) m
            on m.customer_id = c.customer_id
        where c.superseded_by is null
            and (p_customers is null or c.customer_id = any(p_customers))
    ) n
    left join ledger.history s
        on s.customer_id = n.customer_id
        and (p_customers is null or s.customer_id = any(p_customers))
    where (s.days, s.mrr) is distinct from (n.days, n.mrr)
    order by n.customer_id
    on conflict on constraint history_pkey do update
    set days = excluded.days,
        mrr = excluded.mrr;
end;
$$;

comment on procedure pipeline.keep_histories(text[]) is
    'R9 and R13: brings the histories of the customers given (NULL: all) up to date with their movements.';
revoke all on procedure pipeline.keep_histories(text[]) from public;
grant execute on procedure pipeline.keep_histories(text[]) to pgmrr_writer;
