-- What do restarts and swaps do? Rule R7, for the subscriptions in `overlapping`.
--
-- One row a charge that they change: `amount` that its MRR comes from, in billionths of
-- a cent, its months, where it was billed until, where it ends by now, and whether a
-- restart settled it. All subscriptions are walked together, the charges of one in their order:
-- a step takes the next charge X of each. `running` are the earlier charges that may
-- still run when a later one begins.
create or replace temp table walked as
with recursive placed as materialized (
    select
        p.row,
        first_value(p.row) over in_order as subscription,
        row_number() over in_order as place,
        min(p.starts_at) over (in_order rows between 1 following and unbounded following) as later_from,
        p.starts_at,
        p.ends_at,
        day_of(p.ends_at) as ends_on,
        p.net,
        p.months,
        p.status = 'paid' as is_paid,
        p.may_restart,
        p.may_swap
    from period p
    semi join overlapping o
        on o.customer_id = p.customer_id
        and o.subscription_id = p.subscription_id
        and o.currency = p.currency
    where isfinite(p.ends_at)
    window in_order as (
        partition by p.subscription_id, p.customer_id, p.currency
        order by p.issued_at, p.starts_at, p.invoice_id
    )
),
walk as (
    select
        p.subscription,
        0::bigint as place,
        null::bigint as row,
        false as is_changed,
        null::hugeint as amount,
        null::integer as months,
        null::timestamp as billed_until,
        []::struct(row bigint, ends_at timestamp, is_settled boolean)[] as cuts,
        []::struct(
            row bigint,
            starts_at timestamp,
            ends_at timestamp,
            billed_until timestamp,
            billed_until_on date,
            amount hugeint,
            is_paid boolean,
            is_credit boolean
        )[] as running
    from placed p
    where p.place = 1
    union all
    (
        with next_charge as (
            select
                x.*,
                w.running,
                list_filter(w.running, lambda a:
                    x.may_swap
                    and a.starts_at < x.starts_at
                    and a.ends_at > x.starts_at
                    and a.billed_until_on = x.ends_on
                ) as swapped,
                list_filter(w.running, lambda a:
                    x.may_restart
                    and a.starts_at <= x.starts_at
                    and a.ends_at > x.starts_at + interval '12 hours'
                    and abs(microseconds(a.billed_until, x.ends_at)) > hours(12)
                ) as restarted
            from walk w
            join placed x
                on x.subscription = w.subscription
                and x.place = w.place + 1
        ),
        valued as (
            select
                x.*,
                x.net * 1_000_000_000::hugeint as own_amount,
                coalesce(list_sum(list_transform(x.swapped, lambda a: unused(a, x.starts_at))), 0) as swapped_rest,
                coalesce(list_sum(list_transform(
                    list_filter(x.restarted, lambda a: a.is_paid), lambda a: unused(a, x.starts_at)
                )), 0) as restarted_rest
            from next_charge x
        ),
        judged as (
            select
                v.*,
                -- More than five cents, at six decimals of a cent.
                v.may_swap and rounded_quotient(v.own_amount + v.swapped_rest, 1000) > 5_000_000 as is_swap
            from valued v
        ),
        settled as (
            select
                j.* exclude (months),
                case
                    when j.is_swap then j.own_amount + j.swapped_rest
                    else j.own_amount + greatest(j.restarted_rest, 0)
                end as amount,
                case when j.is_swap then 1 else j.months end as months,
                case when j.is_swap then j.starts_at + interval '1 month' else j.ends_at end as billed_until,
                case when j.is_swap then j.swapped else j.restarted end as given_up
            from judged j
        )
        select
            s.subscription,
            s.place,
            s.row,
            s.is_swap or s.amount <> s.own_amount as is_changed,
            s.amount,
            s.months,
            s.billed_until,
            list_transform(s.given_up, lambda a: {
                'row': a.row,
                'ends_at': s.starts_at,
                'is_settled': not s.is_swap and a.is_paid and a.is_credit
            }),
            list_filter(
                list_append(
                    list_transform(s.running, lambda a: {
                        'row': a.row,
                        'starts_at': a.starts_at,
                        'ends_at': case
                            when list_contains(list_transform(s.given_up, lambda g: g.row), a.row) then s.starts_at
                            else a.ends_at
                        end,
                        'billed_until': a.billed_until,
                        'billed_until_on': a.billed_until_on,
                        'amount': a.amount,
                        'is_paid': a.is_paid,
                        'is_credit': a.is_credit
                    }),
                    {
                        'row': s.row,
                        'starts_at': s.starts_at,
                        'ends_at': s.billed_until,
                        'billed_until': s.billed_until,
                        'billed_until_on': day_of(s.billed_until),
                        'amount': s.amount,
                        'is_paid': s.is_paid,
                        'is_credit': s.net < 0
                    }
                ),
                lambda a: a.ends_at > s.later_from
            )
        from settled s
    )
),
cut as (
    select
        c.cut.row,
        min(c.cut.ends_at) as ends_at,
        bool_or(c.cut.is_settled) as is_settled
    from (select unnest(w.cuts) as cut from walk w) c
    group by c.cut.row
)
select
    w.row,
    w.amount,
    w.months,
    w.billed_until,
    coalesce(c.ends_at, w.billed_until) as ends_at,
    coalesce(c.is_settled, false) as is_settled
from walk w
left join cut c
    on c.row = w.row
where w.is_changed
    or c.row is not null;
