-- The current invoices as Stripe's dashboard exports them: its columns in its order, in
-- its spelling (a percentage has a point, amounts have a comma), the latest invoice first;
-- those of a minute as they stood in the file they came from.
--
-- One row an invoice with a date (UTC) from p_from through p_through (NULL: no limit).
-- `Closed` and `Forgiven` follow from the status: of an open invoice for which nobody
-- tries to collect any more, only Stripe knows. A row that was imported as a single line
-- of an invoice is an invoice of its own here.
create or replace function pipeline.stripe_invoices(p_from date default null, p_through date default null)
returns table (
    "id" text,
    "Amount Due" text,
    "Closed" text,
    "Currency" text,
    "Customer" text,
    "Date (UTC)" text,
    "Due Date (UTC)" text,
    "Ending Balance" text,
    "Forgiven" text,
    "Paid" text,
    "Paid At (UTC)" text,
    "Marked Uncollectible At (UTC)" text,
    "Voided At (UTC)" text,
    "Finalized At (UTC)" text,
    "Minimum Line Item Period Start (UTC)" text,
    "Maximum Line Item Period End (UTC)" text,
    "Period Start (UTC)" text,
    "Period End (UTC)" text,
    "Starting Balance" text,
    "Subscription" text,
    "Subtotal" text,
    "Total Discount Amount" text,
    "Applied Coupons" text,
    "Tax" text,
    "Tax Percent" text,
    "Total" text,
    "Amount Paid" text,
    "Status" text,
    "Exclusive Tax Amount" text,
    "Inclusive Tax Amount" text
)
language sql
stable
parallel safe
begin atomic
    select
        i.invoice_id,
        pipeline.stripe_amount(i.amount_due),
        upper((i.status in ('paid', 'void', 'uncollectible'))::text),
        lower(i.currency),
        i.customer_id,
        pipeline.stripe_time(i.issued_at),
        pipeline.stripe_time(i.due_at),
        pipeline.stripe_amount(i.ending_balance),
        upper((i.status = 'uncollectible')::text),
        upper((i.status = 'paid')::text),
        pipeline.stripe_time(i.paid_at),
        pipeline.stripe_time(i.uncollectible_at),
        pipeline.stripe_time(i.voided_at),
        pipeline.stripe_time(i.finalized_at),
        pipeline.stripe_time(i.line_period_start),
        pipeline.stripe_time(i.line_period_end),
        pipeline.stripe_time(i.period_start),
        pipeline.stripe_time(i.period_end),
        pipeline.stripe_amount(i.starting_balance),
        i.subscription_id,
        pipeline.stripe_amount(i.subtotal),
        pipeline.stripe_amount(i.discount),
        pipeline.stripe_text(i.coupons),
        pipeline.stripe_amount(i.tax),
        trim_scale(i.tax_percent)::text,
        pipeline.stripe_amount(i.total),
        pipeline.stripe_amount(i.amount_paid),
        i.status,
        pipeline.stripe_amount(i.exclusive_tax),
        pipeline.stripe_amount(i.inclusive_tax)
    from raw.invoice i
    where i.superseded_by is null
        and (p_from is null or i.issued_at >= p_from::timestamp at time zone 'UTC')
        and (p_through is null or i.issued_at < (p_through + 1)::timestamp at time zone 'UTC')
    order by i.issued_at desc, i.line_number, i.invoice_id desc;
end;

comment on function pipeline.stripe_invoices(date, date) is
    'The current invoices in the form of a Stripe export, one row an invoice dated (UTC) from p_from through p_through (NULL: no limit).';
revoke all on function pipeline.stripe_invoices(date, date) from public;
grant execute on function pipeline.stripe_invoices(date, date) to pgmrr_writer;
