-- What MRR does each recurring invoice stand for? Rules R6 and R7.
--
-- One row a counted recurring invoice, MRR in cents a month, rounded half away from
-- zero; credits are negative and not yet limited. Times are UTC.
--
--   term       the period is whole months: amount / months, where amount is net and
--              what R7 adds.
--   proration  else it is the rest of a cycle: the earliest start C before its own,
--              such that [C, end) is whole months, among the invoice's period start
--              and the starts of the subscription's charges that end on the same
--              day: net, scaled from the period to the cycle, over its months.
--   days       else net by days, a month being 30.4375 of them (2,629,800 seconds).
--   listed     where the source states the amount a month, that amount.
--
-- R7 undoes what an invoice nets. Lines net nothing: each is a charge of its own, and a
-- credit is a line as well. R7 depends on the order of a subscription's charges, but concerns few of them: the
-- candidates are found as a set, and only they are walked in order.
create or replace function pipeline.priced_charges(p_customers text[] default null, p_batch bigint default null)
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
    billed_until timestamp,
    net bigint,
    amount bigint,
    months integer,
    basis billing.charge_basis,
    mrr bigint,
    carries_arrears boolean,
    is_settled boolean,
    place bigint
)
language sql
stable
parallel safe
begin atomic
    with period as materialized (
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
            s.months,
            s.carries_arrears,
            s.place,
            s.earlier_until
        from pipeline.service_periods(p_customers, p_batch) s
    ),
    -- Subscriptions in which a charge begins while an earlier one is running.
    overlapping as (
        select distinct
            p.customer_id,
            p.subscription_id,
            p.currency
        from period p
        where p.of_invoice_id is null
            and (
                (p.months is not null and p.earlier_until > p.starts_at + interval '12 hours')
                or (
                    p.net < 0
                    and p.earlier_until > p.starts_at
                    and p.period_start between p.starts_at - interval '2 hours' and p.starts_at + interval '2 hours'
                )
            )
    ),
    history as (
        select
            p.customer_id,
            array_agg(p.invoice_id order by p.place) as invoice_ids,
            array_agg(p.starts_at order by p.place) as starts,
            array_agg(p.ends_at order by p.place) as ends,
            array_agg(p.period_start order by p.place) as period_starts,
            array_agg(p.net order by p.place) as net,
            array_agg(p.months order by p.place) as months,
            array_agg(p.status = 'paid' order by p.place) as is_paid
        from overlapping o
        join period p
            on p.customer_id = o.customer_id
            and p.subscription_id = o.subscription_id
            and p.currency = o.currency
        group by p.customer_id, p.subscription_id, p.currency
    ),
    -- What R7 changes.
    walked as materialized (
        select
            h.customer_id,
            h.invoice_ids[w.place] as invoice_id,
            w.amount,
            w.months,
            w.ends_at,
            w.billed_until,
            w.is_settled
        from history h
        cross join lateral pipeline.walk_subscription(
            (select s.time_zone from meta.setting s), h.starts, h.ends, h.period_starts, h.net, h.months, h.is_paid
        ) w
        where w.is_settled
            or (w.amount, w.months, w.ends_at, w.billed_until)
            is distinct from (h.net[w.place], h.months[w.place], h.ends[w.place], h.ends[w.place])
    ),
    adjusted as not materialized (
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
            coalesce(w.ends_at, p.ends_at) as ends_at,
            coalesce(w.billed_until, p.ends_at) as billed_until,
            (
                coalesce(w.billed_until, p.ends_at) at time zone interval '0'
                at time zone (select s.time_zone from meta.setting s)
            )::date as billed_until_on,
            p.net,
            p.monthly,
            coalesce(w.amount, p.net) as amount,
            p.months as billed_months,
            coalesce(w.months, p.months) as months,
            p.carries_arrears,
            coalesce(w.is_settled, false) as is_settled,
            p.place
        from period p
        left join walked w
            on w.customer_id = p.customer_id
            and w.invoice_id = p.invoice_id
    ),
    -- Charges that are no whole terms: as billed, and after R7, which leaves the few to look at.
    odd as materialized (
        select
            a.customer_id,
            a.subscription_id,
            a.currency,
            a.invoice_id,
            a.period_start,
            a.starts_at,
            a.billed_until,
            a.billed_until_on
        from adjusted a
        where a.billed_months is null
            and a.months is null
            and a.monthly is null
    ),
    -- Where such a charge may be the rest of a cycle: the cycle's start.
    candidate_cycle as (
        select
            a.customer_id,
            a.invoice_id,
            a.period_start as cycle_start,
            a.billed_until
        from odd a
        where a.period_start < a.starts_at
        union all
        select
            a.customer_id,
            a.invoice_id,
            other.starts_at,
            a.billed_until
        from odd a
        join adjusted other
            on other.customer_id = a.customer_id
            and other.subscription_id = a.subscription_id
            and other.currency = a.currency
            and other.billed_until_on = a.billed_until_on
            and other.starts_at < a.starts_at
    ),
    cycle as (
        select
            c.customer_id,
            c.invoice_id,
            min(c.cycle_start) filter (
                where pipeline.whole_months(c.cycle_start, c.billed_until) is not null
            ) as cycle_start
        from candidate_cycle c
        group by c.customer_id, c.invoice_id
    ),
    based as (
        select
            a.customer_id,
            a.subscription_id,
            a.currency,
            a.invoice_id,
            a.of_invoice_id,
            a.status,
            a.issued_at,
            a.period_start,
            a.period_end,
            a.starts_at,
            a.ends_at,
            a.billed_until,
            a.net,
            a.monthly,
            a.amount,
            coalesce(a.months, pipeline.whole_months(c.cycle_start, a.billed_until)) as months,
            (case
                when a.monthly is not null then 'listed'
                when a.months is not null then 'term'
                when c.cycle_start is not null then 'proration'
                else 'days'
            end)::billing.charge_basis as basis,
            a.carries_arrears,
            a.is_settled,
            a.place,
            case
                when a.monthly is null then extract(epoch from a.billed_until - a.starts_at)
            end as service_seconds,
            extract(epoch from a.billed_until - c.cycle_start) as cycle_seconds
        from adjusted a
        left join cycle c
            on c.customer_id = a.customer_id
            and c.invoice_id = a.invoice_id
    )
    select
        b.customer_id,
        b.subscription_id,
        b.currency,
        b.invoice_id,
        b.of_invoice_id,
        b.status,
        b.issued_at,
        b.period_start,
        b.period_end,
        b.starts_at,
        b.ends_at,
        b.billed_until,
        b.net,
        round(b.amount)::bigint,
        b.months,
        b.basis,
        -- Rounded at six decimals of a cent first: an unused rest is a sum of
        -- fractions, and half a cent must stay half a cent.
        round(round(
            case
                when b.basis = 'listed' then b.monthly
                when b.basis = 'term' then b.amount / b.months
                when b.basis = 'proration' then b.net * b.cycle_seconds / (b.service_seconds * b.months)
                else b.net::numeric * 2629800 / b.service_seconds
            end,
            6
        ))::bigint,
        b.carries_arrears,
        b.is_settled,
        b.place
    from based b;
end;

comment on function pipeline.priced_charges(text[], bigint) is
    'R6 and R7: one row a counted recurring invoice, with basis and MRR in cents; credits not yet limited. For some customers (NULL: all), as known after a batch (NULL: now).';
revoke all on function pipeline.priced_charges(text[], bigint) from public;
grant execute on function pipeline.priced_charges(text[], bigint) to pgmrr_writer;
