-- Which invoices are recurring, for what service, over which period? Rules R1 to R5.
--
-- A row is a counted recurring invoice, or a line of one where the source has lines;
-- `row` is its row of the table `invoice`. A view: it costs little to compute, and each
-- step reads few of its columns.
create or replace temp view period as
with counted as (
    select
        i.rowid as row,
        i.customer_id,
        i.subscription_id,
        i.currency,
        i.invoice_id,
        i.of_invoice_id,
        i.status,
        i.issued_at,
        i.period_start,
        i.period_end,
        coalesce(
            i.of_invoice_id is null and i.line_period_start < i.period_end and i.period_end < i.line_period_end, false
        ) as carries_arrears,
        i.line_period_start,
        i.line_period_end as ends_at,
        i.total - case
            when i.exclusive_tax is null and i.inclusive_tax is null then coalesce(i.tax, 0)
            else coalesce(i.exclusive_tax, 0) + coalesce(i.inclusive_tax, 0)
        end as net,
        i.monthly
    from invoice i
    where list_contains(getvariable('counted_statuses'), i.status)
        and i.subscription_id is not null
        and i.line_period_start < i.line_period_end
),
-- A renewal that carries arrears starts where its own period ends (R4).
service as (
    select
        c.* exclude (line_period_start),
        case when c.carries_arrears then c.period_end else c.line_period_start end as starts_at
    from counted c
),
measured as (
    select
        s.*,
        case when s.monthly is null then whole_months(s.starts_at, s.ends_at) end as months
    from service s
)
-- Lines undo nothing (R7): an invoice alone may restart or swap.
select
    m.*,
    m.months is not null and m.of_invoice_id is null as may_restart,
    m.net < 0
        and m.of_invoice_id is null
        and m.monthly is null
        and coalesce(abs(microseconds(m.period_start, m.starts_at)) <= hours(2), false) as may_swap
from measured m;
