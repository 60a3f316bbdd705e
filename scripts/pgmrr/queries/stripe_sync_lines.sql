-- The lines of invoices that Stripe's sync engine keeps, as pgmrr import lines reads them.
--
-- One row a line item; an invoice without any is one row, without a service period. An invoice
-- without a customer is handed on, to be rejected and counted. One with the status `deleted` is
-- left out: it was a draft, is no more at Stripe's, and bills nothing. Tables
-- are looked for in the schema that the session has set (pgmrr import stripe-sync --schema).
--
-- Stripe's amounts are in the smallest unit of the currency (for ISK and UGX, by way of
-- exception, in hundredths), its times are seconds since 1970. A line's amount is before discounts, and holds inclusive taxes, but no exclusive
-- ones: so discounts and inclusive taxes are taken off, exclusive taxes are not there.
-- Fields of which the API changed the place are looked for at both.
--
-- The engine stores the first ten lines of an invoice, unless AUTO_EXPAND_LISTS is set: of an
-- invoice with more, the amount says so, and the invoice is rejected rather than counted
-- in part.
with invoice as (
    select
        i.id,
        i.customer,
        i.status::text as status,
        i.currency,
        i.created,
        i.period_start,
        i.period_end,
        i.total,
        i.tax,
        coalesce((i.lines ->> 'has_more')::boolean, false) as is_partial,
        case when jsonb_typeof(i.lines -> 'data') = 'array' then i.lines -> 'data' else '[]' end as lines,
        case
            when upper(i.currency) in (
                'BIF', 'CLP', 'DJF', 'GNF', 'JPY', 'KMF', 'KRW', 'MGA', 'PYG', 'RWF', 'VND', 'VUV', 'XAF', 'XOF', 'XPF'
            )
                then 1
            when upper(i.currency) in ('BHD', 'JOD', 'KWD', 'OMR', 'TND') then 1000
            else 100
        end as units
    from invoices i
    where i.status::text is distinct from 'deleted'
),
line as (
    select
        i.id,
        i.units,
        l.place,
        coalesce(
            l.item ->> 'subscription',
            l.item #>> '{parent,subscription_item_details,subscription}',
            l.item #>> '{parent,invoice_item_details,subscription}'
        ) as subscription,
        (l.item ->> 'amount')::numeric as amount,
        (l.item #>> '{period,start}')::bigint as starts_at,
        (l.item #>> '{period,end}')::bigint as ends_at,
        (
            select coalesce(sum((d.discount ->> 'amount')::numeric), 0)
            from jsonb_array_elements(
                case when jsonb_typeof(l.item -> 'discount_amounts') = 'array' then l.item -> 'discount_amounts' else '[]' end
            ) as d (discount)
        ) as discount,
        (
            select coalesce(sum((t.tax ->> 'amount')::numeric), 0)
            from jsonb_array_elements(
                case
                    when jsonb_typeof(l.item -> 'tax_amounts') = 'array' then l.item -> 'tax_amounts'
                    when jsonb_typeof(l.item -> 'taxes') = 'array' then l.item -> 'taxes'
                    else '[]'
                end
            ) as t (tax)
            where (t.tax ->> 'inclusive')::boolean
                or t.tax ->> 'tax_behavior' = 'inclusive'
        ) as inclusive_tax
    from invoice i
    cross join jsonb_array_elements(i.lines) with ordinality as l (item, place)
)
select
    i.customer,
    i.id,
    l.subscription,
    i.currency,
    i.status,
    to_timestamp(i.created) as issued,
    to_timestamp(i.period_start) as period_start,
    to_timestamp(i.period_end) as period_end,
    to_timestamp(l.starts_at) as start,
    to_timestamp(l.ends_at) as end,
    case
        when i.is_partial then 'the table holds only a part of its lines'
        when l.id is null then round(i.total::numeric / i.units, 3)::text
        else round(l.amount / i.units, 3)::text
    end as amount,
    round(l.discount / i.units, 3) as discount,
    case
        when l.id is null then round(i.tax::numeric / i.units, 3)
        else round(l.inclusive_tax / i.units, 3)
    end as tax
from invoice i
left join line l
    on l.id = i.id
order by i.created, i.id, l.place
