-- Which credits found nothing to take away?
select
    c.invoice_id, c.customer_id, coalesce(u.name, u.customer_id) as name, c.subscription_id, c.starts_on,
    nullif(c.ends_on, 'infinity'::date) as ends_on, c.net * 0.01 as net, c.mrr * 0.01 as mrr, c.unmatched * 0.01 as unmatched,
    c.currency
from charge c
left join customer u
    on u.customer_id = c.customer_id
where c.unmatched > 0
order by c.starts_on, c.invoice_id;
