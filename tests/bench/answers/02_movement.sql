-- How does each customer's MRR change, and why? R9 and R10, from the charges.
--
-- One row a customer, currency and day on which its charges change, in cents of the currency;
-- the balance holds until ends_on. A charge that begins where another of the same price ends
-- cancels out before anything is put into order: nine of ten do. So few charges are unpaid that
-- they are added up by themselves.
create or replace temp table movement as
with changed as (
    select
        e.customer_id,
        e.currency,
        e.effective_on,
        sum(e.change)::bigint as change
    from (
        select
            c.customer_id,
            c.currency,
            unnest([c.starts_on, c.ends_on]) as effective_on,
            unnest([c.mrr, - c.mrr]) as change
        from charge c
        where c.starts_on < c.ends_on
    ) e
    where e.effective_on < 'infinity'
    group by e.customer_id, e.currency, e.effective_on
    having sum(e.change) <> 0
),
unpaid_changed as (
    select
        e.customer_id,
        e.currency,
        e.effective_on,
        sum(e.change)::bigint as change
    from (
        select
            c.customer_id,
            c.currency,
            unnest([c.starts_on, c.ends_on]) as effective_on,
            unnest([c.mrr, - c.mrr]) as change
        from charge c
        where c.is_unpaid
            and c.starts_on < c.ends_on
    ) e
    where e.effective_on < 'infinity'
    group by e.customer_id, e.currency, e.effective_on
    having sum(e.change) <> 0
),
daily as (
    select
        customer_id,
        currency,
        effective_on,
        coalesce(c.change, 0) as change,
        coalesce(u.change, 0) as unpaid_change
    from changed c
    full join unpaid_changed u using (customer_id, currency, effective_on)
),
running as (
    select
        d.*,
        lead(d.effective_on, 1, 'infinity'::date) over in_order as ends_on,
        sum(d.change) over in_order as total,
        sum(d.unpaid_change) over in_order as unpaid
    from daily d
    window in_order as (partition by d.customer_id, d.currency order by d.effective_on)
),
-- Never below zero, and no more of it unpaid than there is.
bounded as (
    select
        r.customer_id,
        r.currency,
        r.effective_on,
        r.ends_on,
        greatest(r.total, 0)::bigint as balance,
        greatest(r.total - r.change, 0)::bigint as balance_before,
        (
            greatest(least(r.unpaid, r.total), 0)
            - greatest(least(r.unpaid - r.unpaid_change, r.total - r.change), 0)
        )::bigint as unpaid_change
    from running r
),
-- R10 judges a customer over all its currencies. Most have one.
several as (
    select b.customer_id
    from bounded b
    group by b.customer_id
    having min(b.currency) <> max(b.currency)
),
followed as (
    select
        b.*,
        false as has_several,
        b.balance_before > 0 as was_active,
        b.balance > 0 as is_active,
        true as is_first_of_day
    from bounded b
    anti join several s using (customer_id)
    union all
    select
        o.* exclude (active_after, activation),
        true,
        o.active_after - sum(o.activation) over of_day > 0,
        o.active_after > 0,
        row_number() over (of_day order by o.currency) = 1
    from (
        select
            b.*,
            (b.balance > 0)::integer - (b.balance_before > 0)::integer as activation,
            sum((b.balance > 0)::integer - (b.balance_before > 0)::integer) over (
                partition by b.customer_id order by b.effective_on
            ) as active_after
        from bounded b
        semi join several s using (customer_id)
    ) o
    window of_day as (partition by o.customer_id, o.effective_on)
),
first_active as (
    select
        f.customer_id,
        min(f.effective_on) as day
    from followed f
    where f.is_active
    group by f.customer_id
),
-- How customers begin whose earlier life a truncated history may hide.
beginning as (
    select
        a.customer_id,
        a.day,
        arg_min(
            c.is_renewal,
            {'is_billed': c.basis <> 'implied', 'issued_at': c.issued_at, 'starts_at': c.starts_at, 'invoice_id': c.invoice_id}
        ) filter (where c.starts_on = a.day and c.mrr > 0) as begins_with_renewal,
        bool_or(c.net = 0 and c.starts_on < a.day) as had_free_plan
    from first_active a
    join charge c
        on c.customer_id = a.customer_id
        and c.starts_on <= a.day
    where (select k.is_truncated from known k)
    group by a.customer_id, a.day
),
paid as (
    select
        i.customer_id,
        count(distinct coalesce(i.of_invoice_id, i.invoice_id)) as invoices
    from invoice i
    where i.amount_paid > 0
        and (select k.is_truncated from known k)
    group by i.customer_id
),
begun as (
    select
        b.customer_id,
        case
            when b.day < k.observed_from then 'preexisting'
            when b.begins_with_renewal and not b.had_free_plan then 'preexisting'
            when case
                when k.time_zone = 'UTC' then u.created_at
                else timezone(k.time_zone, timezone('UTC', u.created_at))
            end::date < k.observed_from
                and u.payment_count > coalesce(p.invoices, 0)
                then 'reactivation'
            else 'new'
        end as kind
    from beginning b
    cross join known k
    left join customer u
        on u.customer_id = b.customer_id
    left join paid p
        on p.customer_id = b.customer_id
)
select
    f.customer_id,
    f.currency,
    f.effective_on,
    f.ends_on,
    f.has_several,
    case
        when f.balance = f.balance_before then 'unpaid'
        when not f.was_active and f.effective_on > a.day then 'reactivation'
        when not f.was_active then coalesce(b.kind, 'new')
        when not f.is_active then 'churn'
        when abs(f.balance - f.balance_before) <= (select k.tolerance from known k) then 'rounding'
        when f.balance > f.balance_before then 'expansion'
        else 'contraction'
    end as kind,
    if(f.is_first_of_day, f.is_active::integer - f.was_active::integer, 0) as customers,
    f.balance - f.balance_before as change,
    f.balance,
    f.unpaid_change
from followed f
left join first_active a
    on a.customer_id = f.customer_id
left join begun b
    on b.customer_id = f.customer_id;
