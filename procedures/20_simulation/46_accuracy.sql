-- How well do the rules give the true MRR of a simulation back? One row.
--
-- `customers` are those who ever had MRR within coverage, true or by the ledger; one is
-- right where the two differ by at most 0.05 in each currency on every day. Totals are
-- compared by day in the reporting currency. `worst_total` is the largest difference of a
-- day's totals as a share of the true one; NULL where a total is 0.
create or replace function simulation.accuracy()
returns table (
    days bigint,
    customers bigint,
    right_customers bigint,
    fewest_right_on_a_day numeric,
    worst_total numeric,
    worst_total_on date
)
language sql
stable
parallel safe
begin atomic
    with deviation as materialized (
        select
            d.customer_id,
            d.currency,
            d.first_on,
            d.last_on,
            d.ledger_mrr - d.true_mrr as difference
        from simulation.deviations() d
    ),
    covered as (
        select g.day::date as day
        from meta.coverage v
        cross join lateral generate_series(v.observed_from::timestamp, v.complete_through, interval '1 day') g (day)
    ),
    active as materialized (
        select
            t.customer_id,
            t.currency,
            t.effective_on,
            t.balance,
            t.balance - lag(t.balance, 1, 0::bigint) over (
                partition by t.customer_id, t.currency order by t.effective_on
            ) as change
        from ledger.true_mrr_cents t
    ),
    -- Totals by day as running sums of changes.
    true_change as (
        select
            greatest(a.effective_on, v.observed_from) as day,
            sum(a.change * 0.01 * c.factor) as change,
            sum((a.balance > 0)::integer - (a.balance - a.change > 0)::integer) as balances
        from active a
        join ledger.currency c
            on c.currency = a.currency
        join meta.coverage v
            on a.effective_on <= v.complete_through
        group by 1
    ),
    difference_change as (
        select
            e.day,
            sum(e.difference * c.factor) as change,
            sum(e.is_wrong) as wrong
        from deviation d
        join ledger.currency c
            on c.currency = d.currency
        cross join lateral (
            values
                (d.first_on, d.difference, (abs(d.difference) > 0.05)::integer),
                (d.last_on + 1, - d.difference, - (abs(d.difference) > 0.05)::integer)
        ) e (day, difference, is_wrong)
        group by e.day
    ),
    daily as (
        select
            o.day,
            sum(t.change) over in_order as true_total,
            sum(t.balances) over in_order as balances,
            sum(d.change) over in_order as difference,
            sum(d.wrong) over in_order as wrong
        from covered o
        left join true_change t
            on t.day = o.day
        left join difference_change d
            on d.day = o.day
        window in_order as (order by o.day)
    ),
    worst as (
        select
            d.day,
            abs(coalesce(d.difference, 0)) / d.true_total as share
        from daily d
        where d.true_total > 0
        order by 2 desc, 1
        limit 1
    ),
    seen as (
        select a.customer_id
        from active a
        join meta.coverage v
            on a.effective_on <= v.complete_through
        where a.balance > 0
        union
        select d.customer_id
        from deviation d
    )
    select
        (select count(*) from covered),
        (select count(*) from seen),
        (select count(*) from seen)
        - (select count(distinct d.customer_id) from deviation d where abs(d.difference) > 0.05),
        (select min(1 - coalesce(d.wrong, 0) / nullif(d.balances, 0)) from daily d),
        (select w.share from worst w),
        (select w.day from worst w);
end;

comment on function simulation.accuracy() is
    'How well the ledger gives the true MRR of a simulation back: one row with covered days, customers, how many are right (within 0.05 on every day), the smallest share of right customers on a day, and the largest difference of a day''s totals as a share of the true one.';
revoke all on function simulation.accuracy() from public;
grant execute on function simulation.accuracy() to pgmrr_writer;
