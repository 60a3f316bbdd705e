-- All charges: what R6 priced, the cycles that a renewal proves (R8), credits limited
-- to what they can take away, and the days on which each is in force.
--
-- One row an invoice and basis, MRR in cents a month; the columns of
-- billing.charge_cents.
--
-- R8: an export that starts in the middle of the company's life hides invoices, but a
-- renewal proves the cycle before it. The first term R of a subscription stands for an
-- implied charge over [period start, R's start), where that cycle is at least 28 days
-- long, began before the first invoice of the history, and no earlier charge of the
-- subscription covers it. Its MRR is R's, less seats that were added during that cycle.
-- Where R is a line, the other terms on its invoice that begin with it renew with it.
create or replace function pipeline.charges(p_customers text[] default null, p_batch bigint default null)
returns table (
    customer_id text,
    invoice_id text,
    subscription_id text,
    currency text,
    basis billing.charge_basis,
    is_unpaid boolean,
    is_renewal boolean,
    carries_arrears boolean,
    months integer,
    starts_on date,
    ends_on date,
    issued_at timestamptz,
    starts_at timestamptz,
    ends_at timestamptz,
    billed_until timestamptz,
    net bigint,
    amount bigint,
    mrr bigint,
    unmatched bigint
)
language sql
stable
parallel safe
begin atomic
    with priced as materialized (
        select
            p.customer_id,
            p.subscription_id,
            p.currency,
            p.invoice_id,
            p.of_invoice_id,
            p.status,
            p.issued_at,
            p.period_start,
            p.period_end,
            p.starts_at,
            p.ends_at,
            p.billed_until,
            p.net,
            p.amount,
            p.months,
            p.basis,
            p.mrr,
            p.carries_arrears,
            p.is_settled,
            p.place
        from pipeline.priced_charges(p_customers, p_batch) p
    ),
    first_term as (
        select
            p.customer_id,
            p.subscription_id,
            p.currency,
            min(p.place) as place
        from priced p
        where p.basis = 'term'
            and (select c.is_truncated from pipeline.coverage_at(p_batch) c)
            and (select s.implied_cycles from meta.setting s)
        group by p.customer_id, p.subscription_id, p.currency
    ),
    renewal as (
        select
            r.customer_id,
            r.subscription_id,
            r.currency,
            r.invoice_id,
            r.of_invoice_id,
            r.status,
            r.issued_at,
            r.period_start,
            r.starts_at,
            r.mrr,
            r.place
        from first_term f
        join priced r
            on r.customer_id = f.customer_id
            and r.subscription_id = f.subscription_id
            and r.currency = f.currency
            and r.place = f.place
        where r.period_end - r.period_start >= interval '28 days'
            and r.starts_at between r.period_end - interval '12 hours' and r.period_end + interval '12 hours'
            and r.period_start
            < (select c.first_invoice_at at time zone interval '0' from pipeline.coverage_at(p_batch) c)
    ),
    implied as materialized (
        select
            r.customer_id,
            r.subscription_id,
            r.currency,
            r.invoice_id,
            r.status,
            r.issued_at,
            r.period_start,
            r.starts_at,
            greatest(
                r.mrr
                + coalesce(
                    sum(o.mrr) filter (
                        where o.place > r.place
                            and o.of_invoice_id = r.of_invoice_id
                            and o.basis = 'term'
                            and o.starts_at between r.starts_at - interval '12 hours' and r.starts_at + interval '12 hours'
                    ),
                    0
                )
                - coalesce(
                    sum(o.mrr) filter (
                        where o.place < r.place
                            and (o.billed_until at time zone interval '0' at time zone (select s.time_zone from meta.setting s))::date
                            = (r.starts_at at time zone interval '0' at time zone (select s.time_zone from meta.setting s))::date
                    ),
                    0
                ),
                0
            )::bigint as mrr
        from renewal r
        left join priced o
            on o.customer_id = r.customer_id
            and o.subscription_id = r.subscription_id
            and o.currency = r.currency
            and o.place <> r.place
        group by
            r.customer_id, r.subscription_id, r.currency, r.invoice_id, r.status, r.issued_at, r.period_start,
            r.starts_at, r.mrr
        having not coalesce(
            bool_or(o.place < r.place and o.net >= 0 and o.starts_at <= r.period_start + interval '12 hours'), false
        )
    ),
    charge as not materialized (
        select
            p.customer_id,
            p.invoice_id,
            p.subscription_id,
            p.currency,
            p.basis,
            p.status in ('open', 'draft') as is_unpaid,
            coalesce(p.period_start < p.period_end, false) as is_renewal,
            p.carries_arrears,
            p.months,
            p.issued_at,
            p.starts_at,
            p.ends_at,
            p.billed_until,
            p.net,
            p.amount,
            p.mrr,
            p.is_settled
        from priced p
        union all
        select
            i.customer_id,
            i.invoice_id,
            i.subscription_id,
            i.currency,
            'implied'::billing.charge_basis,
            i.status in ('open', 'draft'),
            true,
            false,
            null,
            i.issued_at,
            i.period_start,
            i.starts_at,
            i.starts_at,
            null,
            null,
            i.mrr,
            false
        from implied i
    ),
    -- Subscriptions with a credit, as arrays in the order of the starts.
    credited as (
        select distinct
            p.customer_id,
            p.subscription_id,
            p.currency
        from priced p
        where p.mrr < 0
    ),
    history as (
        select
            c.customer_id,
            array_agg(c.invoice_id order by c.starts_at, c.invoice_id, c.basis) as invoice_ids,
            array_agg(c.basis order by c.starts_at, c.invoice_id, c.basis) as bases,
            array_agg(c.starts_at order by c.starts_at, c.invoice_id, c.basis) as starts,
            array_agg(c.ends_at order by c.starts_at, c.invoice_id, c.basis) as ends,
            array_agg(c.mrr order by c.starts_at, c.invoice_id, c.basis) as mrr
        from credited d
        join charge c
            on c.customer_id = d.customer_id
            and c.subscription_id = d.subscription_id
            and c.currency = d.currency
        group by c.customer_id, c.subscription_id, c.currency
    ),
    limited as materialized (
        select
            h.customer_id,
            h.invoice_ids[l.place] as invoice_id,
            h.bases[l.place] as basis,
            l.mrr
        from history h
        cross join lateral pipeline.limit_credits(h.starts, h.ends, h.mrr) l
        where h.mrr[l.place] < 0
    )
    select
        c.customer_id,
        c.invoice_id,
        c.subscription_id,
        c.currency,
        c.basis,
        c.is_unpaid,
        c.is_renewal,
        c.carries_arrears,
        c.months,
        (c.starts_at at time zone interval '0' at time zone (select s.time_zone from meta.setting s))::date,
        (c.ends_at at time zone interval '0' at time zone (select s.time_zone from meta.setting s))::date,
        c.issued_at at time zone interval '0',
        c.starts_at at time zone interval '0',
        c.ends_at at time zone interval '0',
        c.billed_until at time zone interval '0',
        c.net,
        c.amount,
        coalesce(l.mrr, c.mrr),
        case when c.is_settled then 0 else coalesce(l.mrr - c.mrr, 0) end
    from charge c
    left join limited l
        on l.customer_id = c.customer_id
        and l.invoice_id = c.invoice_id
        and l.basis = c.basis;
end;

comment on function pipeline.charges(text[], bigint) is
    'R1 to R8: the charges, one row an invoice and basis, as billing.charge_cents holds them. For some customers (NULL: all), as known after a batch (NULL: now).';
revoke all on function pipeline.charges(text[], bigint) from public;
grant execute on function pipeline.charges(text[], bigint) to pgmrr_writer;
