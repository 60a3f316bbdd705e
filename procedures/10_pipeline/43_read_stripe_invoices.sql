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
-- paid is the total. Reading is what takes the time, so what a row repeats is read once,
-- and all processes that may help do. So that they can, each step is a subquery of the
-- next, and its fence a constant: the planner takes `offset 0`, whose 0 is to become a bigint,
-- for one that may cut rows off, and what is lateral for the leader's.
--
-- Rows stand in the order of the key of the facts, in which they are stored.
create or replace procedure pipeline.read_stripe_invoices()
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
-- Hardly a row is like another: to remember what each gave takes longer than to read it.
set enable_memoize = off
set enable_hashagg = off
as $$
begin
    create temp table read_invoices on commit drop as
    -- Each value is parsed once: the offset keeps the planner from repeating it.
    with once as (
        select
            s.*,
            upper(s.currency) as currency_code,
            lower(s.status) as status_word,
            pipeline.parse_time(s.date) as issued_at,
            pipeline.parse_time(s.finalized_at) as finalized,
            case when s.period_end = s.date then null else pipeline.parse_time(s.period_end) end as other_period_end,
            pipeline.parse_amount(s.tax) as tax_cents,
            pipeline.parse_amount(s.total) as total_cents
        from raw.staged_invoices s
        offset bigint '0'
    ),
    parsed as (
        select
            o.*,
            pipeline.parse_time(o.due_date) as due_at,
            case when o.paid_at = o.finalized_at then o.finalized else pipeline.parse_time(o.paid_at) end as paid,
            pipeline.parse_time(o.voided_at) as voided,
            pipeline.parse_time(o.marked_uncollectible_at) as uncollectible_at,
            pipeline.parse_time(o.period_start) as period_starts_at,
            case when o.period_end = o.date then o.issued_at else o.other_period_end end as period_ends_at,
            case o.minimum_line_item_period_start
                when o.date then o.issued_at
                when o.period_end then o.other_period_end
                else pipeline.parse_time(o.minimum_line_item_period_start)
            end as line_starts_at,
            pipeline.parse_time(o.maximum_line_item_period_end) as line_ends_at,
            case when o.subtotal = o.total then o.total_cents else pipeline.parse_amount(o.subtotal) end as subtotal_cents,
            pipeline.parse_amount(o.total_discount_amount) as discount_cents,
            case
                when o.exclusive_tax_amount = o.tax then o.tax_cents
                else pipeline.parse_amount(o.exclusive_tax_amount)
            end as exclusive_tax_cents,
            case
                when o.inclusive_tax_amount = o.tax then o.tax_cents
                else pipeline.parse_amount(o.inclusive_tax_amount)
            end as inclusive_tax_cents,
            case when o.amount_due = o.total then o.total_cents else pipeline.parse_amount(o.amount_due) end as due_cents,
            case when o.amount_paid = o.total then o.total_cents else pipeline.parse_amount(o.amount_paid) end as paid_cents,
            pipeline.parse_amount(o.starting_balance) as starting_cents,
            pipeline.parse_amount(o.ending_balance) as ending_cents,
            case
                when o.tax_percent = any(pipeline.usual_spellings('percent')) then o.tax_percent::numeric
                when o.tax_percent ~ '^[0-9]{1,3}([.,][0-9]{1,6})?$' then replace(o.tax_percent, ',', '.')::numeric
            end as percent
        from once o
        offset bigint '0'
    ),
    judged as (
        select
            p.line_number,
            p.customer as customer_id,
            p.id as invoice_id,
            p.subscription as subscription_id,
            p.currency_code as currency,
            p.status_word as status,
            p.issued_at,
            p.due_at,
            p.finalized as finalized_at,
            p.paid as paid_at,
            p.voided as voided_at,
            p.uncollectible_at,
            p.period_starts_at as period_start,
            p.period_ends_at as period_end,
            p.line_starts_at as line_period_start,
            p.line_ends_at as line_period_end,
            p.subtotal_cents as subtotal,
            p.discount_cents as discount,
            p.tax_cents as tax,
            p.exclusive_tax_cents as exclusive_tax,
            p.inclusive_tax_cents as inclusive_tax,
            p.total_cents as total,
            p.due_cents as amount_due,
            p.paid_cents as amount_paid,
            p.starting_cents as starting_balance,
            p.ending_cents as ending_balance,
            p.percent as tax_percent,
            p.applied_coupons as coupons,
            case
                when p.problem is not null then array[null, p.problem]
                when p.id is null then array['id', 'missing value']
                when octet_length(p.id) > 255 then array['id', 'value is too long']
                when p.customer is null then array['customer', 'missing value']
                when octet_length(p.customer) > 255 then array['customer', 'value is too long']
                when octet_length(p.subscription) > 255 then array['subscription', 'value is too long']
                when p.currency is null then array['currency', 'missing value']
                when p.currency_code <> all(pipeline.usual_spellings('currency')) and p.currency_code !~ '^[A-Z]{3}$'
                    then array['currency', 'not a currency of three letters']
                when p.status is null then array['status', 'missing value']
                when p.status_word not in ('paid', 'open', 'draft', 'void', 'uncollectible')
                    then array['status', 'unknown status']
                when p.date is null then array['date', 'missing value']
                when p.issued_at is null then array['date', 'not a time']
                when p.due_date is not null and p.due_at is null then array['due_date', 'not a time']
                when p.finalized_at is not null and p.finalized is null then array['finalized_at', 'not a time']
                when p.paid_at is not null and p.paid is null then array['paid_at', 'not a time']
                when p.voided_at is not null and p.voided is null then array['voided_at', 'not a time']
                when p.marked_uncollectible_at is not null and p.uncollectible_at is null
                    then array['marked_uncollectible_at', 'not a time']
                when p.period_start is not null and p.period_starts_at is null then array['period_start', 'not a time']
                when p.period_end is not null and p.period_ends_at is null then array['period_end', 'not a time']
                when p.minimum_line_item_period_start is not null and p.line_starts_at is null
                    then array['minimum_line_item_period_start', 'not a time']
                when p.maximum_line_item_period_end is not null and p.line_ends_at is null
                    then array['maximum_line_item_period_end', 'not a time']
                when p.total is null then array['total', 'missing value']
                when p.total_cents is null then array['total', 'not an amount']
                when p.subtotal is not null and p.subtotal_cents is null then array['subtotal', 'not an amount']
                when p.total_discount_amount is not null and p.discount_cents is null
                    then array['total_discount_amount', 'not an amount']
                when p.tax is not null and p.tax_cents is null then array['tax', 'not an amount']
                when p.exclusive_tax_amount is not null and p.exclusive_tax_cents is null
                    then array['exclusive_tax_amount', 'not an amount']
                when p.inclusive_tax_amount is not null and p.inclusive_tax_cents is null
                    then array['inclusive_tax_amount', 'not an amount']
                when p.amount_due is not null and p.due_cents is null then array['amount_due', 'not an amount']
                when p.amount_paid is not null and p.paid_cents is null then array['amount_paid', 'not an amount']
                when p.starting_balance is not null and p.starting_cents is null
                    then array['starting_balance', 'not an amount']
                when p.ending_balance is not null and p.ending_cents is null
                    then array['ending_balance', 'not an amount']
                when p.tax_percent is not null and p.percent is null then array['tax_percent', 'not a percentage']
                when not pipeline.is_priceable(p.total_cents, p.line_starts_at, p.line_ends_at)
                    then array['total', 'amount too large for its period']
            end as problem
        from parsed p
        offset bigint '0'
    )
    -- What every later step asks for comes first: it is the faster to reach.
    select
        case
            when j.problem is not null then 'rejected'
            when known.batch_id is null then 'new'
            when (
                j.subscription_id, j.currency, j.status, j.issued_at, j.due_at, j.finalized_at, j.paid_at,
                j.voided_at, j.uncollectible_at, j.period_start, j.period_end, j.line_period_start,
                j.line_period_end, j.subtotal, j.discount, j.tax, j.exclusive_tax, j.inclusive_tax, j.total,
                j.amount_due, j.amount_paid, j.starting_balance, j.ending_balance, j.tax_percent, j.coupons
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
        j.problem,
        j.line_number,
        known.batch_id as known_batch_id,
        j.customer_id,
        j.invoice_id,
        null::text as of_invoice_id,
        j.subscription_id,
        j.currency,
        j.status,
        j.issued_at,
        j.due_at,
        j.finalized_at,
        j.paid_at,
        j.voided_at,
        j.uncollectible_at,
        j.period_start,
        j.period_end,
        j.line_period_start,
        j.line_period_end,
        j.subtotal,
        j.discount,
        j.tax,
        j.exclusive_tax,
        j.inclusive_tax,
        j.total,
        null::bigint as monthly,
        j.amount_due,
        j.amount_paid,
        j.starting_balance,
        j.ending_balance,
        j.tax_percent,
        j.coupons
    from judged j
    left join raw.invoice known
        on known.customer_id = j.customer_id
        and known.invoice_id = j.invoice_id
        and known.superseded_by is null
    order by j.customer_id, j.invoice_id;

    -- Ids are many and long, and hardly one is there twice: their hashes, sorted, tell which could be.
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
