-- What the data can say (R11), and the settings that every read needs. One row.
create or replace temp table known as
with term as (
    select
        min(c.months) filter (where c.mrr > 0) as shortest_months,
        coalesce(
            sum(c.mrr * r.cent) filter (
                where c.mrr > 0
                    and c.months = 12
                    and c.is_renewal
                    and c.starts_on between v.observed_from and v.complete_through
            ),
            0
        ) as renewed_annual_mrr
    from charge c
    cross join coverage v
    join rate r
        on r.currency = c.currency
    where c.basis = 'term'
),
bound as (
    select
        v.is_truncated,
        case
            when s.time_zone = 'UTC' then v.first_invoice_at
            else timezone(s.time_zone, timezone('UTC', v.first_invoice_at))
        end::date as first_invoice_on,
        v.observed_from,
        v.complete_through,
        greatest(v.complete_through - v.observed_from + 1, 0) as covered_days,
        t.shortest_months,
        v.longest_term_months,
        t.renewed_annual_mrr,
        s.time_zone,
        s.counted_statuses,
        cast(s.rounding_tolerance * 100 as bigint) as tolerance
    from coverage v
    cross join setting s
    cross join term t
)
select
    b.* replace (string_split(trim(b.counted_statuses, '{}'), ',') as counted_statuses),
    date_trunc('month', b.observed_from)::date as first_month,
    (b.observed_from + if(b.is_truncated, coalesce(b.longest_term_months, 0), 0) * interval 1 month)::date
        as mrr_complete_from,
    (b.observed_from + if(b.is_truncated, coalesce(b.shortest_months, 0), 0) * interval 1 month)::date
        as churn_observable_from,
    case
        when not b.is_truncated or b.covered_days >= 365 then 0
        when b.covered_days > 0 then b.renewed_annual_mrr * 365 / b.covered_days - b.renewed_annual_mrr
    end as hidden_annual_mrr
from bound b;
