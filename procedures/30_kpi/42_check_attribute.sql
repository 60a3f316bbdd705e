-- Is there such an attribute to segment by? Returns its name, or fails with MR004.
--
-- currency, term and price_band come from the ledger and always exist; all others are
-- attributes of customers. The search among these stops at the first customer who has it.
create or replace function kpi.check_attribute(p_attribute text)
returns text
language plpgsql
stable
parallel safe
set search_path = ''
as $$
begin
    if p_attribute in ('currency', 'term', 'price_band') then
        return p_attribute;
    end if;

    if p_attribute is null or not exists (select from kpi.customer u where u.attributes ? p_attribute) then
        raise exception using
            errcode = 'MR004',
            message = format('unknown attribute: %s', coalesce(p_attribute, 'NULL')),
            detail = 'It is neither currency, term nor price_band, and no customer has it.',
            hint = 'See which there are: select * from kpi.attributes, or pgmrr segment.';
    end if;

    return p_attribute;
end;
$$;

comment on function kpi.check_attribute(text) is
    'The name of the attribute where customers can be segmented by it. Error MR004 where it is unknown. Example: select kpi.check_attribute(''term'').';
revoke all on function kpi.check_attribute(text) from public;
grant execute on function kpi.check_attribute(text) to pgmrr_reader, pgmrr_writer;
