-- Reads an amount of money as integer cents: '104,40', '104.40', '-7,6', '12'.
-- NULL where it is empty or not such an amount.
--
-- A thousands separator is refused rather than guessed: 1.234 is twelve hundred to
-- some and one and a quarter to others. The usual forms come first, told without a regular
-- expression, which takes as long as all the rest: digits and one sign, two digits behind it.
create or replace function pipeline.parse_amount(p_text text)
returns bigint
language sql
immutable
parallel safe
return case
    when p_text is null then null
    when p_text in ('0,00', '0.00') then 0
    when translate(p_text, '0123456789', '') in (',', '.')
        and (p_text like '_%,__' or p_text like '_%.__')
        and octet_length(p_text) <= 16
        then translate(p_text, ',.', '')::bigint
    when p_text ~ '^[+-]?[0-9]{1,13}[.,][0-9]{2}$' then translate(p_text, '.,', '')::bigint
    when p_text ~ '^[+-]?[0-9]{1,13}([.,][0-9])?$' then (replace(p_text, ',', '.')::numeric * 100)::bigint
end;

comment on function pipeline.parse_amount(text) is
    'An amount with at most two decimals, after a comma or a point, as integer cents; NULL where it is not one.';
revoke all on function pipeline.parse_amount(text) from public;
grant execute on function pipeline.parse_amount(text) to pgmrr_writer;
