-- For which reasons is a row of a file rejected, and what is to be done about it?
--
-- One row a reason: the fixed list, in the words in which raw.rejected_row has them. A reader
-- of files may give no other, which a test asserts.
create or replace view kpi.reject_reasons as
select
    r.reason,
    r.meaning,
    r.hint
from (
    values
    (
        'missing value', 'A column that every row needs is empty.',
        'Fill it in; where it is empty in many rows, export the file again with all columns.'
    ),
    (
        'value is too long', 'An id of more than 255 bytes is none.',
        'Look whether the columns of this row are shifted.'
    ),
    (
        'not a currency of three letters', 'A currency is an ISO 4217 code.',
        'Write it as EUR or usd, without a sign.'
    ),
    (
        'unknown status', 'The status is none that the rules know.',
        'Use paid, open, draft, void or uncollectible.'
    ),
    (
        'not a time', 'It is no time, or a day that does not exist.',
        'Write it year first, as 2025-02-28 or 2025-02-28 9:56.'
    ),
    (
        'not an amount', 'It is no amount of money, or has a thousands separator that could be a decimal sign.',
        'Write digits with at most two decimals: 1234.56 or 1234,56.'
    ),
    (
        'not a percentage', 'A rate of tax is a plain number.',
        'Write it as 19 or 7.7, without a sign.'
    ),
    (
        'not a whole number', 'A count has digits only.',
        'Write it as 12.'
    ),
    (
        'duplicate id in this file', 'An earlier row of the file has the same id, and counts.',
        'Give the row its own id; as a correction with the same id it replaces the earlier row.'
    ),
    (
        'ambiguous date', 'Day and month may be either way round.',
        'Say which it is with --dates dmy or --dates mdy, or write it as 2025-02-28.'
    ),
    (
        'ends before it starts', 'The service period ends before it starts.',
        'Correct one of the two days; look whether their columns are swapped.'
    ),
    (
        'has the wrong sign', 'A discount or tax has another sign than its amount, and would raise what it lowers.',
        'Write what is taken off as a positive number; of a credit, all three are negative.'
    ),
    (
        'amount too large for its period', 'No plan costs that much for that time.',
        'Look for a missing decimal sign, or a period that ends too early.'
    ),
    (
        'ambiguous amount', 'It may be in thousands or have three decimals.',
        'Say which sign is the decimal one with --decimal, or write it as 1234.56.'
    ),
    (
        'more than two decimals', 'Amounts are whole cents.',
        'Round it to cents, or add up the small ones.'
    ),
    (
        'another line of its invoice was rejected', 'An invoice is taken whole or not at all.',
        'Correct the other line, and import all lines of the invoice together.'
    ),
    (
        'known from another source', 'The invoice was imported from another kind of file, and would count twice.',
        'Leave it out, or take the other import back: pgmrr undo'
    ),
    (
        'corrects no rejected row', 'A file of corrections holds a row that was not rejected before.',
        'Import it with the file that it belongs to, without --corrections.'
    ),
    (
        'too few fields', 'The row has fewer fields than the header.',
        'Look for a line break within a field, or a missing separator.'
    ),
    (
        'too many fields', 'The row has more fields than the header.',
        'Put quotes around the field that holds a separator.'
    ),
    (
        'broken quoting', 'A quote opens or closes where it should not.',
        'Write a quote within a quoted field twice.'
    ),
    (
        'not valid UTF-8', 'The row holds bytes that are no UTF-8 text.',
        'Save the file as UTF-8; the bytes are shown as \xNN.'
    ),
    (
        'contains a NUL character', 'The row holds a character that no text has.',
        'Delete it; it is shown as \x00.'
    ),
    (
        'line is too long', 'The line has more than a million bytes, and was not kept.',
        'Correct it in the file itself, and import the file again.'
    )
) r (reason, meaning, hint);

comment on view kpi.reject_reasons is 'The reasons for which rows are rejected, one row each, and what to do about them.';
comment on column kpi.reject_reasons.reason is 'The reason, as kpi.rejected_rows has it.';
comment on column kpi.reject_reasons.meaning is 'What it means.';
comment on column kpi.reject_reasons.hint is 'How to correct such a row.';
grant select on kpi.reject_reasons to pgmrr_reader, pgmrr_writer;
