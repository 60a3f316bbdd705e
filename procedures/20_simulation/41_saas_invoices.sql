-- Which invoices does the richer company write, and what has become of them by the end?
--
-- One row an invoice: its lines, the tax, and the customer's credit balance. A negative
-- invoice becomes credit, which pays the next ones; the balance after the n-th invoice is
-- the highest sum of totals so far (at least 0) less their sum. Renewals are drafts for
-- an hour. One payment in sixteen is late by up to three weeks; those that never come are
-- voided or written off two to four weeks later, half each. Amounts in cents, times in UTC.
create or replace function simulation.saas_invoices(
    p_companies bigint,
    p_months bigint,
    p_seed bigint,
    p_start date,
    p_unseen bigint
)
returns table (
    customer_id text,
    invoice_id text,
    subscription_id text,
    currency text,
    status text,
    issued_at timestamp,
    finalized_at timestamp,
    paid_at timestamp,
    given_up_at timestamp,
    period_start timestamp,
    line_period_start timestamp,
    line_period_end timestamp,
    subtotal bigint,
    discount bigint,
    exclusive_tax bigint,
    inclusive_tax bigint,
    total bigint,
    amount_due bigint,
    amount_paid bigint,
    starting_balance bigint,
    ending_balance bigint,
    tax_percent bigint
)
language sql
immutable
parallel safe
begin atomic
    with invoice as (
        select
            l.customer_id,
            l.track,
            l.phase,
            l.cycle,
            l.step,
            l.subscription,
            l.currency,
            l.taxation,
            l.tax_percent,
            l.issued_at,
            -- A line of an earlier cycle may stand on the bill: the bill's own decide.
            coalesce(max(l.stream) filter (where l.what = 'bill'), max(l.stream)) as stream,
            bool_or(l.fails) as fails,
            max(l.given_up_at) as given_up_at,
            min(l.period_start) as period_start,
            min(l.starts_at) as starts_at,
            max(l.ends_at) as ends_at,
            sum(l.amount)::bigint as subtotal,
            sum(l.discount)::bigint as discount
        from simulation.saas_lines(p_companies, p_months, p_seed, p_start, p_unseen) l
        group by
            l.customer_id, l.track, l.phase, l.cycle, l.step, l.subscription, l.currency, l.taxation, l.tax_percent,
            l.issued_at
    ),
    taxed as (
        select
            i.customer_id,
            'in_' || substr(i.customer_id, 5) || '_' || i.track::text || lpad(i.phase::text, 2, '0')
                || lpad(i.cycle::text, 3, '0') || i.step::text as invoice_id,
            'sub_' || substr(i.customer_id, 5) || '_' || i.track::text || lpad(i.subscription::text, 2, '0') as subscription_id,
            i.currency,
            i.tax_percent,
            i.issued_at,
            i.stream,
            i.fails,
            i.given_up_at,
            i.period_start,
            i.starts_at,
            i.ends_at,
            i.subtotal,
            i.discount,
            t.exclusive_tax,
            i.subtotal - i.discount - simulation.saas_net(i.subtotal - i.discount, i.taxation, i.tax_percent)
                as inclusive_tax,
            i.subtotal - i.discount + t.exclusive_tax as total,
            i.issued_at + case when i.cycle > 0 and i.step = 0 then interval '1 hour' else interval '0' end as finalized_at
        from invoice i
        cross join lateral (
            select case i.taxation
                when 'exclusive' then round((i.subtotal - i.discount) * i.tax_percent * 0.01)::bigint
                else 0
            end as exclusive_tax
        ) t
    ),
    summed as (
        select
            t.customer_id,
            t.invoice_id,
            t.subscription_id,
            t.currency,
            t.tax_percent,
            t.issued_at,
            t.finalized_at,
            t.stream,
            t.fails,
            t.given_up_at,
            t.period_start,
            t.starts_at,
            t.ends_at,
            t.subtotal,
            t.discount,
            t.exclusive_tax,
            t.inclusive_tax,
            t.total,
            h.until,
            sum(case when t.finalized_at < h.until then t.total else 0 end) over so_far as sum_after
        from taxed t
        cross join (select (p_start + make_interval(months => p_months::integer))::timestamp as until) h
        window so_far as (partition by t.customer_id, t.currency order by t.issued_at, t.invoice_id)
    ),
    balanced as (
        select
            s.customer_id,
            s.invoice_id,
            s.subscription_id,
            s.currency,
            s.tax_percent,
            s.issued_at,
            s.finalized_at,
            s.stream,
            s.fails,
            s.given_up_at,
            s.period_start,
            s.starts_at,
            s.ends_at,
            s.subtotal,
            s.discount,
            s.exclusive_tax,
            s.inclusive_tax,
            s.total,
            s.until,
            (greatest(max(s.sum_after) over so_far, 0) - s.sum_after)::bigint as credit
        from summed s
        window so_far as (partition by s.customer_id, s.currency order by s.issued_at, s.invoice_id)
    ),
    due as (
        select
            b.customer_id,
            b.invoice_id,
            b.subscription_id,
            b.currency,
            b.tax_percent,
            b.issued_at,
            b.finalized_at,
            b.stream,
            b.fails,
            b.given_up_at,
            b.period_start,
            b.starts_at,
            b.ends_at,
            b.subtotal,
            b.discount,
            b.exclusive_tax,
            b.inclusive_tax,
            b.total,
            b.until,
            b.credit,
            lag(b.credit, 1, 0::bigint) over so_far as credit_before,
            greatest(b.total - lag(b.credit, 1, 0::bigint) over so_far, 0) as amount_due
        from balanced b
        window so_far as (partition by b.customer_id, b.currency order by b.issued_at, b.invoice_id)
    ),
    settled as (
        select
            d.customer_id,
            d.invoice_id,
            d.subscription_id,
            d.currency,
            d.tax_percent,
            d.issued_at,
            d.finalized_at,
            d.stream,
            d.fails,
            d.given_up_at,
            d.period_start,
            d.starts_at,
            d.ends_at,
            d.subtotal,
            d.discount,
            d.exclusive_tax,
            d.inclusive_tax,
            d.total,
            d.until,
            d.credit,
            d.credit_before,
            d.amount_due,
            d.finalized_at + case
                when d.amount_due > 0 and simulation.random_integer(d.stream, 1, 16) = 0
                    then interval '1 second' * (86400 + simulation.random_integer(d.stream, 2, 20 * 86400))
                else interval '0'
            end as paid_at
        from due d
    ),
    final as (
        select
            s.customer_id,
            s.invoice_id,
            s.subscription_id,
            s.currency,
            s.tax_percent,
            s.issued_at,
            s.finalized_at,
            s.stream,
            s.fails,
            s.given_up_at,
            s.period_start,
            s.starts_at,
            s.ends_at,
            s.subtotal,
            s.discount,
            s.exclusive_tax,
            s.inclusive_tax,
            s.total,
            s.credit,
            s.credit_before,
            s.amount_due,
            s.paid_at,
            case
                when s.finalized_at >= s.until then 'draft'
                when s.given_up_at is not null
                    then case simulation.random_integer(s.stream, 3, 2) when 0 then 'void' else 'uncollectible' end
                when s.fails or s.paid_at >= s.until then 'open'
                else 'paid'
            end as status
        from settled s
    )
    select
        f.customer_id,
        f.invoice_id,
        f.subscription_id,
        f.currency,
        f.status,
        f.issued_at,
        case when f.status <> 'draft' then f.finalized_at end,
        case when f.status = 'paid' then f.paid_at end,
        f.given_up_at,
        f.period_start,
        f.starts_at,
        f.ends_at,
        f.subtotal,
        f.discount,
        f.exclusive_tax,
        f.inclusive_tax,
        f.total,
        f.amount_due,
        case when f.status = 'paid' then f.amount_due else 0 end,
        - f.credit_before,
        case when f.status <> 'draft' then - f.credit end,
        f.tax_percent
    from final f;
end;

comment on function simulation.saas_invoices(bigint, bigint, bigint, date, bigint) is
    'Invoices of the richer company as they stand when the simulation ends: one row an invoice, amounts in cents, times in UTC.';
revoke all on function simulation.saas_invoices(bigint, bigint, bigint, date, bigint) from public;
grant execute on function simulation.saas_invoices(bigint, bigint, bigint, date, bigint) to pgmrr_writer;
