-- Makes the histories of some customers (all: NULL) anew from their movements. Rule R9.
--
-- One row for each customer that is known, those without movements included, so that a
-- look-up of MRR tells who pays nothing from who is unknown. Who is no longer known loses
-- the row.
create or replace procedure pipeline.keep_histories(p_customers text[])
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
begin
    delete from ledger.history_cents h
    where p_customers is null or h.customer_id = any(p_customers);

    insert into ledger.history_cents (customer_id, currency, days, currencies, balances)
    select
        c.customer_id,
        case when m.first_currency = m.last_currency then m.first_currency end,
        coalesce(m.days, '{}'),
        coalesce(m.currencies, '{}'),
        coalesce(m.balances, '{}')
    from raw.customer c
    left join (
        select
            l.customer_id,
            min(l.currency) as first_currency,
            max(l.currency) as last_currency,
            array_agg(l.effective_on order by l.effective_on, l.currency) as days,
            array_agg(l.currency order by l.effective_on, l.currency) as currencies,
            array_agg(l.balance order by l.effective_on, l.currency) as balances
        from ledger.movement_cents l
        where p_customers is null or l.customer_id = any(p_customers)
        group by l.customer_id
    ) m
        on m.customer_id = c.customer_id
    where c.superseded_by is null
        and (p_customers is null or c.customer_id = any(p_customers))
    order by c.customer_id;
end;
$$;

comment on procedure pipeline.keep_histories(text[]) is
    'R9: makes the histories of the customers given (NULL: all) anew from their movements.';
revoke all on procedure pipeline.keep_histories(text[]) from public;
grant execute on procedure pipeline.keep_histories(text[]) to pgmrr_writer;
