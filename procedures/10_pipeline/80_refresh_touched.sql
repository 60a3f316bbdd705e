-- Refreshes the customers whose facts a batch touched.
--
-- Where they are many, more than a third of all, everything is made anew: that is cheaper
-- than to look them up one by one.
create or replace procedure pipeline.refresh_touched(p_customers text[])
language plpgsql
set search_path = ''
as $$
begin
    if cardinality(p_customers) > 1000
        and cardinality(p_customers) * 3 > (
            select count(*)
            from (
                select i.customer_id
                from raw.invoice i
                where i.superseded_by is null
                group by i.customer_id
            ) known
        )
    then
        call pipeline.rebuild();
    else
        call pipeline.refresh(p_customers);
    end if;
end;
$$;

comment on procedure pipeline.refresh_touched(text[]) is
    'Refreshes the customers whose facts a batch touched; where they are more than a third, everything.';
revoke all on procedure pipeline.refresh_touched(text[]) from public;
grant execute on procedure pipeline.refresh_touched(text[]) to pgmrr_writer;
