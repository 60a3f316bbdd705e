-- Which columns of Stripe's two export files are read?
--
-- One row a file and column: the name that the code uses, the name that Stripe gives
-- it, and whether a file without it is refused. What the rules need is required; the
-- taxes, say, may be missing in any combination (R3).
create or replace function pipeline.stripe_columns()
returns table (
    file_role text,
    column_name text,
    header text,
    is_required boolean
)
language sql
immutable
parallel safe
begin atomic
    values
        ('invoices', 'id', 'id', true),
        ('invoices', 'customer', 'Customer', true),
        ('invoices', 'subscription', 'Subscription', true),
        ('invoices', 'currency', 'Currency', true),
        ('invoices', 'status', 'Status', true),
        ('invoices', 'date', 'Date (UTC)', true),
        ('invoices', 'due_date', 'Due Date (UTC)', false),
        ('invoices', 'finalized_at', 'Finalized At (UTC)', false),
        ('invoices', 'paid_at', 'Paid At (UTC)', false),
        ('invoices', 'voided_at', 'Voided At (UTC)', false),
        ('invoices', 'marked_uncollectible_at', 'Marked Uncollectible At (UTC)', false),
        ('invoices', 'period_start', 'Period Start (UTC)', true),
        ('invoices', 'period_end', 'Period End (UTC)', true),
        ('invoices', 'minimum_line_item_period_start', 'Minimum Line Item Period Start (UTC)', true),
        ('invoices', 'maximum_line_item_period_end', 'Maximum Line Item Period End (UTC)', true),
        ('invoices', 'subtotal', 'Subtotal', false),
        ('invoices', 'total_discount_amount', 'Total Discount Amount', false),
        ('invoices', 'tax', 'Tax', false),
        ('invoices', 'exclusive_tax_amount', 'Exclusive Tax Amount', false),
        ('invoices', 'inclusive_tax_amount', 'Inclusive Tax Amount', false),
        ('invoices', 'total', 'Total', true),
        ('invoices', 'amount_due', 'Amount Due', false),
        ('invoices', 'amount_paid', 'Amount Paid', true),
        ('invoices', 'starting_balance', 'Starting Balance', false),
        ('invoices', 'ending_balance', 'Ending Balance', false),
        ('invoices', 'tax_percent', 'Tax Percent', false),
        ('invoices', 'applied_coupons', 'Applied Coupons', false),
        ('customers', 'id', 'id', true),
        ('customers', 'name', 'Name', false),
        ('customers', 'created', 'Created (UTC)', true),
        ('customers', 'payment_count', 'Payment Count', true),
        ('customers', 'total_spend', 'Total Spend', false);
end;

comment on function pipeline.stripe_columns() is
    'Columns of Stripe''s export files that are read: one row a file and column, with the name in the code, Stripe''s name, and whether it is required.';
revoke all on function pipeline.stripe_columns() from public;
grant execute on function pipeline.stripe_columns() to pgmrr_writer;
