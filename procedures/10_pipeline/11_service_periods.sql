-- Which invoices are recurring, for what service, over which period? Rules R1 to R5.
--
-- One row a counted recurring invoice of the customers in p_customers (all: NULL),
-- as known after p_batch (NULL: now). Times are UTC.
--
--   R1  paid, open and draft invoices count (setting).
--   R2  it has a subscription and a service period of positive length.
--   R3  net = total less taxes; the single tax figure where there is no other.
--   R4  the period runs from the earliest start to the latest end of its line items;
--       a renewal that also carries lines in arrears begins at its own period's end.
--       A line has a period of its own.
--   R5  months: whole months of the period, else NULL; NULL where the source states the
--       amount a month.
--
-- Where the source has lines, a row is a line, and `of_invoice_id` its invoice.
-- UTC is zone `interval '0'` here and in what follows: the same as 'UTC', but nothing has to
-- look its name up for each of many million times.
--
-- `place` is the place in the order of the subscription's charges (R6), and
-- `earlier_until` the latest end among the charges before it: where that lies in
-- the period, R7 may apply.
create or replace function pipeline.service_periods(p_customers text[] default null, p_batch bigint default null)
returns table (
    customer_id text,
    subscription_id text,
    currency text,
    invoice_id text,
    of_invoice_id text,
    status text,
    issued_at timestamp,
    period_start timestamp,
    period_end timestamp,
    starts_at timestamp,
    ends_at timestamp,
    net bigint,
    monthly bigint,
    months integer,
    carries_arrears boolean,
    place bigint,
    earlier_until timestamp
)
language sql
stable
parallel safe
begin atomic
    with counted as (
        select
            i.customer_id,
            i.subscription_id,
            i.currency,
            i.invoice_id,
            i.of_invoice_id,
            i.status,
            i.issued_at at time zone interval '0' as issued_at,
            i.period_start at time zone interval '0' as period_start,
            i.period_end at time zone interval '0' as period_end,
            i.of_invoice_id is null
                and i.line_period_start < i.period_end
                and i.period_end < i.line_period_end as carries_arrears,
            i.line_period_start at time zone interval '0' as line_period_start,
            i.line_period_end at time zone interval '0' as line_period_end,
            i.total - case
                when i.exclusive_tax is null and i.inclusive_tax is null then coalesce(i.tax, 0)
                else coalesce(i.exclusive_tax, 0) + coalesce(i.inclusive_tax, 0)
            end as net,
            i.monthly
        from raw.invoice i
        where (p_customers is null or i.customer_id = any(p_customers))
            and pipeline.is_known(i.batch_id, i.superseded_by, p_batch)
            and i.status = any((select s.counted_statuses from meta.setting s)::text[])
            and i.subscription_id is not null
            and i.line_period_start < i.line_period_end
    ),
    -- A renewal that carries arrears starts where its own period ends (R4).
    service as (
        select
            c.customer_id,
            c.subscription_id,
            c.currency,
            c.invoice_id,
            c.of_invoice_id,
            c.status,
            c.issued_at,
            c.period_start,
            c.period_end,
            case when c.carries_arrears then c.period_end else c.line_period_start end as starts_at,
            c.line_period_end as ends_at,
            c.net,
            c.monthly,
            coalesce(c.carries_arrears, false) as carries_arrears
        from counted c
    )
    select
        s.customer_id,
        s.subscription_id,
        s.currency,
        s.invoice_id,
        s.of_invoice_id,
        s.status,
        s.issued_at,
        s.period_start,
        s.period_end,
        s.starts_at,
        s.ends_at,
        s.net,
        s.monthly,
        case when s.monthly is null then pipeline.whole_months(s.starts_at, s.ends_at) end,
        s.carries_arrears,
        row_number() over in_order,
        max(s.ends_at) over in_order
    from service s
    window in_order as (
        partition by s.customer_id, s.subscription_id, s.currency
        order by s.issued_at, s.starts_at, s.invoice_id
        rows between unbounded preceding and 1 preceding
    );
end;

comment on function pipeline.service_periods(text[], bigint) is
    'R1 to R5: one row a counted recurring invoice, with its service period (UTC), net in cents, whole months, and place in its subscription. For some customers (NULL: all), as known after a batch (NULL: now).';
revoke all on function pipeline.service_periods(text[], bigint) from public;
grant execute on function pipeline.service_periods(text[], bigint) to pgmrr_writer;
