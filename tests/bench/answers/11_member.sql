-- By what can the customers of the last covered day be told apart? One row a customer with MRR
-- above 0: the term that carries most of its MRR, and its price band.
create or replace temp table member as
with term as (
    select
        c.customer_id,
        case
            when c.basis = 'implied' then round((c.ends_on - c.starts_on) / 30.4375)::integer
            else c.months
        end as months,
        c.basis <> 'listed' or c.months is not null as has_term,
        sum(c.mrr * r.cent) as mrr
    from charge c
    cross join known k
    join rate r
        on r.currency = c.currency
    where c.starts_on <= k.complete_through
        and c.ends_on > k.complete_through
    group by all
),
paying as (
    select
        t.customer_id,
        coalesce(sum(t.mrr) filter (where t.months = 1), 0) as by_month,
        coalesce(sum(t.mrr) filter (where t.months = 12), 0) as by_year,
        coalesce(sum(t.mrr) filter (where t.has_term and t.months is distinct from 1 and t.months is distinct from 12), 0)
            as by_other
    from term t
    group by t.customer_id
)
select
    a.customer_id,
    a.mrr,
    case
        when p.by_year > 0 and p.by_year >= greatest(p.by_month, p.by_other) then 'year'
        when p.by_other > 0 and p.by_other >= p.by_month then 'other'
        when p.by_month > 0 then 'month'
    end as term,
    case
        when a.mrr < 10 then 'under 10'
        when a.mrr < 50 then '10 to 50'
        when a.mrr < 100 then '50 to 100'
        when a.mrr < 500 then '100 to 500'
        when a.mrr < 1000 then '500 to 1,000'
        when a.mrr < 5000 then '1,000 to 5,000'
        when a.mrr < 10000 then '5,000 to 10,000'
        else '10,000 and more'
    end as price_band
from active a
left join paying p
    on p.customer_id = a.customer_id;
