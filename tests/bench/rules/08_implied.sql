-- Which cycles do renewals prove that the export hides? Rule R8.
--
-- One row a subscription of a truncated history, whose first term R renews a cycle that
-- no earlier charge covers: `row` is R's, and the cycle lasts from R's period start to
-- its start. Its MRR is R's with what renews on the same invoice, less the seats that
-- were added during the cycle.
create or replace temp table implied as
with first_term as (
    select arg_min(p.row, {'a': p.issued_at, 'b': p.starts_at, 'c': p.invoice_id}) as row
    from priced('period') p
    where getvariable('has_implied_cycles')
        and p.basis = 'term'
    group by p.customer_id, p.subscription_id, p.currency
),
renewal as materialized (
    select
        r.row,
        r.customer_id,
        r.subscription_id,
        r.currency,
        r.invoice_id,
        r.of_invoice_id,
        r.issued_at,
        r.period_start,
        r.starts_at,
        r.mrr
    from priced('period') r
    semi join first_term f
        on f.row = r.row
    where getvariable('has_implied_cycles')
        and r.period_end - r.period_start >= interval '28 days'
        and abs(microseconds(r.period_end, r.starts_at)) <= hours(12)
        and r.period_start < getvariable('first_invoice_at')
),
other as (
    select
        r.row,
        o.mrr,
        {'a': o.issued_at, 'b': o.starts_at, 'c': o.invoice_id}
        < {'a': r.issued_at, 'b': r.starts_at, 'c': r.invoice_id} as is_earlier,
        o.net >= 0 and o.starts_at <= r.period_start + interval '12 hours' as covers_cycle,
        day_of(o.billed_until) = day_of(r.starts_at) as was_added,
        o.of_invoice_id = r.of_invoice_id
        and o.basis = 'term'
        and abs(microseconds(r.starts_at, o.starts_at)) <= hours(12) as renews_too
    from renewal r
    join priced('period') o
        on o.customer_id = r.customer_id
        and o.subscription_id = r.subscription_id
        and o.currency = r.currency
        and o.row <> r.row
    where getvariable('has_implied_cycles')
),
summed as (
    select
        o.row,
        sum(o.mrr) filter (where not o.is_earlier and o.renews_too) as renewed,
        sum(o.mrr) filter (where o.is_earlier and o.was_added) as added,
        coalesce(bool_or(o.is_earlier and o.covers_cycle), false) as is_covered
    from other o
    group by o.row
)
select
    r.row,
    greatest(r.mrr + coalesce(s.renewed, 0) - coalesce(s.added, 0), 0)::bigint as mrr
from renewal r
left join summed s
    on s.row = r.row
where not coalesce(s.is_covered, false)
    and getvariable('has_implied_cycles');
