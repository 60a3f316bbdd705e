-- How did MRR move, month by month, as known after batch p_batch? Rules R10 to R13.
--
-- One row a calendar month, clipped to the coverage of then, in the reporting currency: the
-- columns of kpi.mrr_monthly, by the same formulas, so that
--     opening + preexisting + new + reactivation + expansion + contraction + rounding
--     + churn = closing, exactly.
-- Evaluated by the rules from the versions of the facts that were in force after that
-- batch; settings and exchange rates are today's. No row where there is no such batch.
--
-- It runs with the rights of its owner, for the reason that kpi.mrr_total_as_of gives.
create or replace function kpi.mrr_monthly_as_of(p_batch bigint)
returns table (
    month date,
    first_on date,
    last_on date,
    opening numeric,
    preexisting numeric,
    new numeric,
    reactivation numeric,
    expansion numeric,
    contraction numeric,
    rounding numeric,
    churn numeric,
    closing numeric,
    unpaid numeric,
    customers_opening bigint,
    customers_preexisting bigint,
    customers_new bigint,
    customers_reactivated bigint,
    customers_churned bigint,
    customers bigint,
    growth numeric,
    arpa numeric,
    arr numeric,
    is_whole boolean,
    mrr_is_complete boolean,
    churn_is_observable boolean
)
language sql
stable
parallel safe
security definer
begin atomic
    with coverage as materialized (
        select
            v.observed_from,
            v.complete_through,
            v.mrr_complete_from,
            v.churn_observable_from
        from pipeline.coverage_as_of(p_batch) v
        where v.observed_from <= v.complete_through
    ),
    period as (
        select
            greatest(g.month::date, v.observed_from) as first_on,
            least((g.month + interval '1 month - 1 day')::date, v.complete_through) as last_on,
            v.mrr_complete_from,
            v.churn_observable_from
        from coverage v
        cross join lateral generate_series(
            date_trunc('month', v.observed_from::timestamp), v.complete_through::timestamp, interval '1 month'
        ) g (month)
    ),
    -- Place 0 holds what came before coverage: it opens the first month.
    changed as (
        select
            greatest(date_trunc('month', d.effective_on::timestamp)::date, v.observed_from) as first_on,
            d.effective_on < v.observed_from as is_before,
            d.kind,
            sum(d.customers) as customers,
            sum(d.change) as change,
            sum(d.unpaid_change) as unpaid_change
        from pipeline.daily_change_as_of(p_batch) d
        join coverage v
            on d.effective_on <= v.complete_through
        group by 1, 2, d.kind
    ),
    opening as (
        select
            coalesce(sum(c.change), 0) as mrr,
            coalesce(sum(c.unpaid_change), 0) as unpaid,
            coalesce(sum(c.customers), 0) as customers
        from changed c
        where c.is_before
    ),
    monthly as (
        select
            p.first_on,
            p.last_on,
            p.mrr_complete_from,
            p.churn_observable_from,
            coalesce(sum(c.change), 0) as change,
            coalesce(sum(c.change) filter (where c.kind = 'preexisting'), 0) as preexisting,
            coalesce(sum(c.change) filter (where c.kind = 'new'), 0) as new,
            coalesce(sum(c.change) filter (where c.kind = 'reactivation'), 0) as reactivation,
            coalesce(sum(c.change) filter (where c.kind = 'expansion'), 0) as expansion,
            coalesce(sum(c.change) filter (where c.kind = 'contraction'), 0) as contraction,
            coalesce(sum(c.change) filter (where c.kind = 'rounding'), 0) as rounding,
            coalesce(sum(c.change) filter (where c.kind = 'churn'), 0) as churn,
            coalesce(sum(c.unpaid_change), 0) as unpaid_change,
            coalesce(sum(c.customers) filter (where c.kind = 'preexisting'), 0) as customers_preexisting,
            coalesce(sum(c.customers) filter (where c.kind = 'new'), 0) as customers_new,
            coalesce(sum(c.customers) filter (where c.kind = 'reactivation'), 0) as customers_reactivated,
            coalesce(- sum(c.customers) filter (where c.kind = 'churn'), 0) as customers_churned,
            coalesce(sum(c.customers), 0) as customers_change
        from period p
        left join changed c
            on c.first_on = p.first_on
            and not c.is_before
        group by p.first_on, p.last_on, p.mrr_complete_from, p.churn_observable_from
    ),
    balanced as (
        select
            m.first_on,
            m.last_on,
            m.mrr_complete_from,
            m.churn_observable_from,
            m.change,
            m.preexisting,
            m.new,
            m.reactivation,
            m.expansion,
            m.contraction,
            m.rounding,
            m.churn,
            m.customers_preexisting,
            m.customers_new,
            m.customers_reactivated,
            m.customers_churned,
            m.customers_change,
            o.mrr + sum(m.change) over in_order as closing,
            o.unpaid + sum(m.unpaid_change) over in_order as unpaid,
            o.customers + sum(m.customers_change) over in_order as customers
        from monthly m
        cross join opening o
        window in_order as (order by m.first_on)
    )
    select
        date_trunc('month', b.first_on::timestamp)::date,
        b.first_on,
        b.last_on,
        b.closing - b.change,
        b.preexisting,
        b.new,
        b.reactivation,
        b.expansion,
        b.contraction,
        b.rounding,
        b.churn,
        b.closing,
        b.unpaid,
        (b.customers - b.customers_change)::bigint,
        b.customers_preexisting::bigint,
        b.customers_new::bigint,
        b.customers_reactivated::bigint,
        b.customers_churned::bigint,
        b.customers::bigint,
        case
            when b.first_on >= b.churn_observable_from
                then (b.change - b.preexisting) / nullif(b.closing - b.change, 0)
        end,
        b.closing / nullif(b.customers, 0),
        12 * b.closing,
        b.first_on = date_trunc('month', b.first_on::timestamp)::date
        and b.last_on = (date_trunc('month', b.first_on::timestamp) + interval '1 month - 1 day')::date,
        b.first_on >= b.mrr_complete_from,
        b.first_on >= b.churn_observable_from
    from balanced b
    order by b.first_on;
end;

comment on function kpi.mrr_monthly_as_of(bigint) is
    'The waterfall by month as known after a batch, one row a calendar month, clipped to the coverage of then, in the reporting currency: the columns of kpi.mrr_monthly. Settings and exchange rates are today''s. No row where there is no such batch. Error MR005 where an exchange rate is missing. Example: select month, opening, closing from kpi.mrr_monthly_as_of(1).';
revoke all on function kpi.mrr_monthly_as_of(bigint) from public;
grant execute on function kpi.mrr_monthly_as_of(bigint) to pgmrr_reader, pgmrr_writer;
