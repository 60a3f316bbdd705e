-- How does MRR move, day by day? Rules R9 to R13.
--
-- One row a covered day, in the reporting currency:
--     opening + preexisting + new + reactivation + expansion + contraction + rounding
--     + churn = closing, exactly.
-- The first day opens with the balances of the day before: 0 for a complete history,
-- what renewals prove for a truncated one.
create or replace view kpi.mrr_daily as
with day as (
    select
        g.day::date as day,
        v.observed_from,
        v.mrr_complete_from,
        v.churn_observable_from
    from kpi.coverage v
    cross join lateral generate_series(v.observed_from::timestamp, v.complete_through::timestamp, interval '1 day') g (day)
),
-- What came before coverage opens its first day.
opening as (
    select
        coalesce(sum(d.change), 0) as mrr,
        coalesce(sum(d.unpaid_change), 0) as unpaid,
        coalesce(sum(d.customers), 0) as customers
    from kpi.daily_change d
    join kpi.coverage v
        on d.effective_on < v.observed_from
),
-- In cents, which are added up faster than amounts in the reporting currency.
added as (
    select
        d.effective_on,
        d.currency,
        sum(d.change) as change,
        sum(d.change) filter (where d.kind = 'preexisting') as preexisting,
        sum(d.change) filter (where d.kind = 'new') as new,
        sum(d.change) filter (where d.kind = 'reactivation') as reactivation,
        sum(d.change) filter (where d.kind = 'expansion') as expansion,
        sum(d.change) filter (where d.kind = 'contraction') as contraction,
        sum(d.change) filter (where d.kind = 'rounding') as rounding,
        sum(d.change) filter (where d.kind = 'churn') as churn,
        sum(d.unpaid_change) as unpaid,
        sum(d.customers) filter (where d.kind = 'preexisting') as customers_preexisting,
        sum(d.customers) filter (where d.kind = 'new') as customers_new,
        sum(d.customers) filter (where d.kind = 'reactivation') as customers_reactivated,
        - sum(d.customers) filter (where d.kind = 'churn') as customers_churned,
        sum(d.customers) as customers
    from ledger.daily_change_cents d
    -- As a difference: the planner would take a bound for few rows, and an index.
    where d.effective_on - (select v.complete_through from kpi.coverage v) <= 0
    group by d.effective_on, d.currency
),
changed as (
    select
        a.effective_on,
        sum(a.change * f.factor) as change,
        sum(a.preexisting * f.factor) as preexisting,
        sum(a.new * f.factor) as new,
        sum(a.reactivation * f.factor) as reactivation,
        sum(a.expansion * f.factor) as expansion,
        sum(a.contraction * f.factor) as contraction,
        sum(a.rounding * f.factor) as rounding,
        sum(a.churn * f.factor) as churn,
        sum(a.unpaid * f.factor) as unpaid,
        sum(a.customers_preexisting) as customers_preexisting,
        sum(a.customers_new) as customers_new,
        sum(a.customers_reactivated) as customers_reactivated,
        sum(a.customers_churned) as customers_churned,
        sum(a.customers) as customers
    from added a
    join (select c.currency, c.factor * 0.01 as factor from ledger.currency c) f
        on f.currency = a.currency
    group by a.effective_on
),
balanced as (
    select
        d.day,
        d.mrr_complete_from,
        d.churn_observable_from,
        coalesce(c.change, 0) as change,
        coalesce(c.preexisting, 0) as preexisting,
        coalesce(c.new, 0) as new,
        coalesce(c.reactivation, 0) as reactivation,
        coalesce(c.expansion, 0) as expansion,
        coalesce(c.contraction, 0) as contraction,
        coalesce(c.rounding, 0) as rounding,
        coalesce(c.churn, 0) as churn,
        coalesce(c.customers_preexisting, 0)::bigint as customers_preexisting,
        coalesce(c.customers_new, 0)::bigint as customers_new,
        coalesce(c.customers_reactivated, 0)::bigint as customers_reactivated,
        coalesce(c.customers_churned, 0)::bigint as customers_churned,
        o.mrr + coalesce(sum(c.change) over up_to_day, 0) as closing,
        o.unpaid + coalesce(sum(c.unpaid) over up_to_day, 0) as unpaid,
        (o.customers + coalesce(sum(c.customers) over up_to_day, 0))::bigint as customers
    from day d
    cross join opening o
    left join changed c
        on c.effective_on = d.day
    window up_to_day as (order by d.day)
)
select
    b.day,
    b.closing - b.change as opening,
    b.preexisting,
    b.new,
    b.reactivation,
    b.expansion,
    b.contraction,
    b.rounding,
    b.churn,
    b.closing,
    b.unpaid,
    b.customers,
    b.customers_preexisting,
    b.customers_new,
    b.customers_reactivated,
    b.customers_churned,
    b.closing / nullif(b.customers, 0) as arpa,
    12 * b.closing as arr,
    b.day >= b.mrr_complete_from as mrr_is_complete,
    b.day >= b.churn_observable_from as churn_is_observable
from balanced b;

comment on view kpi.mrr_daily is 'The waterfall by day: one row a covered day, in the reporting currency. opening + all kinds = closing.';
comment on column kpi.mrr_daily.day is 'The day, in the reporting time zone.';
comment on column kpi.mrr_daily.opening is 'MRR at the end of the day before, in the reporting currency.';
comment on column kpi.mrr_daily.preexisting is 'MRR of customers who were there before the history began, on the day it becomes visible.';
comment on column kpi.mrr_daily.new is 'MRR of customers who pay for the first time.';
comment on column kpi.mrr_daily.reactivation is 'MRR of customers who come back.';
comment on column kpi.mrr_daily.expansion is 'MRR that customers add.';
comment on column kpi.mrr_daily.contraction is 'MRR that customers who stay give up; negative.';
comment on column kpi.mrr_daily.rounding is 'Cents that prorations leave.';
comment on column kpi.mrr_daily.churn is 'MRR of customers who leave; negative.';
comment on column kpi.mrr_daily.closing is 'MRR at the end of the day, in the reporting currency.';
comment on column kpi.mrr_daily.unpaid is 'Part of the closing MRR whose invoices are open or drafts, in the reporting currency.';
comment on column kpi.mrr_daily.customers is 'Customers with MRR above 0 at the end of the day.';
comment on column kpi.mrr_daily.customers_preexisting is 'Customers who were there before the history began and become visible.';
comment on column kpi.mrr_daily.customers_new is 'Customers who pay for the first time.';
comment on column kpi.mrr_daily.customers_reactivated is 'Customers who come back.';
comment on column kpi.mrr_daily.customers_churned is 'Customers who leave.';
comment on column kpi.mrr_daily.arpa is 'Closing MRR a customer, in the reporting currency.';
comment on column kpi.mrr_daily.arr is '12 times closing MRR, in the reporting currency a year.';
comment on column kpi.mrr_daily.mrr_is_complete is 'False where MRR is a lower bound (R11).';
comment on column kpi.mrr_daily.churn_is_observable is 'False where churn cannot be seen yet (R11).';
grant select on kpi.mrr_daily to pgmrr_reader, pgmrr_writer;
