-- What would others report for the same customers? Rules R11 and R12.
--
-- One row a metric and profile, in the reporting currency, the range clipped to coverage;
-- no row where none of it is covered. Without a last day it is the last covered one, without
-- a first day the range begins with the calendar month of the last one.
-- `differs` compares the value with that of `simple`. A value is NULL, and the note says why,
-- where the profile publishes no definition, where churn is not observable in all the days
-- that count (R11), where these are not covered, or where the denominator is 0. Which
-- customers make a difference is answered by kpi.profile_differences. Error MR006 where the
-- range is upside down.
--
-- Steps are materialized, so that each is done once, whatever the planner believes; and plans
-- of this size take longer to compile than to run.
create or replace function kpi.compare_profiles(p_from date default null, p_to date default null)
returns table (
    metric text,
    unit text,
    profile text,
    value numeric,
    numerator numeric,
    denominator numeric,
    differs boolean,
    first_on date,
    last_on date,
    definition text,
    note text
)
language sql
stable
parallel safe
set jit = off
begin atomic
    with asked as materialized (
        select
            r.first_on,
            r.last_on,
            v.observed_from,
            v.churn_observable_from
        from kpi.coverage v
        cross join lateral kpi.covered_range(
            coalesce(p_from, date_trunc('month', coalesce(p_to, v.complete_through)::timestamp)::date), p_to
        ) r
    ),
    summed as materialized (
        select
            p.metric,
            p.profile,
            sum(p.numerator) as numerator,
            sum(p.denominator) as denominator
        from asked a
        cross join lateral kpi.profile_parts(a.first_on, a.last_on) p
        group by p.metric, p.profile
    ),
    -- ChartMogul's churn in each of the six whole months before the last month of the range.
    event as (
        select
            date_trunc('month', l.effective_on::timestamp)::date as month,
            l.customer_id
        from asked a
        join kpi.ledger l
            on l.effective_on < date_trunc('month', a.last_on::timestamp)
            and l.effective_on >= date_trunc('month', a.last_on::timestamp) - interval '6 months'
        where l.kind in ('new', 'preexisting', 'reactivation', 'churn')
        group by 1, 2
        having bool_and(l.kind = 'churn')
    ),
    churned as materialized (
        select
            e.month,
            count(*) as customers
        from event e
        group by e.month
    ),
    six_months as materialized (
        select
            count(*) filter (where m.is_whole and m.churn_is_observable and m.customers_opening > 0) as months,
            avg(coalesce(c.customers, 0) / nullif(m.customers_opening, 0)::numeric) as churn_rate
        from asked a
        join kpi.mrr_monthly m
            on m.month < date_trunc('month', a.last_on::timestamp)
            and m.month >= date_trunc('month', a.last_on::timestamp) - interval '6 months'
        left join churned c
            on c.month = m.month
    ),
    observable as materialized (
        select count(*) as months
        from asked a
        join kpi.mrr_monthly m
            on m.last_on <= a.last_on
        where m.is_whole
            and m.churn_is_observable
            and m.customers_opening > 0
    ),
    ltv as materialized (
        select
            'simple' as profile,
            r.ltv as value,
            r.arpa as numerator,
            r.arpa / nullif(r.ltv, 0) as denominator
        from asked a
        cross join lateral kpi.retention(a.first_on, a.last_on) r
        union all
        select
            'chartmogul',
            s.numerator / nullif(s.denominator, 0) / nullif(m.churn_rate, 0),
            s.numerator / nullif(s.denominator, 0),
            case when m.months = 6 then m.churn_rate end
        from summed s
        cross join six_months m
        where s.metric = 'arpa'
            and s.profile = 'chartmogul'
    ),
    measured as (
        select
            d.metric,
            d.metric_place,
            d.unit,
            d.profile,
            d.profile_place,
            d.definition,
            d.note,
            w.first_on,
            a.last_on,
            coalesce(s.numerator, l.numerator) as numerator,
            coalesce(s.denominator, l.denominator) as denominator,
            l.value as ltv,
            -- Why there is no value, the first reason that holds.
            case
                when d.definition is null then d.note
                when w.first_on < a.observed_from then 'not all of the 30 days are covered'
                when w.first_on < a.churn_observable_from and d.metric not in ('customers_new', 'arpa')
                    then 'churn is not observable in all the days that count'
                when d.metric = 'ltv' and d.profile = 'chartmogul' and l.denominator is null
                    then 'there are no six whole months with customers before the last month of the range'
                when d.metric = 'ltv' and l.denominator is null and d.profile = 'simple' and o.months = 0
                    then 'there is no whole month that opens with customers and in which churn is observable'
                when d.metric = 'ltv' and coalesce(l.denominator, 0) = 0 then 'no churn in a whole month in which it is observable'
                when d.unit = 'share' and s.denominator = 0 or d.metric = 'arpa' and s.denominator = 0
                    then 'nothing to divide by: there are no customers'
            end as reason
        from asked a
        cross join observable o
        cross join kpi.profiles d
        cross join lateral (
            select case when d.profile = 'stripe' then a.last_on - 29 else a.first_on end as first_on
        ) w
        left join summed s
            on s.metric = d.metric
            and s.profile = d.profile
        left join ltv l
            on d.metric = 'ltv'
            and l.profile = d.profile
    ),
    valued as materialized (
        select
            m.metric,
            m.metric_place,
            m.unit,
            m.profile,
            m.profile_place,
            m.definition,
            case
                when m.reason is null and m.metric in ('customers_new', 'customers_churned', 'churned_mrr') then m.numerator
                when m.reason is null and m.metric = 'ltv' then m.ltv
                when m.reason is null then m.numerator / m.denominator
            end as value,
            case when m.reason is null then m.numerator end as numerator,
            case when m.reason is null then m.denominator end as denominator,
            m.first_on,
            m.last_on,
            coalesce(m.reason, m.note) as note
        from measured m
    )
    select
        x.metric,
        x.unit,
        x.profile,
        x.value,
        x.numerator,
        x.denominator,
        x.value <> s.value,
        x.first_on,
        x.last_on,
        x.definition,
        x.note
    from valued x
    join valued s
        on s.metric = x.metric
        and s.profile = 'simple'
    order by x.metric_place, x.profile_place;
end;

comment on function kpi.compare_profiles(date, date) is
    'R12: the metrics of a range as this methodology (simple) and the published rules of Stripe, ChartMogul and ProfitWell make them from the same ledger, with numerator, denominator and why a value is missing; one row a metric and profile, in the reporting currency. Error MR006 where the range is upside down. Example: select * from kpi.compare_profiles(''2024-06-01'', ''2024-06-30'').';
revoke all on function kpi.compare_profiles(date, date) from public;
grant execute on function kpi.compare_profiles(date, date) to pgmrr_reader, pgmrr_writer;
