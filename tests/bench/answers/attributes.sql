-- By which attributes can customers be segmented, and what do most of them have?
with from_ledger as (
    select
        a.name,
        count(s.segment) as distinct_values,
        coalesce(sum(s.customers) filter (where s.segment is not null), 0) as customers,
        arg_min(s.segment, {'customers': - s.customers, 'segment': s.segment}) filter (where s.segment is not null) as example
    from (values ('currency'), ('term'), ('price_band')) a (name)
    left join segment s
        on s.attribute = a.name
    group by a.name
),
valued as (
    select
        if(e.key in ('currency', 'term', 'price_band'), 'customer.' || e.key, e.key) as name,
        json_extract_string(e.value, '$') as value,
        count(*) as customers
    from customer u, json_each(u.attributes) e
    group by all
),
from_customers as (
    select
        v.name,
        count(*) as distinct_values,
        sum(v.customers) as customers,
        arg_min(v.value, {'customers': - v.customers, 'value': v.value}) as example
    from valued v
    where v.value <> ''
    group by v.name
)
select name, 'ledger' as source, distinct_values, customers, 'active' as counted, example
from from_ledger
union all
select name, 'customer', distinct_values, customers, 'known', example
from from_customers
order by source desc, name;
