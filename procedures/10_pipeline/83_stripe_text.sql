-- Writes a text that people typed (a name, a coupon) into a CSV file for spreadsheets.
--
-- A spreadsheet runs a cell that begins with = + - @ as a formula, also where blanks or
-- line breaks come first: an apostrophe in front makes it a text. Line breaks and other
-- control characters become blanks, so that a row stays a line. Ids and amounts do not go
-- through here: an id must stay itself.
create or replace function pipeline.stripe_text(p_text text)
returns text
language sql
immutable
parallel safe
return case when p_text ~ '^[[:space:][:cntrl:]]*[=+@-]' then '''' else '' end
    || regexp_replace(p_text, '[[:cntrl:]]+', ' ', 'g');

comment on function pipeline.stripe_text(text) is
    'A text on one line that no spreadsheet takes for a formula; NULL for NULL.';
revoke all on function pipeline.stripe_text(text) from public;
grant execute on function pipeline.stripe_text(text) to pgmrr_writer;
