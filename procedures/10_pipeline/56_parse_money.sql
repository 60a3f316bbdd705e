-- Reads an amount of money as integer cents, where it is known how the file writes numbers.
--
--     p_decimal   meaning
--     comma       1.234,56: a comma before the decimals, points, blanks or ' between thousands
--     point       1,234.56: the other way round
--     plain       1234.56: as databases and programs write numbers, nothing between thousands
--     NULL        not known: either sign before one or two decimals; what may be thousands
--                 or decimals (1.234) is refused rather than guessed
--
-- Zeros beyond the second decimal are none; any other digit there is refused, since a
-- rounded amount is not the one in the file. NULL where the text is empty or no such amount.
--
-- The usual forms come first, without a regular expression, as in pipeline.parse_amount.
create or replace function pipeline.parse_money(p_text text, p_decimal text)
returns bigint
language sql
immutable
parallel safe
return case
    when p_text is null then null
    when p_decimal is null
        then coalesce(
            pipeline.parse_amount(p_text),
            case
                when p_text ~ '^[+-]?[0-9]{1,13}[.,][0-9]{2}0{2,20}$'
                    then (replace(p_text, ',', '.')::numeric * 100)::bigint
            end
        )
    when translate(p_text, '0123456789', '') = case p_decimal when 'comma' then ',' else '.' end
        and (p_text like '_%,__' or p_text like '_%.__')
        and octet_length(p_text) <= 16
        then translate(p_text, ',.', '')::bigint
    when p_decimal = 'comma'
        and p_text ~ '^[+-]?([0-9]{1,13}|[0-9]{1,3}([.''\u2019 \u00a0\u202f][0-9]{3}){1,4})(,[0-9]{1,2}0{0,20})?$'
        then (replace(regexp_replace(p_text, '[^0-9,-]', '', 'g'), ',', '.')::numeric * 100)::bigint
    when p_decimal = 'point'
        and p_text ~ '^[+-]?([0-9]{1,13}|[0-9]{1,3}([,''\u2019 \u00a0\u202f][0-9]{3}){1,4})(\.[0-9]{1,2}0{0,20})?$'
        then (regexp_replace(p_text, '[^0-9.-]', '', 'g')::numeric * 100)::bigint
    when p_decimal = 'plain' and p_text ~ '^[+-]?[0-9]{1,13}(\.[0-9]{1,2}0{0,20})?$'
        then (p_text::numeric * 100)::bigint
end;

comment on function pipeline.parse_money(text, text) is
    'An amount as integer cents, where it is known how the file writes numbers (comma, point, plain; NULL: unknown); NULL where it is not one, or ambiguous.';
revoke all on function pipeline.parse_money(text, text) from public;
grant execute on function pipeline.parse_money(text, text) to pgmrr_writer;
