-- Reads the staged lines of invoices: text becomes amounts in cents and moments, each line
-- gets its key, and is held against the version that is known.
--
-- Makes the temporary table read_invoices, one row a row of the file, as
-- pipeline.read_stripe_invoices does. p_options says what the file itself does not:
-- currency (where the row has none), dates (dmy or mdy), decimal (comma, point or plain),
-- end_inclusive (the end is the last day of service).
--
-- Facts of a line: what is billed less the discount is its total. Without a column of
-- subscriptions the customer stands for the subscription; an empty one is a one-off (R2).
-- Without a status it is paid, without a date of issue it is issued at its start.
--
-- The first line of an invoice has the invoice's id as its key, the others id#2, id#3 and so
-- on, in the order of subscription, start, end, amount and line. (An id that itself ends in
-- # and a number has #1 added, so that no two keys are the same.) Without ids a digest of
-- the row's text is one, without its status, which changes: so the same file again changes
-- nothing, and read with other options it brings the same lines, changed.
--
-- An invoice's own period that does not begin before the line's service is none: a file
-- that repeats the service there would make every customer one who was there before.
--
-- An invoice is read whole or not at all: where one of its lines is rejected, all are, since
-- the others would replace the known invoice by a part of it. Reasons, besides those of
-- pipeline.read_stripe_invoices:
--
--     ambiguous amount, more than two decimals, ambiguous date, ends before it starts,
--     has the wrong sign, amount too large for its period, another line of its invoice was rejected, known from another source.
create or replace procedure pipeline.read_lines(p_options jsonb default '{}')
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
-- Hardly a row is like another: to remember what each gave takes longer than to read it.
set enable_memoize = off
as $$
declare
    v_currency text := upper(p_options ->> 'currency');
    v_dates text := p_options ->> 'dates';
    v_decimal text := p_options ->> 'decimal';
    v_end_inclusive boolean := coalesce((p_options -> 'end_inclusive')::boolean, false);
    v_zone text := (select s.time_zone from meta.setting s);
    v_columns text[] := array(
        select h.column_name
        from pg_temp.staged_header h
        where h.file_role = 'lines'
    );
    v_has_ids boolean := 'id' = any(v_columns);
begin
    create temp table read_invoices on commit drop as
    with trimmed as (
        select
            s.line_number,
            s.problem,
            nullif(trim(s.customer), '') as customer,
            nullif(trim(s.id), '') as id,
            nullif(trim(s.subscription), '') as subscription,
            upper(coalesce(nullif(trim(s.currency), ''), v_currency)) as currency,
            nullif(trim(s.status), '') as status,
            pipeline.year_first(nullif(trim(s.start), ''), v_dates) as starts,
            pipeline.year_first(nullif(trim(s."end"), ''), v_dates) as ends,
            pipeline.year_first(nullif(trim(s.issued), ''), v_dates) as issued,
            pipeline.year_first(nullif(trim(s.period_start), ''), v_dates) as period_start,
            pipeline.year_first(nullif(trim(s.period_end), ''), v_dates) as period_end,
            nullif(trim(s.amount), '') as amount,
            nullif(trim(s.discount), '') as discount,
            nullif(trim(s.tax), '') as tax,
            case
                when not v_has_ids then pg_catalog.jsonb_build_array(
                    trim(s.customer), trim(s.subscription), upper(trim(s.currency)), trim(s.start), trim(s."end"),
                    trim(s.issued), trim(s.period_start), trim(s.period_end), trim(s.amount), trim(s.discount), trim(s.tax)
                )::text
            end as content
        from raw.staged_lines s
    )
    select
        t.line_number,
        t.content,
        t.customer as customer_id,
        t.id as invoice_id,
        t.id as of_invoice_id,
        case when 'subscription' = any(v_columns) then t.subscription else t.customer end as subscription_id,
        t.currency,
        p.status,
        coalesce(p.issued_at, p.starts_at) as issued_at,
        case when not c.repeats_service then p.period_start end as period_start,
        case when not c.repeats_service then p.period_end end as period_end,
        c.repeats_service,
        p.starts_at as line_period_start,
        p.ends_at as line_period_end,
        p.amount as subtotal,
        p.discount,
        p.tax,
        p.amount - coalesce(p.discount, 0) as total,
        case
            when t.problem is not null then array[null, t.problem]
            when t.id is null and v_has_ids then array['id', 'missing value']
            when octet_length(t.id) > 255 then array['id', 'value is too long']
            when t.customer is null then array['customer', 'missing value']
            when octet_length(t.customer) > 255 then array['customer', 'value is too long']
            when octet_length(t.subscription) > 255 then array['subscription', 'value is too long']
            when t.currency is null then array['currency', 'missing value']
            when t.currency !~ '^[A-Z]{3}$' then array['currency', 'not a currency of three letters']
            when p.status is null then array['status', 'unknown status']
            when t.starts is not null and p.starts_at is null
                then array['start', pipeline.moment_problem(t.starts, v_dates)]
            when t.ends is not null and p.ends_at is null then array['end', pipeline.moment_problem(t.ends, v_dates)]
            when t.issued is not null and p.issued_at is null
                then array['issued', pipeline.moment_problem(t.issued, v_dates)]
            when t.period_start is not null and p.period_start is null
                then array['period_start', pipeline.moment_problem(t.period_start, v_dates)]
            when t.period_end is not null and p.period_end is null
                then array['period_end', pipeline.moment_problem(t.period_end, v_dates)]
            when coalesce(p.issued_at, p.starts_at) is null then array['start', 'missing value']
            when p.ends_at < p.starts_at then array['end', 'ends before it starts']
            when t.amount is null then array['amount', 'missing value']
            when p.amount is null then array['amount', pipeline.money_problem(t.amount, v_decimal)]
            when t.discount is not null and p.discount is null
                then array['discount', pipeline.money_problem(t.discount, v_decimal)]
            when t.tax is not null and p.tax is null then array['tax', pipeline.money_problem(t.tax, v_decimal)]
            when sign(p.discount) * sign(p.amount) < 0 then array['discount', 'has the wrong sign']
            when sign(p.tax) * sign(p.amount) < 0 then array['tax', 'has the wrong sign']
            when not pipeline.is_priceable(p.amount, p.starts_at, p.ends_at)
                then array['amount', 'amount too large for its period']
        end as problem
    from trimmed t
    -- Each value is parsed once: `offset 0` keeps the planner from repeating it.
    cross join lateral (
        select
            case when t.status is null then 'paid' else pipeline.invoice_status(t.status) end as status,
            pipeline.parse_moment(t.starts, v_zone) as starts_at,
            case
                when v_end_inclusive
                    then ((pipeline.parse_moment(t.ends, v_zone) at time zone v_zone)::date + 1)::timestamp
                        at time zone v_zone
                else pipeline.parse_moment(t.ends, v_zone)
            end as ends_at,
            pipeline.parse_moment(t.issued, v_zone) as issued_at,
            pipeline.parse_moment(t.period_start, v_zone) as period_start,
            pipeline.parse_moment(t.period_end, v_zone) as period_end,
            pipeline.parse_money(t.amount, v_decimal) as amount,
            pipeline.parse_money(t.discount, v_decimal) as discount,
            pipeline.parse_money(t.tax, v_decimal) as tax
        offset 0
    ) p
    cross join lateral (
        select coalesce(p.period_start >= p.starts_at and p.period_end > p.period_start, false) as repeats_service
    ) c;

    -- How many rows are rejected decides how they are best joined.
    analyze pg_temp.read_invoices;

    update pg_temp.read_invoices r
    set problem = array['id', 'another line of its invoice was rejected']
    from (
        select distinct
            b.customer_id,
            b.invoice_id
        from pg_temp.read_invoices b
        where b.problem is not null
            and b.invoice_id is not null
    ) bad
    where r.problem is null
        and r.invoice_id = bad.invoice_id
        and (bad.customer_id is null or r.customer_id = bad.customer_id);

    if not v_has_ids then
        update pg_temp.read_invoices r
        set invoice_id = 'line_' || left(
            encode(
                sha256(convert_to(r.content, 'UTF8')),
                'hex'
            ),
            24
        )
        where r.problem is null;
    end if;

    with numbered as (
        select
            r.line_number,
            r.invoice_id as id,
            row_number() over (
                partition by r.customer_id, r.invoice_id
                order by
                    r.subscription_id, r.line_period_start, r.line_period_end, r.total, r.line_number
            ) as place
        from pg_temp.read_invoices r
        where r.problem is null
    ),
    keyed as (
        select
            n.line_number,
            n.id,
            case when n.place = 1 and n.id !~ '#[0-9]+$' then n.id else n.id || '#' || n.place end as line_id
        from numbered n
    )
    update pg_temp.read_invoices r
    set invoice_id = k.line_id,
        of_invoice_id = case when v_has_ids then k.id else k.line_id end
    from keyed k
    where k.line_number = r.line_number;

    call pipeline.compare_with_known();
end;
$$;

comment on procedure pipeline.read_lines(jsonb) is
    'Reads the staged lines of invoices into the temporary table read_invoices: values, keys, what is wrong, and how each row compares with the known version.';
revoke all on procedure pipeline.read_lines(jsonb) from public;
grant execute on procedure pipeline.read_lines(jsonb) to pgmrr_writer;
