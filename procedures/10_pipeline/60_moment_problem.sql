-- Why is this text no time for pipeline.parse_moment? `ambiguous date` for 03/04/2025 where
-- the order of day and month is not known; else `not a time`.
create or replace function pipeline.moment_problem(p_text text, p_order text)
returns text
language sql
immutable
parallel safe
return case
    when p_order is null and p_text ~ '^[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{4}(?![0-9])' then 'ambiguous date'
    else 'not a time'
end;

comment on function pipeline.moment_problem(text, text) is
    'Why a text is no time: ambiguous date where the order of day and month is not known, else not a time.';
revoke all on function pipeline.moment_problem(text, text) from public;
grant execute on function pipeline.moment_problem(text, text) to pgmrr_writer;
