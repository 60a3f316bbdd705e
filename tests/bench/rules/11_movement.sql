-- How does each customer's MRR change, and why? Rules R9 and R10.
--
-- One row a customer, currency and day on which the balance, or its unpaid part,
-- changes; the columns of ledger.movement_cents, in cents a month.
--
-- Days on which what ends and what begins cancel out change no balance: most renewals
-- do, and they leave before anything is put in order.
create or replace table movement as
with event as (
    select
        c.customer_id,
        c.currency,
        unnest([c.starts_on, c.ends_on]) as effective_on,
        unnest([c.mrr, - c.mrr]) as change,
        unnest(case when c.is_unpaid then [c.mrr, - c.mrr] else [0, 0] end) as unpaid_change
    from charge c
    where c.starts_on < c.ends_on
),
daily as (
    select
        e.customer_id,
        e.currency,
        e.effective_on,
        sum(e.change)::bigint as change,
        sum(e.unpaid_change)::bigint as unpaid_change
    from event e
    where isfinite(e.effective_on)
    group by e.customer_id, e.currency, e.effective_on
    having sum(e.change) <> 0
        or sum(e.unpaid_change) <> 0
),
running as (
    select
        d.*,
        sum(d.change) over in_order as in_force,
        sum(d.unpaid_change) over in_order as unpaid_in_force
    from daily d
    window in_order as (partition by d.customer_id, d.currency order by d.effective_on)
),
-- The balance after the day, and before it: without the day's own change.
balanced as (
    select
        r.customer_id,
        r.currency,
        r.effective_on,
        greatest(r.in_force, 0)::bigint as balance,
        greatest(r.in_force - r.change, 0)::bigint as balance_before,
        greatest(least(r.unpaid_in_force, r.in_force), 0)::bigint as unpaid,
        greatest(least(r.unpaid_in_force - r.unpaid_change, r.in_force - r.change), 0)::bigint as unpaid_before
    from running r
),
-- In how many currencies the customer is active after the day, and before it; and the
-- first day on which it is active at all.
judged as materialized (
    select
        b.customer_id,
        b.currency,
        b.effective_on,
        b.balance,
        b.balance - b.balance_before as change,
        b.unpaid - b.unpaid_before as unpaid_change,
        sum((b.balance > 0)::integer - (b.balance_before > 0)::integer) over by_day as active_after,
        coalesce(
            sum((b.balance > 0)::integer - (b.balance_before > 0)::integer) over (
                by_day groups between unbounded preceding and 1 preceding
            ),
            0
        ) as active_before,
        row_number() over (partition by b.customer_id order by b.effective_on, b.currency)
        = rank() over by_day as is_first_of_day,
        min(b.effective_on) filter (where b.balance > 0) over (partition by b.customer_id) as first_active_on
    from balanced b
    where b.balance <> b.balance_before
        or b.unpaid <> b.unpaid_before
    window by_day as (partition by b.customer_id order by b.effective_on)
),
-- How customers begin whose earlier life the export may hide.
beginning as (
    select
        j.customer_id,
        j.first_active_on,
        -- Implied charges first, then in the order of R6, even one shorter than a day.
        arg_min(
            c.is_renewal, {'a': c.basis <> 'implied', 'b': c.issued_at, 'c': c.starts_at, 'd': c.invoice_id}
        ) filter (where c.starts_on = j.first_active_on and c.mrr > 0) as begins_with_renewal,
        bool_or(coalesce(c.net = 0, false) and c.starts_on < j.first_active_on) as had_free_plan
    from judged j
    join charge c
        on c.customer_id = j.customer_id
        and c.starts_on <= j.first_active_on
    where j.effective_on = j.first_active_on
        and j.is_first_of_day
        and getvariable('is_truncated')
    group by j.customer_id, j.first_active_on
),
payment as (
    select
        i.customer_id,
        count(distinct coalesce(i.of_invoice_id, i.invoice_id)) as invoices
    from invoice i
    where i.amount_paid > 0
        and getvariable('is_truncated')
    group by i.customer_id
),
begun as (
    select
        b.customer_id,
        case
            when b.first_active_on < getvariable('observed_from') then 'preexisting'
            when b.begins_with_renewal and not b.had_free_plan then 'preexisting'
            when day_of(u.created_at) < getvariable('observed_from')
                and u.payment_count > coalesce(p.invoices, 0)
                then 'reactivation'
            else 'new'
        end as kind
    from beginning b
    left join customer u
        on u.customer_id = b.customer_id
    left join payment p
        on p.customer_id = b.customer_id
)
select
    j.customer_id,
    j.currency,
    j.effective_on,
    case
        when j.change = 0 then 'unpaid'
        when j.active_before = 0 and j.effective_on > j.first_active_on then 'reactivation'
        when j.active_before = 0 then coalesce(b.kind, 'new')
        when j.active_after = 0 then 'churn'
        when abs(j.change) <= getvariable('rounding_tolerance_cents') then 'rounding'
        when j.change > 0 then 'expansion'
        else 'contraction'
    end::movement_kind as kind,
    case
        when not j.is_first_of_day then 0
        when j.active_before = 0 and j.active_after > 0 then 1
        when j.active_before > 0 and j.active_after = 0 then -1
        else 0
    end::smallint as customers,
    j.change,
    j.balance,
    j.unpaid_change
from judged j
left join begun b
    on b.customer_id = j.customer_id;
