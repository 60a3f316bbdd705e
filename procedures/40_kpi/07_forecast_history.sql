-- What does a forecast learn from? Rules R10 to R12. One row a period, in the reporting
-- currency.
--
-- MRR of customers who were there before and only become visible (preexisting) is no growth:
-- opening and closing are as if it had been known from the start,
--     opening + new + reactivation + expansion + contraction + rounding + churn = closing,
-- and the last closing is the MRR of the last covered day. For a complete history they are
-- the true ones.
--
-- `at_risk` is the part of the opening that can leave in the period: not what is paid beyond
-- it, as known at the period's opening.
create or replace view kpi.forecast_history as
with boundary as materialized (
    select kpi.forecast_boundaries(0) as days
),
period as materialized (
    select
        row_number() over (order by w.first_on)::integer as period,
        w.first_on,
        w.last_on,
        s.mrr - coalesce(sum(w.closing - w.opening - w.preexisting) over later, 0) as closing,
        w.new,
        w.reactivation,
        w.expansion,
        w.contraction,
        w.rounding,
        w.churn
    from boundary b
    cross join kpi.forecast_status s
    cross join lateral kpi.waterfall(b.days) w
    window later as (order by w.first_on rows between 1 following and unbounded following)
),
calendar as materialized (
    select c.starts_in, c.ends_in, c.mrr
    from boundary b
    cross join lateral kpi.term_calendar(b.days) c
    where c.renewals = 0
),
opened as (
    select
        p.period,
        p.first_on,
        p.last_on,
        p.closing - p.new - p.reactivation - p.expansion - p.contraction - p.rounding - p.churn as opening,
        p.new,
        p.reactivation,
        p.expansion,
        p.contraction,
        p.rounding,
        p.churn,
        p.closing,
        (select coalesce(sum(c.mrr), 0) from calendar c where c.starts_in < p.period and c.ends_in > p.period) as paid_beyond
    from period p
)
select
    o.period,
    o.first_on,
    o.last_on,
    o.opening,
    greatest(o.opening - o.paid_beyond, 0) as at_risk,
    o.new,
    o.reactivation,
    o.expansion,
    o.contraction,
    o.rounding,
    o.churn,
    o.closing
from opened o;

comment on view kpi.forecast_history is 'R10 to R12: what a forecast learns from, one row a period, in the reporting currency. opening + all kinds = closing.';
comment on column kpi.forecast_history.period is 'Number of the period, from 1.';
comment on column kpi.forecast_history.first_on is 'First day of the period.';
comment on column kpi.forecast_history.last_on is 'Last day of the period.';
comment on column kpi.forecast_history.opening is 'MRR before it, customers included who only became visible later.';
comment on column kpi.forecast_history.at_risk is 'Part of the opening that is not paid beyond the period.';
comment on column kpi.forecast_history.new is 'MRR of customers who pay for the first time.';
comment on column kpi.forecast_history.reactivation is 'MRR of customers who come back.';
comment on column kpi.forecast_history.expansion is 'MRR that customers add.';
comment on column kpi.forecast_history.contraction is 'MRR that customers who stay give up; negative.';
comment on column kpi.forecast_history.rounding is 'Cents that prorations leave.';
comment on column kpi.forecast_history.churn is 'MRR of customers who leave; negative.';
comment on column kpi.forecast_history.closing is 'MRR at its end.';
grant select on kpi.forecast_history to pgmrr_reader, pgmrr_writer;
