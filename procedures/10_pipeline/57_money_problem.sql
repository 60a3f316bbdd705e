-- Why is this text no amount of money for pipeline.parse_money?
--
--     ambiguous amount         1.234 or 1,234.56 where it is not known which sign is which
--     more than two decimals   0.0125, where the sign is known or can only be one
--     not an amount            all else
create or replace function pipeline.money_problem(p_text text, p_decimal text)
returns text
language sql
immutable
parallel safe
return case
    when p_decimal is null
        and p_text ~ '^[+-]?[0-9]{1,3}([.,''\u2019 \u00a0\u202f][0-9]{3})+([.,][0-9]{1,2})?$'
        then 'ambiguous amount'
    when (p_decimal is null and p_text ~ '^[+-]?[0-9]{1,13}[.,][0-9]{3,20}$')
        or (p_decimal = 'comma' and p_text ~ '^[+-]?[0-9.'' ]{1,17},[0-9]{3,20}$')
        or (p_decimal in ('point', 'plain') and p_text ~ '^[+-]?[0-9,'' ]{1,17}[.][0-9]{3,20}$')
        then 'more than two decimals'
    else 'not an amount'
end;

comment on function pipeline.money_problem(text, text) is
    'Why a text is no amount for pipeline.parse_money: ambiguous amount, more than two decimals, or not an amount.';
revoke all on function pipeline.money_problem(text, text) from public;
grant execute on function pipeline.money_problem(text, text) to pgmrr_writer;
