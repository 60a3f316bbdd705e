-- How well is revenue kept, period by period? Rule R12.
--
-- p_boundaries are the first days of consecutive periods and, at the end, the day after
-- the last one; what is not covered of them is left out. One row a period in which
-- something changed:
--     customers_lost  customers active at the opening who are at zero at the closing
--     net_change      closing less opening MRR of the customers active at the opening
--     losses          the same, of those among them whose MRR fell
-- so that NRR = (opening + net_change) / opening, and GRR = (opening + losses) / opening.
-- Covered months are kept by the refresh (kpi.cohort_month). For other periods each customer's
-- history tells its MRR at the opening and the closing.
create or replace function kpi.retention_of(p_boundaries date[])
returns table (
    first_on date,
    customers_lost bigint,
    net_change numeric,
    losses numeric
)
language sql
stable
parallel safe
set jit = off
begin atomic
    with period as materialized (
        select
            b.place,
            b.first_on,
            k.month is not null as is_kept,
            k.month
        from (
            select
                u.place::integer as place,
                greatest(u.first_on, v.observed_from) as first_on,
                least(u.ends_on, v.complete_through + 1) as ends_on,
                v.observed_from,
                v.complete_through
            from kpi.coverage v
            cross join lateral unnest(p_boundaries, p_boundaries[2:]) with ordinality as u (first_on, ends_on, place)
            where u.ends_on is not null
        ) b
        -- The covered month that the period is, if any.
        left join lateral (
            select m.month
            from (select date_trunc('month', b.first_on::timestamp)::date as month) m
            where b.first_on = greatest(m.month, b.observed_from)
                and b.ends_on = least((m.month + interval '1 month')::date, b.complete_through + 1)
                and exists (select from kpi.cohort_month)
        ) k on true
        where b.first_on < b.ends_on
    ),
    kept as (
        select
            k.month,
            sum(k.lost) as customers_lost,
            sum(k.net_change * c.factor) as net_change,
            sum(k.losses * c.factor) as losses
        from (
            select
                m.month,
                m.currency,
                sum(m.lost) as lost,
                sum(m.net_change) as net_change,
                sum(m.losses) as losses
            from kpi.cohort_month m
            where m.customer_id is null
                and exists (select from period p where p.is_kept)
            group by m.month, m.currency
        ) k
        join kpi.currency c
            on c.currency = k.currency
        group by k.month
    ),
    -- Customers with several currencies, over all of them.
    kept_in_currencies as (
        select
            f.month,
            count(*) filter (where f.closing = 0) as customers_lost,
            sum(f.change) as net_change,
            sum(least(f.change, 0)) as losses
        from (
            select
                m.month,
                sum(m.change * c.factor) as change,
                sum(sum(m.change * c.factor)) over (partition by m.customer_id order by m.month) as closing
            from kpi.cohort_month m
            join kpi.currency c
                on c.currency = m.currency
            where m.customer_id is not null
                and exists (select from period p where p.is_kept)
            group by m.customer_id, m.month
        ) f
        where f.closing - f.change > 0
        group by f.month
    ),
    -- Of all others, who did not move after the opening keeps what there was. Not joined with the
    -- periods, so that several processors share the histories.
    followed as (
        select
            b.place,
            h.mrr[width_bucket(greatest(b.first_on, h.observed_from) - 1, h.days)] as opening,
            h.mrr[width_bucket(least(b.ends_on - 1, h.complete_through), h.days)] as closing
        from kpi.history h
        cross join unnest(p_boundaries, p_boundaries[2:]) with ordinality as b (first_on, ends_on, place)
        where exists (select from period p where not p.is_kept)
            and b.place = any(array(select p.place from period p where not p.is_kept))
            and h.days[cardinality(h.days)] >= b.first_on
    ),
    live as (
        select
            o.place,
            count(*) filter (where o.closing = 0) as customers_lost,
            sum(o.closing - o.opening) as net_change,
            sum(least(o.closing - o.opening, 0)) as losses
        from followed o
        where o.opening > 0
        group by o.place
    )
    select
        p.first_on,
        (k.customers_lost + coalesce(i.customers_lost, 0))::bigint,
        k.net_change + coalesce(i.net_change, 0),
        k.losses + coalesce(i.losses, 0)
    from period p
    join kept k
        on k.month = p.month
    left join kept_in_currencies i
        on i.month = p.month
    where p.is_kept
    union all
    select
        p.first_on,
        l.customers_lost,
        l.net_change,
        l.losses
    from period p
    join live l
        on l.place = p.place;
end;

comment on function kpi.retention_of(date[]) is
    'What became, in consecutive periods, of the customers active at their opening: customers lost, net change and losses of their MRR in the reporting currency. One row a period in which something changed.';
revoke all on function kpi.retention_of(date[]) from public;
grant execute on function kpi.retention_of(date[]) to pgmrr_reader, pgmrr_writer;
