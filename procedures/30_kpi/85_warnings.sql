-- What looks wrong in the facts, though it could be read?
--
-- One row a warning and invoice, or customer where it concerns a customer as a whole. Made
-- from the current facts: it goes when they are put right. None changes a figure. Invoices
-- that are void or uncollectible count for nothing, and are passed over.
--
--   amounts do not add up   subtotal - discount + tax on top = total, and amount due = total +
--                           starting balance - ending balance, where all of these are known; a
--                           single figure of tax may be on top or within
--   service period over three years   of invoices and lines, whose amount is spread over it; a
--                           list of periods states the amount a month, however long they are
--   draft older than a week a week before the latest event of that source's files
-- The conditions on amounts, days and drafts stand twice: once for all that look wrong, as the
-- index does that finds them, and once for what each of them says.
create or replace view kpi.warnings as
with suspect as materialized (
    select
        i.customer_id,
        i.invoice_id,
        i.status,
        i.issued_at,
        i.due_at,
        i.line_period_start,
        i.line_period_end,
        i.subtotal - coalesce(i.discount, 0) as net_of_discount,
        coalesce(i.exclusive_tax, case when i.inclusive_tax is null then i.tax end, 0) as tax_on_top,
        i.exclusive_tax is null and i.inclusive_tax is null as tax_may_be_within,
        i.total,
        i.monthly,
        i.amount_due,
        i.starting_balance - i.ending_balance as from_balance,
        i.batch_id,
        i.line_number
    from raw.invoice i
    where i.superseded_by is null
        and i.status in ('paid', 'open', 'draft')
        and (
            i.status = 'draft'
            or (i.due_at at time zone interval '0')::date < (i.issued_at at time zone interval '0')::date
            or (
                i.exclusive_tax is null
                and i.inclusive_tax is null
                and i.subtotal - coalesce(i.discount, 0) + coalesce(i.tax, 0) <> i.total
            )
            or (
                (i.exclusive_tax is not null or i.inclusive_tax is not null)
                and i.subtotal - coalesce(i.discount, 0) + coalesce(i.exclusive_tax, 0) <> i.total
            )
            or i.total + (i.starting_balance - i.ending_balance) <> i.amount_due
            or (
                i.monthly is null
                and i.line_period_end < 'infinity'
                and i.line_period_end at time zone interval '0'
                > i.line_period_start at time zone interval '0' + interval '3 years'
            )
        )
),
-- Few have two, and only theirs are put into words.
two_currencies as (
    select f.customer_id
    from billing.fate_cents f
    where f.status in ('paid', 'open', 'draft')
        and f.became <> 'no subscription'
    group by f.customer_id
    having min(f.currency) <> max(f.currency)
),
-- The latest moment that the files of a source tell of.
told as (
    select
        b.batch_id,
        max(b.as_of) over (partition by b.source) as until
    from meta.batch b
    where b.source is not null
)
select
    'customer is missing from the customer file' as warning,
    c.customer_id,
    null as invoice_id,
    'known from invoices alone: when it was created, and what it paid before, is not known' as detail,
    c.batch_id,
    c.line_number
from raw.customer c
where c.superseded_by is null
    and not c.is_listed
    and exists (
        select
        from meta.batch b
        where jsonb_path_exists(b.files, '$[*] ? (@.role == "customers")')
    )
union all
select
    'due before it was issued',
    i.customer_id,
    i.invoice_id,
    format(
        'due %s, issued %s',
        to_char(i.due_at at time zone 'UTC', 'YYYY-MM-DD'), to_char(i.issued_at at time zone 'UTC', 'YYYY-MM-DD')
    ),
    i.batch_id,
    i.line_number
from suspect i
where (i.due_at at time zone 'UTC')::date < (i.issued_at at time zone 'UTC')::date
union all
select
    'amounts do not add up',
    i.customer_id,
    i.invoice_id,
    case
        when i.net_of_discount + i.tax_on_top <> i.total then format(
            'subtotal less discount %s + tax %s is not the total %s',
            round(i.net_of_discount * 0.01, 2), round(i.tax_on_top * 0.01, 2), round(i.total * 0.01, 2)
        )
        else format(
            'total %s + balance used %s is not the amount due %s',
            round(i.total * 0.01, 2), round(i.from_balance * 0.01, 2), round(i.amount_due * 0.01, 2)
        )
    end,
    i.batch_id,
    i.line_number
from suspect i
where (
    i.net_of_discount + i.tax_on_top <> i.total
    and not (i.tax_may_be_within and i.net_of_discount = i.total)
)
or i.total + i.from_balance <> i.amount_due
union all
select
    'service period over three years',
    i.customer_id,
    i.invoice_id,
    format(
        '%s to %s',
        to_char(i.line_period_start at time zone 'UTC', 'YYYY-MM-DD'),
        to_char(i.line_period_end at time zone 'UTC', 'YYYY-MM-DD')
    ),
    i.batch_id,
    i.line_number
from suspect i
where i.monthly is null
    and i.line_period_end < 'infinity'
    and i.line_period_end at time zone 'UTC' > i.line_period_start at time zone 'UTC' + interval '3 years'
union all
select
    'two currencies of a customer',
    f.customer_id,
    null,
    string_agg(distinct f.currency, ', ' order by f.currency),
    max(f.last_batch_id),
    null
from billing.fate_cents f
where f.customer_id = any(array(select t.customer_id from two_currencies t))
    and f.status in ('paid', 'open', 'draft')
    and f.became <> 'no subscription'
group by f.customer_id
union all
select
    'carries arrears',
    c.customer_id,
    c.invoice_id,
    format('%s %s over the whole period', round(c.net * 0.01, 2), c.currency),
    i.batch_id,
    i.line_number
from billing.charge_cents c
join raw.invoice i
    on i.customer_id = c.customer_id
    and i.invoice_id = c.invoice_id
    and i.superseded_by is null
where c.carries_arrears
    and c.basis <> 'implied'
union all
select
    'draft older than a week',
    i.customer_id,
    i.invoice_id,
    format(
        'issued %s, still a draft on %s',
        to_char(i.issued_at at time zone 'UTC', 'YYYY-MM-DD'), to_char(t.until at time zone 'UTC', 'YYYY-MM-DD')
    ),
    i.batch_id,
    i.line_number
from suspect i
join told t
    on t.batch_id = i.batch_id
where i.status = 'draft'
    and i.issued_at < t.until - interval '168 hours';

comment on view kpi.warnings is 'What looks wrong in the current facts though it could be read, one row a warning and invoice, or customer as a whole.';
comment on column kpi.warnings.warning is 'What looks wrong.';
comment on column kpi.warnings.customer_id is 'The customer.';
comment on column kpi.warnings.invoice_id is 'The invoice; NULL where it concerns the customer as a whole.';
comment on column kpi.warnings.detail is 'The values; amounts in the invoice''s currency.';
comment on column kpi.warnings.batch_id is 'The batch that brought the fact; of a customer''s currencies, the last one.';
comment on column kpi.warnings.line_number is 'Line of the file.';
grant select on kpi.warnings to pgmrr_reader, pgmrr_writer;
