-- What do credits really take away? Rule "Credits" after R8.
--
-- One row a charge with negative MRR, with the MRR that counts. It takes away at most
-- the MRR of its subscription's charges that began before it and are running at its
-- start, implied ones among them, and earlier credits with what they took themselves.
-- All subscriptions are taken together, the credits of one in the order of their
-- starts, those that start together in one step.
create or replace temp table with_credit as
select distinct
    p.customer_id,
    p.subscription_id,
    p.currency
from period p
where p.net < 0
    or p.monthly < 0;

-- Their charges, in the few columns that pricing reads.
create or replace temp table credited as
select
    p.row,
    p.customer_id,
    p.subscription_id,
    p.currency,
    p.period_start,
    p.starts_at,
    p.ends_at,
    p.net,
    p.months,
    p.may_restart,
    p.may_swap
from period p
semi join with_credit c
    on c.subscription_id = p.subscription_id
    and c.customer_id = p.customer_id
    and c.currency = p.currency;

create or replace temp table limited as
with recursive charge as materialized (
    select
        p.row,
        p.customer_id,
        p.subscription_id,
        p.currency,
        p.starts_at,
        p.ends_at,
        p.period_start,
        p.mrr
    from priced('credited') p
),
credit as materialized (
    select
        c.*,
        min(c.row) over (partition by c.subscription_id, c.customer_id, c.currency) as subscription,
        dense_rank() over (
            partition by c.subscription_id, c.customer_id, c.currency order by c.starts_at
        ) as place
    from charge c
    where c.mrr < 0
),
revenue as (
    select
        c.customer_id,
        c.subscription_id,
        c.currency,
        c.starts_at,
        c.ends_at,
        c.mrr
    from charge c
    where c.mrr > 0
    union all
    select
        c.customer_id,
        c.subscription_id,
        c.currency,
        c.period_start,
        c.starts_at,
        i.mrr
    from implied i
    join charge c
        on c.row = i.row
),
step as materialized (
    select
        c.subscription,
        c.place,
        c.starts_at,
        list({'row': c.row, 'starts_at': c.starts_at, 'ends_at': c.ends_at, 'mrr': c.mrr}) as credits,
        any_value(coalesce(r.mrr, 0)) as revenue
    from credit c
    left join (
        select
            d.subscription,
            d.place,
            sum(o.mrr)::bigint as mrr
        from (select distinct on (c.subscription, c.place) c.* from credit c) d
        join revenue o
            on o.customer_id = d.customer_id
            and o.subscription_id = d.subscription_id
            and o.currency = d.currency
            and o.starts_at < d.starts_at
            and o.ends_at > d.starts_at
        group by d.subscription, d.place
    ) r
        on r.subscription = c.subscription
        and r.place = c.place
    group by c.subscription, c.place, c.starts_at
),
walk as (
    select
        s.subscription,
        0::bigint as place,
        []::struct(row bigint, starts_at timestamp, ends_at timestamp, mrr bigint)[] as limited,
        []::struct(row bigint, starts_at timestamp, ends_at timestamp, mrr bigint)[] as earlier
    from step s
    where s.place = 1
    union all
    (
        with available as (
            select
                s.subscription,
                s.place,
                s.credits,
                w.earlier,
                greatest(
                    s.revenue + coalesce(list_sum(list_transform(
                        list_filter(w.earlier, lambda e: e.starts_at < s.starts_at and e.ends_at > s.starts_at),
                        lambda e: e.mrr
                    )), 0),
                    0
                )::bigint as mrr
            from walk w
            join step s
                on s.subscription = w.subscription
                and s.place = w.place + 1
        ),
        taken as (
            select
                a.subscription,
                a.place,
                a.earlier,
                list_transform(a.credits, lambda c: {
                    'row': c.row,
                    'starts_at': c.starts_at,
                    'ends_at': c.ends_at,
                    'mrr': greatest(c.mrr, - a.mrr)
                }) as limited
            from available a
        )
        select
            t.subscription,
            t.place,
            t.limited,
            list_concat(t.earlier, t.limited)
        from taken t
    )
)
select
    l.credit.row,
    l.credit.mrr
from (select unnest(w.limited) as credit from walk w) l;
