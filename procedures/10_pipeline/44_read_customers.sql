-- Reads the staged customers of any source, as pipeline.read_stripe_invoices does the
-- invoices of one. p_options says how days and amounts are written, as in pipeline.read_lines;
-- without options they are written as Stripe does.
--
-- Makes the temporary table read_customers, one row a row of the file, with `problem` and
-- `state` as there; one more reason is `not a whole number`. Columns that are not known
-- become attributes, by their own names. A customer that only invoices spoke of so far
-- is new.
create or replace procedure pipeline.read_customers(p_options jsonb default '{}')
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
-- Hardly a row is like another: to remember what each gave takes longer than to read it.
set enable_memoize = off
as $$
declare
    v_is_stripe boolean := p_options = '{}';
    v_attributes text;
    v_query text;
    v_part text[];
begin
    select format(
        'pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_object(%L::text[], array[%s]))',
        array_agg(h.header order by h.place),
        string_agg(format('s.%I::text', h.column_name), ', ' order by h.place)
    )
    into v_attributes
    from pg_temp.staged_header h
    where h.file_role = 'customers'
        and h.column_name like 'extra\_%'
    having count(*) > 0;

    v_query := $read$
        create temp table read_customers on commit drop as
        with parsed as (
            select
                s.line_number,
                p.customer_id,
                s.name,
                p.created_at,
                p.payment_count,
                p.total_spend,
                {attributes} as attributes,
                case
                    when s.problem is not null then array[null, s.problem]
                    when p.customer_id is null then array['id', 'missing value']
                    when octet_length(p.customer_id) > 255 then array['id', 'value is too long']
                    when s.created is not null and p.created_at is null
                        then array['created', case
                            when {is_stripe} then 'not a time'
                            else pipeline.moment_problem(s.created, {dates})
                        end]
                    when s.payment_count is not null and p.payment_count is null
                        then array['payment_count', 'not a whole number']
                    when s.total_spend is not null and p.total_spend is null
                        then array['total_spend', case
                            when {is_stripe} then 'not an amount'
                            else pipeline.money_problem(s.total_spend, {decimal})
                        end]
                end as problem
            from raw.staged_customers s
            cross join lateral (
                select
                    nullif(trim(s.id), '') as customer_id,
                    pipeline.parse_moment(pipeline.year_first(s.created, {dates}), {zone}) as created_at,
                    case when s.payment_count ~ '^[0-9]{1,9}$' then s.payment_count::integer end as payment_count,
                    pipeline.parse_money(s.total_spend, {decimal}) as total_spend
                offset 0
            ) p
        )
        select
            p.line_number,
            p.customer_id,
            p.name,
            p.created_at,
            p.payment_count,
            p.total_spend,
            p.attributes,
            p.problem,
            known.batch_id as known_batch_id,
            known.created_at as known_created_at,
            (p.created_at, p.payment_count) is distinct from (known.created_at, known.payment_count) as moves_kinds,
            case
                when known.is_listed is not true then 'new'
                when (p.name, p.created_at, p.payment_count, p.total_spend, p.attributes)
                    is distinct from
                    (known.name, known.created_at, known.payment_count, known.total_spend, known.attributes)
                    then 'changed'
                else 'unchanged'
            end as state
        from parsed p
        left join raw.customer known
            on known.customer_id = p.customer_id
            and known.superseded_by is null
    $read$;
    foreach v_part slice 1 in array array[
        ['{dates}', format('%L::text', p_options ->> 'dates')],
        ['{decimal}', format('%L::text', p_options ->> 'decimal')],
        ['{zone}', format('%L', case when v_is_stripe then 'UTC' else (select s.time_zone from meta.setting s) end)],
        ['{is_stripe}', v_is_stripe::text],
        ['{attributes}', coalesce(v_attributes, $none$'{}'::pg_catalog.jsonb$none$)]
    ] loop
        v_query := replace(v_query, v_part[1], v_part[2]);
    end loop;
    execute v_query;

    update pg_temp.read_customers r
    set state = 'rejected'
    where r.problem is not null;

    with repeated as (
        select
            r.customer_id,
            min(r.line_number) as first_line
        from pg_temp.read_customers r
        where r.problem is null
        group by r.customer_id
        having count(*) > 1
    )
    update pg_temp.read_customers r
    set state = 'rejected',
        problem = array['id', 'duplicate id in this file']
    from repeated d
    where r.customer_id = d.customer_id
        and r.problem is null
        and r.line_number > d.first_line;
end;
$$;

comment on procedure pipeline.read_customers(jsonb) is
    'Reads the staged customers into the temporary table read_customers: values, attributes, what is wrong, and how each row compares with the known version.';
revoke all on procedure pipeline.read_customers(jsonb) from public;
grant execute on procedure pipeline.read_customers(jsonb) to pgmrr_writer;
