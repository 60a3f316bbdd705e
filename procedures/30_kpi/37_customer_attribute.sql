-- Under which name do the customers hold an attribute to segment by?
--
-- Theirs that are named as one of the ledger are asked for as customer.currency,
-- customer.term and customer.price_band; all others by their own name.
create or replace function kpi.customer_attribute(p_attribute text)
returns text
language sql
immutable
parallel safe
return case
    when p_attribute in ('customer.currency', 'customer.term', 'customer.price_band') then substr(p_attribute, 10)
    else p_attribute
end;

comment on function kpi.customer_attribute(text) is
    'The name under which customers hold an attribute: customer.currency, customer.term and customer.price_band are theirs of these names, all others are as they are.';
revoke all on function kpi.customer_attribute(text) from public;
grant execute on function kpi.customer_attribute(text) to pgmrr_reader, pgmrr_writer;
