-- What looks wrong in the facts, though it could be read? How often, and the first example.
--
-- Few invoices are odd in any way: one pass finds them, and only they are written out.
with told as (
    select batch_id, max(as_of) over (partition by source) as until
    from batch
    where source is not null
),
suspect as materialized (
    select
        i.status,
        i.batch_id,
        i.issued_at,
        i.due_at,
        i.line_period_start,
        i.line_period_end,
        i.subtotal - coalesce(i.discount, 0) as net_of_discount,
        if(i.exclusive_tax is null and i.inclusive_tax is null, coalesce(i.tax, 0), coalesce(i.exclusive_tax, 0)) as tax_on_top,
        i.total,
        i.starting_balance - i.ending_balance as from_balance,
        i.amount_due,
        i.due_at < i.issued_at and i.due_at::date < i.issued_at::date as is_due_before,
        (
            net_of_discount + tax_on_top <> i.total
            and not (i.exclusive_tax is null and i.inclusive_tax is null and net_of_discount = i.total)
        )
        or i.total + from_balance <> i.amount_due as is_off,
        i.monthly is null
        and i.line_period_end < 'infinity'
        and i.line_period_end > i.line_period_start + interval 3 years as is_long
    from invoice i
    where i.status in ('paid', 'open', 'draft')
        and (is_due_before or is_off or is_long or i.status = 'draft')
),
billed as materialized (
    select distinct i.customer_id, i.currency
    from invoice i
    where i.subscription_id is not null
        and i.status in ('paid', 'open', 'draft')
),
odd as (
    select
        'customer is missing from the customer file' as warning,
        'known from invoices alone: when it was created, and what it paid before, is not known' as detail
    from customer c
    where not c.is_listed
        and exists (from batch b where b.has_customer_file)
    union all
    select 'due before it was issued', 'due ' || s.due_at::date || ', issued ' || s.issued_at::date
    from suspect s
    where s.is_due_before
    union all
    select
        'amounts do not add up',
        if(
            s.net_of_discount + s.tax_on_top <> s.total,
            format(
                'subtotal less discount {} + tax {} is not the total {}',
                s.net_of_discount * 0.01, s.tax_on_top * 0.01, s.total * 0.01
            ),
            format(
                'total {} + balance used {} is not the amount due {}',
                s.total * 0.01, s.from_balance * 0.01, s.amount_due * 0.01
            )
        )
    from suspect s
    where s.is_off
    union all
    select 'service period over three years', s.line_period_start::date || ' to ' || s.line_period_end::date
    from suspect s
    where s.is_long
    union all
    select 'two currencies of a customer', string_agg(b.currency, ', ' order by b.currency)
    from billed b
    semi join (
        select customer_id
        from billed
        group by customer_id
        having count(*) > 1
    ) s using (customer_id)
    group by b.customer_id
    union all
    select 'carries arrears', c.net * 0.01 || ' ' || c.currency || ' over the whole period'
    from charge c
    where c.carries_arrears
        and c.basis <> 'implied'
    union all
    select 'draft older than a week', 'issued ' || s.issued_at::date || ', still a draft on ' || t.until::date
    from suspect s
    join told t
        on t.batch_id = s.batch_id
    where s.status = 'draft'
        and s.issued_at < t.until - interval 168 hours
)
select warning, count(*) as times, min(detail) as example
from odd
group by warning
order by times desc, warning;
