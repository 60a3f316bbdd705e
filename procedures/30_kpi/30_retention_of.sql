-- How well is revenue kept, period by period? Rule R12.
--
-- p_boundaries are the first days of consecutive periods and, at the end, the day after
-- the last one; what is not covered of them is left out. One row a period in which
-- something changed:
--     customers_lost  customers active at the opening who are at zero at the closing
--     net_change      closing less opening MRR of the customers active at the opening
--     losses          the same, of those among them whose MRR fell
-- so that NRR = (opening + net_change) / opening, and GRR = (opening + losses) / opening.
-- A customer's MRR in the reporting currency is the running sum of the ledger's changes,
-- so one pass over the ledger serves all periods, and customers without a movement in a
-- period, who keep what they had, need no row.
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
begin atomic
    with changed as (
        select
            l.customer_id,
            p.period,
            sum(l.change * c.factor) as change
        from kpi.coverage v
        join kpi.ledger l
            on l.effective_on <= v.complete_through
        join kpi.currency c
            on c.currency = l.currency
        -- Period 0 makes the first opening.
        cross join lateral (
            select case
                when l.effective_on >= v.observed_from then width_bucket(l.effective_on, p_boundaries)
                else 0
            end as period
        ) p
        where l.effective_on < p_boundaries[cardinality(p_boundaries)]
        group by l.customer_id, p.period
    ),
    closed as (
        select
            c.period,
            c.change,
            sum(c.change) over (partition by c.customer_id order by c.period) as closing
        from changed c
    )
    select
        greatest(p_boundaries[c.period], v.observed_from),
        count(*) filter (where c.closing = 0),
        sum(c.change),
        sum(least(c.change, 0))
    from closed c
    cross join kpi.coverage v
    where c.period between 1 and cardinality(p_boundaries) - 1
        and c.closing - c.change > 0
    group by c.period, v.observed_from;
end;

comment on function kpi.retention_of(date[]) is
    'What became, in consecutive periods, of the customers active at their opening: customers lost, net change and losses of their MRR in the reporting currency. One row a period in which something changed.';
revoke all on function kpi.retention_of(date[]) from public;
grant execute on function kpi.retention_of(date[]) to pgmrr_reader, pgmrr_writer;
