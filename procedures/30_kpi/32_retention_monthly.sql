-- How well are customers and revenue kept, month by month? Rule R12.
--
-- One row a calendar month, clipped to coverage, in the reporting currency. LTV = ARPA /
-- mean customer churn rate of the last up to six whole months with observable churn. Only
-- the first and the last month can be parts of one: the first has no rate then, since
-- nobody is known at its opening or churn is not observable yet, and the last looks back
-- from the month before.
--
-- The boundaries are found once, in a materialized step: the functions that take them
-- are inlined and would find them anew for each row.
create or replace view kpi.retention_monthly as
with boundary as materialized (
    select kpi.month_boundaries() as days
)
select
    date_trunc('month', r.first_on::timestamp)::date as month,
    r.first_on,
    r.last_on,
    r.opening,
    r.closing,
    r.customers_opening,
    r.customers_lost,
    r.customer_churn_rate,
    r.gross_mrr_churn_rate,
    r.net_mrr_churn_rate,
    r.nrr,
    r.grr,
    r.quick_ratio,
    r.arpa,
    r.arpa / nullif(
        case
            when w.is_whole
                then avg(r.customer_churn_rate) over (by_month rows between 5 preceding and current row)
            else avg(r.customer_churn_rate) over (by_month rows between 6 preceding and 1 preceding)
        end,
        0
    ) as ltv,
    w.is_whole,
    r.mrr_is_complete,
    r.churn_is_observable,
    case
        when not r.churn_is_observable then 'churn is not observable yet'
        when r.opening = 0 then 'nothing to keep: the opening is 0'
        when not w.is_whole then 'part of a month'
    end as note
from boundary b
cross join lateral kpi.retention_by_period(b.days) r
cross join lateral (
    select
        date_trunc('month', r.first_on::timestamp) = r.first_on
        and date_trunc('month', r.last_on::timestamp) + interval '1 month - 1 day' = r.last_on as is_whole
) w
window by_month as (order by r.first_on);

comment on view kpi.retention_monthly is 'Churn and retention by month: one row a calendar month, clipped to coverage, in the reporting currency. Rates are shares.';
comment on column kpi.retention_monthly.month is 'First day of the calendar month.';
comment on column kpi.retention_monthly.first_on is 'First covered day of it.';
comment on column kpi.retention_monthly.last_on is 'Last covered day of it.';
comment on column kpi.retention_monthly.opening is 'MRR at the end of the day before, in the reporting currency.';
comment on column kpi.retention_monthly.closing is 'MRR at the end of the last covered day, in the reporting currency.';
comment on column kpi.retention_monthly.customers_opening is 'Customers with MRR above 0 at the opening.';
comment on column kpi.retention_monthly.customers_lost is 'Those of them at zero at the closing.';
comment on column kpi.retention_monthly.customer_churn_rate is 'customers_lost / customers_opening.';
comment on column kpi.retention_monthly.gross_mrr_churn_rate is '(|churn| + |contraction|) / opening; may pass 1 where a customer grows and leaves within the month.';
comment on column kpi.retention_monthly.net_mrr_churn_rate is '(|churn| + |contraction| - expansion - reactivation) / opening.';
comment on column kpi.retention_monthly.nrr is 'Closing MRR of the customers active at the opening / opening.';
comment on column kpi.retention_monthly.grr is 'Sum of min(opening, closing) over the customers active at the opening / opening; between 0 and 1.';
comment on column kpi.retention_monthly.quick_ratio is '(new + reactivation + expansion) / (|contraction| + |churn|).';
comment on column kpi.retention_monthly.arpa is 'Closing MRR a customer, in the reporting currency.';
comment on column kpi.retention_monthly.ltv is 'ARPA / mean customer churn rate of the last up to six whole months with observable churn.';
comment on column kpi.retention_monthly.is_whole is 'False where the month is clipped to coverage.';
comment on column kpi.retention_monthly.mrr_is_complete is 'False where MRR is a lower bound (R11).';
comment on column kpi.retention_monthly.churn_is_observable is 'False where churn cannot be seen in all of it (R11).';
comment on column kpi.retention_monthly.note is 'Why rates are empty, or what to mind.';
grant select on kpi.retention_monthly to pgmrr_reader, pgmrr_writer;
