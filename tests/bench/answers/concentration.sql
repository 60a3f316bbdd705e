-- How much of the revenue rests on few customers?
with measured as (
    select
        count(*) as customers,
        coalesce(sum(a.mrr), 0) as mrr,
        nullif(sum(a.mrr), 0) as base,
        sum(a.mrr) filter (where a.place = 1) as top_1,
        sum(a.mrr) filter (where a.place <= 10) as top_10,
        sum(a.mrr) filter (where a.place <= ceil(a.customers / 100)) as top_1_percent,
        count(*) filter (where a.place <= ceil(a.customers / 100)) as top_1_percent_customers,
        fsum(a.mrr::double * a.mrr::double) as squares,
        fsum((a.customers + 1 - 2 * a.place) * a.mrr::double) as spread
    from active a
)
select
    k.complete_through as day, m.customers, m.mrr, m.top_1 / m.base as top_1, m.top_10 / m.base as top_10,
    m.top_1_percent / m.base as top_1_percent, m.top_1_percent_customers,
    m.squares / (m.base::double * m.base::double) as herfindahl,
    m.base::double * m.base::double / m.squares as effective_customers, m.spread / (m.customers * m.base::double) as gini
from known k
cross join measured m
where $day = k.complete_through;
