-- Of which customers must what is kept for readers be made anew, where these are refreshed?
--
-- Of these and, where coverage has moved forward, of those whose charges begin or end on the
-- days between (ledger.paying_cents knows the next such day of each): their charges and their
-- ledger stay as they are. NULL, which stands for all, where all are given, where coverage has
-- moved back, and where nothing was kept yet.
create or replace function pipeline.with_due(p_customers text[])
returns text[]
language sql
stable
parallel safe
begin atomic
    select case
        when p_customers is null or c.paying_on is null or (c.observed_from <= c.complete_through) is not true
            or c.complete_through < c.paying_on
            then null
        when c.complete_through > c.paying_on
            then array(
                select u.customer_id
                from unnest(p_customers) u (customer_id)
                union
                select p.customer_id
                from ledger.paying_cents p
                where p.next_on <= (select v.complete_through from meta.coverage v)
            )
        else p_customers
    end
    from meta.coverage c;
end;

comment on function pipeline.with_due(text[]) is
    'The customers given, and those whose MRR may change between the day that is kept and the last covered one: of them what is kept for readers must be made anew; NULL: of all.';
revoke all on function pipeline.with_due(text[]) from public;
grant execute on function pipeline.with_due(text[]) to pgmrr_writer;
