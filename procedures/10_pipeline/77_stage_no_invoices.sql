-- Makes the place of an invoices file that is not there: corrections may be of customers
-- alone.
create or replace function pipeline.stage_no_invoices()
returns void
language sql
volatile
parallel unsafe
set search_path = ''
as $$
    select pipeline.stage_file(
        'invoices',
        'no file',
        array(
            select c.header
            from pipeline.file_columns() c
            where c.source = 'stripe'
                and c.file_role = 'invoices'
                and c.is_required
        )
    );
$$;

comment on function pipeline.stage_no_invoices() is
    'Makes the place of an invoices file without rows, for corrections of customers alone.';
revoke all on function pipeline.stage_no_invoices() from public;
grant execute on function pipeline.stage_no_invoices() to pgmrr_writer;
