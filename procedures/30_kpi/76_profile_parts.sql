-- What does each customer contribute to each metric of each profile? Rule R12.
--
-- p_first_on and p_last_on are a covered range. One row a metric, profile and customer who
-- had a movement in any of the days that count: the range, the 30 days that end with it, and
-- the calendar months of the range. All others, who keep what they have, are one row without
-- a customer_id. The value of a metric is the sum of the numerators, by that of the
-- denominators where there are any. LTV is no such sum, and has no rows.
--
-- The definitions stand in kpi.profiles. A customer is gained or lost on a day, in however
-- many currencies: days are counted, not rows of the ledger.
create or replace function kpi.profile_parts(p_first_on date, p_last_on date)
returns table (
    metric text,
    profile text,
    customer_id text,
    numerator numeric,
    denominator numeric,
    events text
)
language sql
stable
parallel safe
begin atomic
    with bound as (
        select
            p_first_on as first_on,
            p_last_on as last_on,
            p_last_on - 29 as thirty_on,
            least(date_trunc('month', p_first_on::timestamp)::date, p_last_on - 29) as moved_from,
            least((date_trunc('month', p_last_on::timestamp) + interval '1 month - 1 day')::date, v.complete_through) as moved_to
        from kpi.coverage v
    ),
    -- One row a customer, day and kind; what came before the days that count is one row. No step
    -- joins customers with customers: one pass and sorts serve, however many there are.
    daily as (
        select
            l.customer_id,
            greatest(l.effective_on, b.moved_from - 1) as effective_on,
            case when l.effective_on >= b.moved_from then l.kind else 'earlier' end as kind,
            sum(l.change * c.factor) as change
        from bound b
        join kpi.ledger l
            on l.effective_on <= b.moved_to
        join kpi.currency c
            on c.currency = l.currency
        group by 1, 2, 3
    ),
    -- New and lost in one calendar month: a customer is new once, and the first loss after it counts.
    known_new as (
        select
            d.customer_id,
            d.effective_on,
            d.kind,
            d.change,
            max(d.effective_on) filter (where d.kind = 'new') over (partition by d.customer_id) as new_on
        from daily d
    ),
    marked as (
        select
            n.customer_id,
            n.effective_on,
            n.kind,
            n.change,
            n.new_on,
            min(n.effective_on) filter (
                where n.kind = 'churn'
                    and n.effective_on > n.new_on
                    and date_trunc('month', n.effective_on::timestamp) = date_trunc('month', n.new_on::timestamp)
            ) over (partition by n.customer_id) as churned_on
        from known_new n
    ),
    mover as (
        select
            d.customer_id,
            coalesce(sum(d.change) filter (where d.effective_on < b.first_on), 0) as opening,
            coalesce(sum(d.change) filter (where d.effective_on <= b.last_on), 0) as closing,
            coalesce(sum(d.change) filter (where d.effective_on < b.thirty_on), 0) as opening_30,
            count(*) filter (where i.is_in and d.kind = 'new') as new,
            count(*) filter (where i.is_in and d.kind = 'churn') as churned,
            count(*) filter (where i.is_in and d.kind in ('new', 'reactivation', 'preexisting')) as gained,
            count(*) filter (where i.is_in_30 and d.kind = 'new') as new_30,
            count(*) filter (where i.is_in_30 and d.kind = 'preexisting') as preexisting_30,
            count(*) filter (where i.is_in_30 and d.kind = 'churn') as churned_30,
            count(*) filter (where i.is_in and d.kind = 'new' and d.churned_on is not null) as short_new,
            count(*) filter (where i.is_in and d.kind = 'churn' and d.effective_on = d.churned_on) as short_churned,
            - coalesce(sum(d.change) filter (where i.is_in and d.kind = 'churn'), 0) as churn,
            - coalesce(sum(d.change) filter (where i.is_in_30 and d.kind = 'churn'), 0) as churn_30,
            - coalesce(sum(d.change) filter (where i.is_in and d.kind = 'churn' and d.effective_on = d.churned_on), 0) as short_churn,
            - coalesce(sum(d.change) filter (where i.is_in and d.kind = 'contraction'), 0) as contraction,
            coalesce(sum(d.change) filter (where i.is_in and d.kind = 'expansion'), 0) as expansion,
            coalesce(sum(d.change) filter (where i.is_in and d.kind = 'reactivation'), 0) as reactivation,
            - coalesce(sum(d.change) filter (where i.is_in and d.kind = 'rounding' and d.change < 0), 0) as rounded_down,
            coalesce(sum(d.change) filter (where i.is_in and d.kind = 'rounding' and d.change > 0), 0) as rounded_up,
            string_agg(d.kind || ' ' || to_char(d.effective_on, 'YYYY-MM-DD'), ', ' order by d.effective_on, d.kind collate "C")
                filter (where d.kind <> 'earlier') as events
        from bound b
        cross join marked d
        cross join lateral (
            select
                d.effective_on between b.first_on and b.last_on as is_in,
                d.effective_on between b.thirty_on and b.last_on as is_in_30
        ) i
        group by d.customer_id
        having bool_or(d.kind <> 'earlier')
    ),
    steady as (
        select
            t.closing - coalesce(sum(m.closing), 0) as mrr,
            t.customers - count(*) filter (where m.closing > 0) as customers
        from bound b
        join kpi.mrr_daily t
            on t.day = b.last_on
        left join mover m on true
        group by t.closing, t.customers
    ),
    part as (
        select
            a.metric,
            a.profile,
            m.customer_id,
            a.numerator,
            a.denominator,
            m.events
        from mover m
        cross join lateral (
            values
            ('customers_new', 'simple', m.new::numeric, null::numeric),
            ('customers_new', 'stripe', m.new_30, null),
            ('customers_new', 'chartmogul', m.new, null),
            ('customers_new', 'profitwell', m.new - m.short_new, null),
            ('customers_churned', 'simple', (m.opening > 0 and m.closing = 0)::integer, null),
            ('customers_churned', 'stripe', m.churned_30, null),
            ('customers_churned', 'chartmogul', (m.churned > 0 and m.gained = 0)::integer, null),
            ('customers_churned', 'profitwell', m.churned - m.short_churned, null),
            ('customer_churn_rate', 'simple', (m.opening > 0 and m.closing = 0)::integer, (m.opening > 0)::integer),
            ('customer_churn_rate', 'stripe', m.churned_30, (m.opening_30 > 0)::integer + m.new_30 + m.preexisting_30),
            ('customer_churn_rate', 'chartmogul', (m.churned > 0 and m.gained = 0)::integer, (m.opening > 0)::integer),
            ('churned_mrr', 'simple', m.churn, null),
            ('churned_mrr', 'stripe', m.churn_30, null),
            ('churned_mrr', 'chartmogul', m.churn, null),
            ('churned_mrr', 'profitwell', m.churn - m.short_churn, null),
            ('gross_mrr_churn_rate', 'simple', m.churn + m.contraction, m.opening),
            ('gross_mrr_churn_rate', 'chartmogul', m.churn + m.contraction + m.rounded_down, m.opening),
            ('net_mrr_churn_rate', 'simple', m.churn + m.contraction - m.expansion - m.reactivation, m.opening),
            (
                'net_mrr_churn_rate',
                'chartmogul',
                m.churn + m.contraction + m.rounded_down - m.expansion - m.reactivation - m.rounded_up,
                m.opening
            ),
            ('arpa', 'simple', m.closing, (m.closing > 0)::integer),
            ('arpa', 'chartmogul', m.closing, (m.closing > 0)::integer)
        ) a (metric, profile, numerator, denominator)
    ),
    steady_part as (
        select
            d.metric,
            d.profile,
            null::text as customer_id,
            case when d.metric = 'arpa' then s.mrr else 0 end as numerator,
            case
                when d.metric in ('customer_churn_rate', 'arpa') then s.customers
                when d.metric in ('gross_mrr_churn_rate', 'net_mrr_churn_rate') then s.mrr
            end as denominator,
            null::text as events
        from steady s
        join kpi.profiles d
            on d.definition is not null
            and d.metric <> 'ltv'
    )
    select
        p.metric,
        p.profile,
        p.customer_id,
        p.numerator,
        p.denominator,
        p.events
    from part p
    union all
    select
        p.metric,
        p.profile,
        p.customer_id,
        p.numerator,
        p.denominator,
        p.events
    from steady_part p;
end;

comment on function kpi.profile_parts(date, date) is
    'R12: what each customer contributes to numerator and denominator of each metric of each profile in a covered range; one row a metric, profile and customer with a movement, and one for all others together, in the reporting currency.';
revoke all on function kpi.profile_parts(date, date) from public;
grant execute on function kpi.profile_parts(date, date) to pgmrr_reader, pgmrr_writer;
