-- Whose sessions fell from one month to the next, and who churned in the month after?
-- Rule R12 (engagement).
--
-- One row a customer and month in which churn is looked for: a whole covered month in the
-- range with observable churn, after two whole covered months in which somebody used the
-- product. The customer had MRR on the first day of the first month and at the end of the
-- second, and at least one session in the first, so that its sessions could fall and it
-- could churn afterwards. Who is gone at the end of the second month is left out: that the
-- sessions of customers end when they leave says nothing about those to come. Churned is who
-- has no MRR at the end of the third month. NULL bounds are those of coverage. Error MR006
-- where the range is upside down.
create or replace function kpi.usage_changes(p_from date default null, p_to date default null)
returns table (
    churn_month date,
    customer_id text,
    mrr numeric,
    sessions_before bigint,
    sessions bigint,
    fell boolean,
    churned boolean
)
language sql
stable
parallel safe
set jit = off
begin atomic
    -- Only the sessions of the months asked for, and of the two before, are counted.
    with used as (
        select
            date_trunc('month', s.used_on::timestamp)::date as month,
            s.customer_id,
            count(*) as sessions
        from kpi.covered_range(p_from, p_to) r
        join kpi.session s
            on s.used_on >= date_trunc('month', r.first_on::timestamp) - interval '2 months'
            and s.used_on <= r.last_on
        group by 1, 2
    ),
    used_month as (
        select distinct u.month from used u
    ),
    -- The first day of the month before, the last days of the month and of the one after.
    triple as (
        select
            (g.month - interval '2 months')::date as begins_on,
            (g.month - interval '1 month')::date as month,
            g.month::date as churn_month,
            (g.month - interval '1 day')::date as ends_on,
            (g.month + interval '1 month - 1 day')::date as churned_by
        from kpi.covered_range(p_from, p_to) r
        cross join kpi.coverage v
        cross join lateral generate_series(
            date_trunc('month', r.first_on::timestamp), r.last_on::timestamp, interval '1 month'
        ) g (month)
        where g.month >= r.first_on
            and g.month >= v.churn_observable_from
            and g.month + interval '1 month - 1 day' <= r.last_on
            and g.month - interval '2 months' >= v.observed_from
            and exists (select from used_month u where u.month = g.month - interval '2 months')
            and exists (select from used_month u where u.month = g.month - interval '1 month')
    ),
    -- A customer's MRR over all currencies holds until its next change.
    stretch as materialized (
        select
            l.customer_id,
            l.effective_on as starts_on,
            lead(l.effective_on, 1, 'infinity') over (partition by l.customer_id order by l.effective_on) as ends_on,
            sum(l.change * c.factor) over (partition by l.customer_id order by l.effective_on) as mrr
        from kpi.ledger l
        join kpi.currency c
            on c.currency = l.currency
    ),
    active as materialized (
        select
            t.churn_month,
            s.customer_id,
            max(s.mrr) filter (where t.ends_on >= s.starts_on and t.ends_on < s.ends_on) as mrr,
            bool_or(t.begins_on >= s.starts_on and t.begins_on < s.ends_on) as began,
            bool_or(t.churned_by >= s.starts_on and t.churned_by < s.ends_on) as stayed
        from triple t
        join stretch s
            on s.starts_on <= t.churned_by
            and s.ends_on > t.begins_on
        where s.mrr > 0
        group by t.churn_month, s.customer_id
    )
    select
        t.churn_month,
        a.customer_id,
        a.mrr,
        b.sessions,
        coalesce(u.sessions, 0),
        2 * coalesce(u.sessions, 0) <= b.sessions,
        not a.stayed
    from triple t
    join active a
        on a.churn_month = t.churn_month
    join used b
        on b.month = t.begins_on
        and b.customer_id = a.customer_id
    left join used u
        on u.month = t.month
        and u.customer_id = a.customer_id
    where a.began
        and a.mrr > 0
    order by t.churn_month, a.customer_id collate "C";
end;

comment on function kpi.usage_changes(date, date) is
    'R12: the customer-months behind kpi.usage_and_churn: sessions in the two months before a month, whether they fell by half or more, and whether the customer churned in it; one row a customer and month of churn. Error MR006 where the range is upside down. Example: select * from kpi.usage_changes(''2024-06-01'', ''2024-06-30'').';
revoke all on function kpi.usage_changes(date, date) from public;
grant execute on function kpi.usage_changes(date, date) to pgmrr_reader, pgmrr_writer;
