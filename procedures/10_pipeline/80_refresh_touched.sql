-- Refreshes the customers whose facts a batch touched.
--
-- Where they are many, more than a third of all, everything is made anew: then tables are
-- read as a whole, which is cheaper than to look most of their rows up by key.
create or replace procedure pipeline.refresh_touched(p_customers text[])
language plpgsql
set search_path = ''
as $$
begin
    if cardinality(p_customers) > 1000
        and cardinality(p_customers) * 3 > (
            select count(*)
            from raw.customer c
            where c.superseded_by is null
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
