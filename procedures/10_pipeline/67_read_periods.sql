-- Reads the staged periods of subscriptions, as pipeline.read_lines does lines.
--
-- A period states its amount a month. One without an end still runs: its service ends at
-- `infinity`. Its customer stands for the subscription where there is none.
--
-- Without ids a digest of customer, subscription, currency and start is the key, and a number
-- where several begin at once: so a period that has ended since, or has another amount, is
-- the same period. Of rows with the same id the first one counts.
create or replace procedure pipeline.read_periods(p_options jsonb default '{}')
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
    v_has_ids boolean := exists (
        select
        from pg_temp.staged_header h
        where h.file_role = 'periods'
            and h.column_name = 'id'
    );
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
            pipeline.year_first(nullif(nullif(trim(s."end"), ''), 'infinity'), v_dates) as ends,
            nullif(trim(s.amount), '') as amount
        from raw.staged_periods s
    )
    select
        t.line_number,
        t.customer as customer_id,
        t.id as invoice_id,
        t.id as of_invoice_id,
        coalesce(t.subscription, t.customer) as subscription_id,
        t.currency,
        p.status,
        p.starts_at as issued_at,
        p.starts_at as line_period_start,
        case when t.ends is null then 'infinity' else p.ends_at end as line_period_end,
        p.amount as total,
        p.amount as monthly,
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
            when t.starts is null then array['start', 'missing value']
            when p.starts_at is null then array['start', pipeline.moment_problem(t.starts, v_dates)]
            when t.ends is not null and p.ends_at is null then array['end', pipeline.moment_problem(t.ends, v_dates)]
            when p.ends_at < p.starts_at then array['end', 'ends before it starts']
            when t.amount is null then array['amount', 'missing value']
            when p.amount is null then array['amount', pipeline.money_problem(t.amount, v_decimal)]
        end as problem
    from trimmed t
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
            pipeline.parse_money(t.amount, v_decimal) as amount
        offset 0
    ) p;

    if v_has_ids then
        with repeated as (
            select
                r.customer_id,
                r.invoice_id,
                min(r.line_number) as first_line
            from pg_temp.read_invoices r
            where r.problem is null
            group by r.customer_id, r.invoice_id
            having count(*) > 1
        )
        update pg_temp.read_invoices r
        set problem = array['id', 'duplicate id in this file']
        from repeated d
        where r.problem is null
            and r.customer_id = d.customer_id
            and r.invoice_id = d.invoice_id
            and r.line_number > d.first_line;
    else
        with digested as (
            select
                r.line_number,
                r.line_period_end,
                r.total,
                'period_' || left(
                    encode(
                        sha256(convert_to(
                            pg_catalog.jsonb_build_array(
                                r.customer_id, r.subscription_id, r.currency, extract(epoch from r.line_period_start)
                            )::text,
                            'UTF8'
                        )),
                        'hex'
                    ),
                    24
                ) as digest
            from pg_temp.read_invoices r
            where r.problem is null
        ),
        keyed as (
            select
                d.line_number,
                d.digest || case d.place when 1 then '' else '#' || d.place end as period_id
            from (
                select
                    u.line_number,
                    u.digest,
                    row_number() over (
                        partition by u.digest
                        order by u.total, u.line_period_end, u.line_number
                    ) as place
                from digested u
            ) d
        )
        update pg_temp.read_invoices r
        set invoice_id = k.period_id,
            of_invoice_id = k.period_id
        from keyed k
        where k.line_number = r.line_number;
    end if;

    call pipeline.compare_with_known();
end;
$$;

comment on procedure pipeline.read_periods(jsonb) is
    'Reads the staged periods of subscriptions into the temporary table read_invoices: values, keys, what is wrong, and how each row compares with the known version.';
revoke all on procedure pipeline.read_periods(jsonb) from public;
grant execute on procedure pipeline.read_periods(jsonb) to pgmrr_writer;
