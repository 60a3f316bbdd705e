-- The name of a column in the code for its name in a file's header:
-- 'Minimum Line Item Period Start (UTC)' is minimum_line_item_period_start.
create or replace function pipeline.column_name(p_header text)
returns text
language sql
immutable
parallel safe
return trim('_' from regexp_replace(replace(lower(p_header), '(utc)', ''), '[^a-z0-9]+', '_', 'g'));

comment on function pipeline.column_name(text) is
    'A column''s name in the code for its name in a file: lower case, words joined by underscores, without (UTC).';
revoke all on function pipeline.column_name(text) from public;
grant execute on function pipeline.column_name(text) to pgmrr_writer;
