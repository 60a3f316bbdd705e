-- The same day with the year first: '27.02.2025' by p_order dmy, '02/27/2025' by mdy. What
-- stands behind the day stays. Any other text is returned as it is: a day that has its year
-- first already means the same in any order.
create or replace function pipeline.year_first(p_text text, p_order text)
returns text
language sql
immutable
parallel safe
return case p_order
    when 'dmy' then regexp_replace(p_text, '^([0-9]{1,2})([./-])([0-9]{1,2})\2([0-9]{4})(?![0-9])', '\4-\3-\1')
    when 'mdy' then regexp_replace(p_text, '^([0-9]{1,2})([./-])([0-9]{1,2})\2([0-9]{4})(?![0-9])', '\4-\1-\3')
    else p_text
end;

comment on function pipeline.year_first(text, text) is
    'A day written in the order dmy or mdy with its year first; any other text as it is.';
revoke all on function pipeline.year_first(text, text) from public;
grant execute on function pipeline.year_first(text, text) to pgmrr_writer;
