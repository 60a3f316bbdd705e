-- Is there such an attribute to segment by? Returns its name, or fails with MR004.
--
-- currency, term and price_band come from the ledger and always exist; all others are
-- attributes of customers. Where the customers have one of these names too, theirs is
-- customer.currency, customer.term or customer.price_band. The search among the customers
-- stops at the first who has it; a name in other capitals is looked for only to suggest it.
create or replace function kpi.check_attribute(p_attribute text)
returns text
language plpgsql
stable
parallel safe
set search_path = ''
as $$
declare
    v_name text := kpi.customer_attribute(p_attribute);
    v_meant text;
begin
    if p_attribute in ('currency', 'term', 'price_band') then
        return p_attribute;
    end if;

    if v_name is null or not exists (select from kpi.customer u where u.attributes ? v_name) then
        select min(n.name)
        into v_meant
        from (
            select unnest(array['currency', 'term', 'price_band'])
            union all
            select jsonb_object_keys(u.attributes)
            from kpi.customer u
        ) n (name)
        where lower(n.name) = lower(p_attribute);

        raise exception using
            errcode = 'MR004',
            message = format('unknown attribute: %s', coalesce(p_attribute, 'NULL')),
            detail = 'It is neither currency, term nor price_band, and no customer has it.',
            hint = coalesce(
                'Did you mean ' || v_meant || '?',
                'See which there are: select * from kpi.attributes, or pgmrr segment.'
            );
    end if;

    return p_attribute;
end;
$$;

comment on function kpi.check_attribute(text) is
    'The name of the attribute where customers can be segmented by it. Error MR004 where it is unknown. Example: select kpi.check_attribute(''term'').';
revoke all on function kpi.check_attribute(text) from public;
grant execute on function kpi.check_attribute(text) to pgmrr_reader, pgmrr_writer;
