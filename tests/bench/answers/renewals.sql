-- Whose paid period ends when, seen from the last covered day?
with running as (
    select
        c.customer_id,
        c.subscription_id,
        c.currency,
        c.ends_on,
        sum(c.mrr)::bigint as mrr,
        coalesce(sum(c.mrr) filter (where c.is_unpaid), 0)::bigint as unpaid,
        first(
            case c.term_months
                when 1 then 'month'
                when 12 then 'year'
                else if(c.basis <> 'listed' or c.term_months is not null, 'other', null)
            end
            order by c.mrr desc, c.term_months desc nulls first
        ) as term
    from (
        select
            h.*,
            if(h.basis = 'implied', round((h.ends_on - h.starts_on) / 30.4375)::integer, h.months) as term_months
        from charge h
        cross join known k
        where h.starts_on <= k.complete_through
            and h.ends_on > k.complete_through
            and h.ends_on < 'infinity'
            and k.covered_days > 0
    ) c
    group by c.customer_id, c.subscription_id, c.currency, c.ends_on
    having sum(c.mrr) <> 0
),
-- Where a charge that goes on is known already.
renewed as (
    select distinct r.customer_id, r.subscription_id, r.currency, r.ends_on
    from running r
    join charge n
        on n.customer_id = r.customer_id
        and n.currency = r.currency
        and n.subscription_id = r.subscription_id
    where n.starts_on <= r.ends_on
        and n.ends_on > r.ends_on
        and n.mrr > 0
)
select
    r.ends_on, r.customer_id, coalesce(u.name, u.customer_id) as name, r.subscription_id, r.term, r.mrr * f.cent as mrr,
    r.currency, r.mrr * 0.01 as mrr_in_currency, least(greatest(r.unpaid, 0), greatest(r.mrr, 0)) * f.cent as unpaid,
    e.customer_id is not null as is_renewed, (select k.complete_through from known k) as seen_from
from running r
join rate f
    on f.currency = r.currency
left join customer u
    on u.customer_id = r.customer_id
left join renewed e
    on e.customer_id = r.customer_id
    and e.subscription_id = r.subscription_id
    and e.currency = r.currency
    and e.ends_on = r.ends_on
order by r.ends_on, r.mrr * f.cent desc, r.customer_id, r.subscription_id, r.currency;
