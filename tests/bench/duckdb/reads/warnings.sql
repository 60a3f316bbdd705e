-- What looks wrong in the facts, though it could be read? How often, and the first example.
with told as (
    select batch_id, max(as_of) over (partition by source) as until
    from batch
    where source is not null
),
counted as (
    select
        i.*,
        i.subtotal - coalesce(i.discount, 0) as net_of_discount,
        if(i.exclusive_tax is null and i.inclusive_tax is null, coalesce(i.tax, 0), coalesce(i.exclusive_tax, 0)) as tax_on_top,
        i.exclusive_tax is null and i.inclusive_tax is null as tax_may_be_within,
        i.starting_balance - i.ending_balance as from_balance
    from invoice i
    where i.status in ('paid', 'open', 'draft')
),
-- Few are odd in any way: only they are written out.
odd as (
    select
        'customer is missing from the customer file' as warning,
        'known from invoices alone: when it was created, and what it paid before, is not known' as detail
    from customer c
    where not c.is_listed
        and exists (from batch b where b.has_customer_file)
    union all
    select 'due before it was issued', 'due ' || i.due_at::date || ', issued ' || i.issued_at::date
    from counted i
    where i.due_at::date < i.issued_at::date
    union all
    select
        'amounts do not add up',
        if(
            i.net_of_discount + i.tax_on_top <> i.total,
            format(
                'subtotal less discount {} + tax {} is not the total {}',
                i.net_of_discount * 0.01, i.tax_on_top * 0.01, i.total * 0.01
            ),
            format(
                'total {} + balance used {} is not the amount due {}',
                i.total * 0.01, i.from_balance * 0.01, i.amount_due * 0.01
            )
        )
    from counted i
    where (i.net_of_discount + i.tax_on_top <> i.total and not (i.tax_may_be_within and i.net_of_discount = i.total))
        or i.total + i.from_balance <> i.amount_due
    union all
    select 'service period over three years', i.line_period_start::date || ' to ' || i.line_period_end::date
    from counted i
    where i.monthly is null
        and i.line_period_end < 'infinity'
        and i.line_period_end > i.line_period_start + interval 3 years
    union all
    select 'two currencies of a customer', string_agg(distinct i.currency, ', ' order by i.currency)
    from counted i
    where i.subscription_id is not null
    group by i.customer_id
    having min(i.currency) <> max(i.currency)
    union all
    select 'carries arrears', c.net * 0.01 || ' ' || c.currency || ' over the whole period'
    from charge c
    where c.carries_arrears
        and c.basis <> 'implied'
    union all
    select 'draft older than a week', 'issued ' || i.issued_at::date || ', still a draft on ' || t.until::date
    from counted i
    join told t
        on t.batch_id = i.batch_id
    where i.status = 'draft'
        and i.issued_at < t.until - interval 168 hours
)
select warning, count(*) as times, min(detail) as example
from odd
group by warning
order by times desc, warning;
