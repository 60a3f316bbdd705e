-- Reads the staged invoices: text becomes amounts in cents and UTC times, and each row is
-- held against the version that is known.
--
-- Makes the temporary table read_invoices, one row a row of the file. `problem` is NULL
-- for a row that could be read, else the first column that could not (NULL: the row as a
-- whole) and one of the reasons
--
--     missing value, value is too long, not a currency of three letters, unknown status,
--     not a time, not an amount, not a percentage, duplicate id in this file,
--     too few fields, too many fields, broken quoting, not valid UTF-8,
--     contains a NUL character, line is too long.
--
-- `state` is rejected, new, changed (any content differs from the known version) or
-- unchanged. Of rows with the same id the first one counts.
--
-- A row says most things twice: service begins where the invoice's period ends, what is
-- paid is the total. Reading is what takes the time, so what a row repeats is read once.
create or replace procedure pipeline.read_stripe_invoices()
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
-- Hardly a row is like another: to remember what each gave takes longer than to read it.
set enable_memoize = off
as $$
begin
    create temp table read_invoices on commit drop as
    with parsed as (
        select
            s.line_number,
            s.customer as customer_id,
            s.id as invoice_id,
            null::text as of_invoice_id,
            s.subscription as subscription_id,
            b.currency,
            b.status,
            b.issued_at,
            p.due_at,
            b.finalized_at,
            p.paid_at,
            p.voided_at,
            p.uncollectible_at,
            p.period_start,
            p.period_end,
            p.line_period_start,
            p.line_period_end,
            p.subtotal,
            p.discount,
            b.tax,
            p.exclusive_tax,
            p.inclusive_tax,
            b.total,
            p.amount_due,
            p.amount_paid,
            p.starting_balance,
            p.ending_balance,
            p.tax_percent,
            s.applied_coupons as coupons,
            case
                when s.problem is not null then array[null, s.problem]
                when s.id is null then array['id', 'missing value']
                when octet_length(s.id) > 255 then array['id', 'value is too long']
                when s.customer is null then array['customer', 'missing value']
                when octet_length(s.customer) > 255 then array['customer', 'value is too long']
                when octet_length(s.subscription) > 255 then array['subscription', 'value is too long']
                when s.currency is null then array['currency', 'missing value']
                when b.currency <> all(pipeline.usual_spellings('currency')) and b.currency !~ '^[A-Z]{3}$'
                    then array['currency', 'not a currency of three letters']
                when s.status is null then array['status', 'missing value']
                when b.status not in ('paid', 'open', 'draft', 'void', 'uncollectible')
                    then array['status', 'unknown status']
                when s.date is null then array['date', 'missing value']
                when b.issued_at is null then array['date', 'not a time']
                when s.due_date is not null and p.due_at is null then array['due_date', 'not a time']
                when s.finalized_at is not null and b.finalized_at is null then array['finalized_at', 'not a time']
                when s.paid_at is not null and p.paid_at is null then array['paid_at', 'not a time']
                when s.voided_at is not null and p.voided_at is null then array['voided_at', 'not a time']
                when s.marked_uncollectible_at is not null and p.uncollectible_at is null
                    then array['marked_uncollectible_at', 'not a time']
                when s.period_start is not null and p.period_start is null then array['period_start', 'not a time']
                when s.period_end is not null and p.period_end is null then array['period_end', 'not a time']
                when s.minimum_line_item_period_start is not null and p.line_period_start is null
                    then array['minimum_line_item_period_start', 'not a time']
                when s.maximum_line_item_period_end is not null and p.line_period_end is null
                    then array['maximum_line_item_period_end', 'not a time']
                when s.total is null then array['total', 'missing value']
                when b.total is null then array['total', 'not an amount']
                when s.subtotal is not null and p.subtotal is null then array['subtotal', 'not an amount']
                when s.total_discount_amount is not null and p.discount is null
                    then array['total_discount_amount', 'not an amount']
                when s.tax is not null and b.tax is null then array['tax', 'not an amount']
                when s.exclusive_tax_amount is not null and p.exclusive_tax is null
                    then array['exclusive_tax_amount', 'not an amount']
                when s.inclusive_tax_amount is not null and p.inclusive_tax is null
                    then array['inclusive_tax_amount', 'not an amount']
                when s.amount_due is not null and p.amount_due is null then array['amount_due', 'not an amount']
                when s.amount_paid is not null and p.amount_paid is null then array['amount_paid', 'not an amount']
                when s.starting_balance is not null and p.starting_balance is null
                    then array['starting_balance', 'not an amount']
                when s.ending_balance is not null and p.ending_balance is null
                    then array['ending_balance', 'not an amount']
                when s.tax_percent is not null and p.tax_percent is null then array['tax_percent', 'not a percentage']
                when not pipeline.is_priceable(b.total, p.line_period_start, p.line_period_end)
                    then array['total', 'amount too large for its period']
            end as problem
        from pg_temp.staged_invoices s
        -- Each value is parsed once: `offset 0` keeps the planner from repeating it.
        cross join lateral (
            select
                upper(s.currency) as currency,
                lower(s.status) as status,
                pipeline.parse_time(s.date) as issued_at,
                pipeline.parse_time(s.finalized_at) as finalized_at,
                case when s.period_end = s.date then null else pipeline.parse_time(s.period_end) end as other_period_end,
                pipeline.parse_amount(s.tax) as tax,
                pipeline.parse_amount(s.total) as total
            offset 0
        ) b
        cross join lateral (
            select
                pipeline.parse_time(s.due_date) as due_at,
                case when s.paid_at = s.finalized_at then b.finalized_at else pipeline.parse_time(s.paid_at) end as paid_at,
                pipeline.parse_time(s.voided_at) as voided_at,
                pipeline.parse_time(s.marked_uncollectible_at) as uncollectible_at,
                pipeline.parse_time(s.period_start) as period_start,
                case when s.period_end = s.date then b.issued_at else b.other_period_end end as period_end,
                case s.minimum_line_item_period_start
                    when s.date then b.issued_at
                    when s.period_end then b.other_period_end
                    else pipeline.parse_time(s.minimum_line_item_period_start)
                end as line_period_start,
                pipeline.parse_time(s.maximum_line_item_period_end) as line_period_end,
                case when s.subtotal = s.total then b.total else pipeline.parse_amount(s.subtotal) end as subtotal,
                pipeline.parse_amount(s.total_discount_amount) as discount,
                case
                    when s.exclusive_tax_amount = s.tax then b.tax
                    else pipeline.parse_amount(s.exclusive_tax_amount)
                end as exclusive_tax,
                case
                    when s.inclusive_tax_amount = s.tax then b.tax
                    else pipeline.parse_amount(s.inclusive_tax_amount)
                end as inclusive_tax,
                case when s.amount_due = s.total then b.total else pipeline.parse_amount(s.amount_due) end as amount_due,
                case when s.amount_paid = s.total then b.total else pipeline.parse_amount(s.amount_paid) end as amount_paid,
                pipeline.parse_amount(s.starting_balance) as starting_balance,
                pipeline.parse_amount(s.ending_balance) as ending_balance,
                case
                    when s.tax_percent = any(pipeline.usual_spellings('percent')) then s.tax_percent::numeric
                    when s.tax_percent ~ '^[0-9]{1,3}([.,][0-9]{1,6})?$' then replace(s.tax_percent, ',', '.')::numeric
                end as tax_percent
            offset 0
        ) p
    )
    -- What every later step asks for comes first: it is the faster to reach.
    select
        case
            when known.batch_id is null then 'new'
            when (
                p.subscription_id, p.currency, p.status, p.issued_at, p.due_at, p.finalized_at, p.paid_at,
                p.voided_at, p.uncollectible_at, p.period_start, p.period_end, p.line_period_start,
                p.line_period_end, p.subtotal, p.discount, p.tax, p.exclusive_tax, p.inclusive_tax, p.total,
                p.amount_due, p.amount_paid, p.starting_balance, p.ending_balance, p.tax_percent, p.coupons
            ) is distinct from (
                known.subscription_id, known.currency, known.status, known.issued_at, known.due_at,
                known.finalized_at, known.paid_at, known.voided_at, known.uncollectible_at, known.period_start,
                known.period_end, known.line_period_start, known.line_period_end, known.subtotal, known.discount,
                known.tax, known.exclusive_tax, known.inclusive_tax, known.total, known.amount_due,
                known.amount_paid, known.starting_balance, known.ending_balance, known.tax_percent, known.coupons
            )
                then 'changed'
            else 'unchanged'
        end as state,
        p.problem,
        p.line_number,
        known.batch_id as known_batch_id,
        p.customer_id,
        p.invoice_id,
        p.of_invoice_id,
        p.subscription_id,
        p.currency,
        p.status,
        p.issued_at,
        p.due_at,
        p.finalized_at,
        p.paid_at,
        p.voided_at,
        p.uncollectible_at,
        p.period_start,
        p.period_end,
        p.line_period_start,
        p.line_period_end,
        p.subtotal,
        p.discount,
        p.tax,
        p.exclusive_tax,
        p.inclusive_tax,
        p.total,
        null::bigint as monthly,
        p.amount_due,
        p.amount_paid,
        p.starting_balance,
        p.ending_balance,
        p.tax_percent,
        p.coupons
    from parsed p
    left join raw.invoice known
        on known.customer_id = p.customer_id
        and known.invoice_id = p.invoice_id
        and known.superseded_by is null;

    update pg_temp.read_invoices r
    set state = 'rejected'
    where r.problem is not null;

    -- Ids are many and long, and hardly one is there twice: their hashes tell which could be.
    with suspect as materialized (
        select h.hash
        from (
            select pg_catalog.hashtextextended(r.invoice_id, 0) as hash
            from pg_temp.read_invoices r
            where r.state <> 'rejected'
        ) h
        group by h.hash
        having count(*) > 1
    ),
    repeated as (
        select
            r.invoice_id,
            min(r.line_number) as first_line
        from pg_temp.read_invoices r
        where r.state <> 'rejected'
            and pg_catalog.hashtextextended(r.invoice_id, 0) in (select u.hash from suspect u)
        group by r.invoice_id
        having count(*) > 1
    )
    update pg_temp.read_invoices r
    set state = 'rejected',
        problem = array['id', 'duplicate id in this file']
    from repeated d
    where r.invoice_id = d.invoice_id
        and r.state <> 'rejected'
        and r.line_number > d.first_line;
end;
$$;

comment on procedure pipeline.read_stripe_invoices() is
    'Reads the staged invoices into the temporary table read_invoices: values, what is wrong, and how each row compares with the known version.';
revoke all on procedure pipeline.read_stripe_invoices() from public;
grant execute on procedure pipeline.read_stripe_invoices() to pgmrr_writer;
