-- What became of the customers of each opening? R12. One row a period in which something changed.
--
-- A customer who changed nothing keeps what it had and needs no row. The months follow each
-- other, so a stretch belongs to one of them; the others overlap.
create or replace temp table kept as
with customer as (
    select
        'month' as period_of,
        greatest(date_trunc('month', s.starts_on)::date, k.observed_from) as first_on,
        s.customer_id,
        sum(s.change) as change,
        arg_max(s.mrr, s.starts_on) as closing
    from stretch s
    cross join known k
    where s.starts_on between k.observed_from and k.complete_through
    group by all
    union all
    select
        a.period_of,
        a.first_on,
        s.customer_id,
        sum(s.change),
        arg_max(s.mrr, s.starts_on)
    from stretch s
    join asked a
        on s.starts_on between a.first_on and a.last_on
    where a.period_of <> 'month'
    group by all
)
select
    c.period_of,
    c.first_on,
    count(*) filter (where c.closing = 0) as customers_lost,
    sum(c.change) as net_change,
    sum(least(c.change, 0)) as losses
from customer c
where c.closing - c.change > 0
group by c.period_of, c.first_on;
