-- Which columns of the files that are imported are read?
--
-- One row a source, file and column: the name that the code uses, the name that the file
-- gives it, and whether a file without it is refused. Stripe's files have names of their
-- own. Those of lines and periods are ours: a map says what the file calls them. What the
-- rules need is required; the taxes, say, may be missing in any combination (R3).
create or replace function pipeline.file_columns()
returns table (
    source text,
    file_role text,
    column_name text,
    header text,
    is_required boolean
)
language sql
immutable
parallel safe
begin atomic
    with customer_column (column_name, header, is_required_by_stripe) as (
        values
            ('id', 'id', true),
            ('name', 'Name', false),
            ('created', 'Created (UTC)', true),
            ('payment_count', 'Payment Count', true),
            ('total_spend', 'Total Spend', false)
    )
    values
        ('stripe', 'invoices', 'id', 'id', true),
        ('stripe', 'invoices', 'customer', 'Customer', true),
        ('stripe', 'invoices', 'subscription', 'Subscription', true),
        ('stripe', 'invoices', 'currency', 'Currency', true),
        ('stripe', 'invoices', 'status', 'Status', true),
        ('stripe', 'invoices', 'date', 'Date (UTC)', true),
        ('stripe', 'invoices', 'due_date', 'Due Date (UTC)', false),
        ('stripe', 'invoices', 'finalized_at', 'Finalized At (UTC)', false),
        ('stripe', 'invoices', 'paid_at', 'Paid At (UTC)', false),
        ('stripe', 'invoices', 'voided_at', 'Voided At (UTC)', false),
        ('stripe', 'invoices', 'marked_uncollectible_at', 'Marked Uncollectible At (UTC)', false),
        ('stripe', 'invoices', 'period_start', 'Period Start (UTC)', true),
        ('stripe', 'invoices', 'period_end', 'Period End (UTC)', true),
        ('stripe', 'invoices', 'minimum_line_item_period_start', 'Minimum Line Item Period Start (UTC)', true),
        ('stripe', 'invoices', 'maximum_line_item_period_end', 'Maximum Line Item Period End (UTC)', true),
        ('stripe', 'invoices', 'subtotal', 'Subtotal', false),
        ('stripe', 'invoices', 'total_discount_amount', 'Total Discount Amount', false),
        ('stripe', 'invoices', 'tax', 'Tax', false),
        ('stripe', 'invoices', 'exclusive_tax_amount', 'Exclusive Tax Amount', false),
        ('stripe', 'invoices', 'inclusive_tax_amount', 'Inclusive Tax Amount', false),
        ('stripe', 'invoices', 'total', 'Total', true),
        ('stripe', 'invoices', 'amount_due', 'Amount Due', false),
        ('stripe', 'invoices', 'amount_paid', 'Amount Paid', true),
        ('stripe', 'invoices', 'starting_balance', 'Starting Balance', false),
        ('stripe', 'invoices', 'ending_balance', 'Ending Balance', false),
        ('stripe', 'invoices', 'tax_percent', 'Tax Percent', false),
        ('stripe', 'invoices', 'applied_coupons', 'Applied Coupons', false),
        ('lines', 'lines', 'customer', 'customer', true),
        ('lines', 'lines', 'start', 'start', true),
        ('lines', 'lines', 'end', 'end', true),
        ('lines', 'lines', 'amount', 'amount', true),
        ('lines', 'lines', 'currency', 'currency', false),
        ('lines', 'lines', 'id', 'id', false),
        ('lines', 'lines', 'subscription', 'subscription', false),
        ('lines', 'lines', 'status', 'status', false),
        ('lines', 'lines', 'discount', 'discount', false),
        ('lines', 'lines', 'tax', 'tax', false),
        ('lines', 'lines', 'issued', 'issued', false),
        ('lines', 'lines', 'period_start', 'period_start', false),
        ('lines', 'lines', 'period_end', 'period_end', false),
        ('periods', 'periods', 'customer', 'customer', true),
        ('periods', 'periods', 'start', 'start', true),
        ('periods', 'periods', 'end', 'end', true),
        ('periods', 'periods', 'amount', 'amount', true),
        ('periods', 'periods', 'currency', 'currency', false),
        ('periods', 'periods', 'id', 'id', false),
        ('periods', 'periods', 'subscription', 'subscription', false),
        ('periods', 'periods', 'status', 'status', false)
    union all
    select
        s.source,
        'customers',
        c.column_name,
        c.header,
        c.column_name = 'id' or (s.source = 'stripe' and c.is_required_by_stripe)
    from (values ('stripe'), ('lines'), ('periods')) as s (source)
    cross join customer_column c;
end;

comment on function pipeline.file_columns() is
    'Columns of imported files that are read: one row a source, file and column, with the name in the code, the name in the file, and whether it is required.';
revoke all on function pipeline.file_columns() from public;
grant execute on function pipeline.file_columns() to pgmrr_writer;
