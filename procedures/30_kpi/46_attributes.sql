-- By which attributes can customers be segmented?
--
-- One row an attribute: those of the ledger, for the customers with MRR on the last covered
-- day, and those of the customers, for all who have a value; customer.term is theirs where they
-- have one of the name term. The example is the value that
-- most of them have.
create or replace view kpi.attributes as
with from_ledger as (
    select
        a.name,
        a.place,
        (count(s.segment))::bigint as distinct_values,
        coalesce(sum(s.customers) filter (where s.segment is not null), 0)::bigint as customers,
        (array_agg(s.segment order by s.customers desc, s.segment collate "C") filter (where s.segment is not null))[1] as example
    from (values (1, 'currency'), (2, 'term'), (3, 'price_band')) a (place, name)
    left join lateral kpi.segment(a.name) s on true
    group by a.name, a.place
),
-- Customers of the same attributes, taken apart once.
alike as (
    select
        u.attributes,
        count(*) as customers
    from kpi.customer u
    group by u.attributes
),
from_customers as (
    select
        c.name,
        count(*) as distinct_values,
        sum(c.customers)::bigint as customers,
        (array_agg(c.value order by c.customers desc, c.value collate "C"))[1] as example
    from (
        select
            case
                when a.name in ('currency', 'term', 'price_band') then 'customer.' || a.name
                else a.name
            end as name,
            a.value,
            sum(u.customers) as customers
        from alike u
        cross join lateral jsonb_each_text(u.attributes) a (name, value)
        where a.value <> ''
        group by 1, 2
    ) c
    group by c.name
)
select
    l.name,
    'ledger' as source,
    l.distinct_values,
    l.customers,
    l.example
from from_ledger l
union all
select
    c.name,
    'customer',
    c.distinct_values,
    c.customers,
    c.example
from from_customers c
order by source desc, name;

comment on view kpi.attributes is 'The attributes by which kpi.segment, kpi.mrr_monthly_by and kpi.retention_by can segment, one row each.';
comment on column kpi.attributes.name is 'Name, as these functions take it.';
comment on column kpi.attributes.source is 'ledger: of MRR itself, on the last covered day; customer: a column of the customers.';
comment on column kpi.attributes.distinct_values is 'How many different values there are.';
comment on column kpi.attributes.customers is 'Customers with a value; by currency, one who pays in two counts in both.';
comment on column kpi.attributes.example is 'The value that most customers have.';
grant select on kpi.attributes to pgmrr_reader, pgmrr_writer;
