-- How is MRR of the last covered day spread over the segments of $attribute?
with spread as (
    select s.segment, s.customers, s.mrr
    from segment s
    where s.attribute = $attribute
    union all
    select
        nullif(json_extract_string(u.attributes, '$."' || regexp_replace($attribute, '^customer\.(currency|term|price_band)$', '\1') || '"'), ''),
        count(*),
        sum(m.mrr)
    from member m
    left join customer u
        on u.customer_id = m.customer_id
    where $attribute not in ('currency', 'term', 'price_band')
    group by 1
)
select segment, customers, mrr, mrr / sum(mrr) over () as share, mrr / customers as arpa
from spread
where (select k.complete_through from known k) = $day
order by if($attribute = 'price_band', arpa, null), spread.mrr desc, segment;
