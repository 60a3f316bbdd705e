-- How does each customer's MRR change, and why? Rules R9 and R10.
--
-- One row a customer, currency and day on which the balance, or its unpaid part,
-- changes; the columns of ledger.movement_cents, in cents a month. Reads the stored
-- charges; for a past batch (p_batch not NULL), those that the rules make of the
-- versions known then.
--
-- R9: a balance is the sum of the charges in force, never below zero. Its unpaid part
-- is the sum of those from open invoices and drafts, between zero and the balance.
--
-- R10 judges the customer over all currencies. Coming from nothing for the first time
-- is `preexisting` in a truncated history where the day lies before coverage, or the
-- charge that begins it belongs to a renewal and no free plan came before; it is
-- `reactivation` where the customer paid before the export began; else it is `new`.
create or replace function pipeline.movements(p_customers text[] default null, p_batch bigint default null)
returns table (
    customer_id text,
    currency text,
    effective_on date,
    kind ledger.movement_kind,
    customers smallint,
    change bigint,
    balance bigint,
    unpaid_change bigint
)
language sql
stable
parallel safe
begin atomic
    with charge as not materialized (
        select
            c.customer_id,
            c.invoice_id,
            c.currency,
            c.basis,
            c.is_unpaid,
            c.is_renewal,
            c.starts_on,
            c.ends_on,
            c.issued_at,
            c.starts_at,
            c.net,
            c.mrr
        from billing.charge_cents c
        where p_batch is null
            and (p_customers is null or c.customer_id = any(p_customers))
        union all
        select
            c.customer_id,
            c.invoice_id,
            c.currency,
            c.basis,
            c.is_unpaid,
            c.is_renewal,
            c.starts_on,
            c.ends_on,
            c.issued_at,
            c.starts_at,
            c.net,
            c.mrr
        from pipeline.charges(p_customers, p_batch) c
        where p_batch is not null
    ),
    event as (
        select
            c.customer_id,
            c.currency,
            e.effective_on,
            e.sign * c.mrr as change,
            case when c.is_unpaid then e.sign * c.mrr else 0 end as unpaid_change
        from charge c
        cross join lateral (values (c.starts_on, 1), (c.ends_on, -1)) as e (effective_on, sign)
        where c.starts_on < c.ends_on
            and e.effective_on < 'infinity'
    ),
    -- Where one charge ends as the next begins, nothing changes: such a day is left out here
    -- already, before anything is put in order.
    daily as (
        select
            e.customer_id,
            e.currency,
            e.effective_on,
            sum(e.change) as change,
            sum(e.unpaid_change) as unpaid_change
        from event e
        group by e.customer_id, e.currency, e.effective_on
        having sum(e.change) <> 0 or sum(e.unpaid_change) <> 0
    ),
    running as (
        select
            d.customer_id,
            d.currency,
            d.effective_on,
            greatest(sum(d.change) over in_order, 0)::bigint as balance,
            greatest(least(sum(d.unpaid_change) over in_order, sum(d.change) over in_order), 0)::bigint as unpaid
        from daily d
        window in_order as (partition by d.customer_id, d.currency order by d.effective_on)
    ),
    stepped as (
        select
            r.customer_id,
            r.currency,
            r.effective_on,
            r.balance,
            r.balance - lag(r.balance, 1, 0::bigint) over in_order as change,
            r.unpaid - lag(r.unpaid, 1, 0::bigint) over in_order as unpaid_change
        from running r
        window in_order as (partition by r.customer_id, r.currency order by r.effective_on)
    ),
    -- In how many currencies the customer is active after the day.
    followed as (
        select
            s.customer_id,
            s.currency,
            s.effective_on,
            s.balance,
            s.change,
            s.unpaid_change,
            (s.balance > 0)::integer - (s.balance - s.change > 0)::integer as activation,
            sum((s.balance > 0)::integer - (s.balance - s.change > 0)::integer) over (
                partition by s.customer_id order by s.effective_on
            ) as active_after
        from stepped s
        where s.change <> 0 or s.unpaid_change <> 0
    ),
    -- And before it; and the first day on which it is active at all.
    judged as (
        select
            f.customer_id,
            f.currency,
            f.effective_on,
            f.balance,
            f.change,
            f.unpaid_change,
            f.active_after,
            f.active_after - sum(f.activation) over of_day as active_before,
            row_number() over (of_day order by f.currency) as row_of_day,
            min(f.effective_on) filter (where f.active_after > 0) over (partition by f.customer_id) as first_active_on
        from followed f
        window of_day as (partition by f.customer_id, f.effective_on)
    ),
    -- How customers begin whose earlier life the export may hide.
    beginning as (
        select
            j.customer_id,
            j.first_active_on,
            -- Implied charges first, then in the order of R6, even one shorter than a day.
            (
                array_agg(c.is_renewal order by (c.basis = 'implied') desc, c.issued_at, c.starts_at, c.invoice_id collate "C")
                filter (where c.starts_on = j.first_active_on and c.mrr > 0)
            )[1] as begins_with_renewal,
            bool_or(c.net = 0 and c.starts_on < j.first_active_on) as had_free_plan
        from judged j
        join charge c
            on c.customer_id = j.customer_id
            and c.starts_on <= j.first_active_on
        where j.effective_on = j.first_active_on
            and j.row_of_day = 1
            and (select v.is_truncated from pipeline.coverage_at(p_batch) v)
        group by j.customer_id, j.first_active_on
    ),
    listed as (
        select
            b.customer_id,
            u.created_at,
            u.payment_count
        from beginning b
        join raw.customer u
            on u.customer_id = b.customer_id
            and (p_customers is null or u.customer_id = any(p_customers))
            and pipeline.is_known(u.batch_id, u.superseded_by, p_batch)
    ),
    paid as (
        select
            b.customer_id,
            count(distinct coalesce(i.of_invoice_id, i.invoice_id)) as payments
        from beginning b
        join raw.invoice i
            on i.customer_id = b.customer_id
            and (p_customers is null or i.customer_id = any(p_customers))
            and pipeline.is_known(i.batch_id, i.superseded_by, p_batch)
            and i.amount_paid > 0
        group by b.customer_id
    ),
    begun as (
        select
            b.customer_id,
            case
                when b.first_active_on < (select v.observed_from from pipeline.coverage_at(p_batch) v) then 'preexisting'
                when b.begins_with_renewal and not b.had_free_plan then 'preexisting'
                when (u.created_at at time zone (select s.time_zone from meta.setting s))::date
                    < (select v.observed_from from pipeline.coverage_at(p_batch) v)
                    and u.payment_count > coalesce(p.payments, 0)
                    then 'reactivation'
                else 'new'
            end as kind
        from beginning b
        left join listed u
            on u.customer_id = b.customer_id
        left join paid p
            on p.customer_id = b.customer_id
    )
    select
        j.customer_id,
        j.currency,
        j.effective_on,
        (case
            when j.change = 0 then 'unpaid'
            when j.active_before = 0 and j.effective_on > j.first_active_on then 'reactivation'
            when j.active_before = 0 then coalesce(b.kind, 'new')
            when j.active_after = 0 then 'churn'
            when abs(j.change) <= (select s.rounding_tolerance * 100 from meta.setting s) then 'rounding'
            when j.change > 0 then 'expansion'
            else 'contraction'
        end)::ledger.movement_kind,
        (case
            when j.row_of_day > 1 then 0
            when j.active_before = 0 and j.active_after > 0 then 1
            when j.active_before > 0 and j.active_after = 0 then -1
            else 0
        end)::smallint,
        j.change,
        j.balance,
        j.unpaid_change
    from judged j
    left join begun b
        on b.customer_id = j.customer_id;
end;

comment on function pipeline.movements(text[], bigint) is
    'R9 and R10: one row a customer, currency and day on which MRR or its unpaid part changes, as ledger.movement_cents holds them. For some customers (NULL: all), as known after a batch (NULL: now).';
revoke all on function pipeline.movements(text[], bigint) from public;
grant execute on function pipeline.movements(text[], bigint) to pgmrr_writer;
