-- How does MRR move, month by month? Rule R12.
--
-- One row a calendar month, clipped to coverage, in the reporting currency:
--     opening + preexisting + new + reactivation + expansion + contraction + rounding
--     + churn = closing, exactly.
-- Growth = (closing - opening - preexisting) / opening. It needs churn to be observable
-- in the whole month, and is NULL where it is not.
--
-- The boundaries are found once, in a materialized step: the functions that take them
-- are inlined and would find them anew for each row.
create or replace view kpi.mrr_monthly as
with boundary as materialized (
    select kpi.month_boundaries() as days
)
select
    date_trunc('month', w.first_on::timestamp)::date as month,
    w.first_on,
    w.last_on,
    w.opening,
    w.preexisting,
    w.new,
    w.reactivation,
    w.expansion,
    w.contraction,
    w.rounding,
    w.churn,
    w.closing,
    w.unpaid,
    w.customers_opening,
    w.customers_preexisting,
    w.customers_new,
    w.customers_reactivated,
    w.customers_churned,
    w.customers,
    case
        when w.churn_is_observable then (w.closing - w.opening - w.preexisting) / nullif(w.opening, 0)
    end as growth,
    w.closing / nullif(w.customers, 0) as arpa,
    12 * w.closing as arr,
    w.first_on = date_trunc('month', w.first_on::timestamp)::date
    and w.last_on = (date_trunc('month', w.first_on::timestamp) + interval '1 month - 1 day')::date as is_whole,
    w.mrr_is_complete,
    w.churn_is_observable
from boundary b
cross join lateral kpi.waterfall(b.days) w;

comment on view kpi.mrr_monthly is 'The waterfall by month: one row a calendar month, clipped to coverage, in the reporting currency. opening + all kinds = closing.';
comment on column kpi.mrr_monthly.month is 'First day of the calendar month.';
comment on column kpi.mrr_monthly.first_on is 'First covered day of it.';
comment on column kpi.mrr_monthly.last_on is 'Last covered day of it.';
comment on column kpi.mrr_monthly.opening is 'MRR at the end of the day before, in the reporting currency.';
comment on column kpi.mrr_monthly.preexisting is 'MRR of customers who were there before the history began, as it becomes visible.';
comment on column kpi.mrr_monthly.new is 'MRR of customers who pay for the first time.';
comment on column kpi.mrr_monthly.reactivation is 'MRR of customers who come back.';
comment on column kpi.mrr_monthly.expansion is 'MRR that customers add.';
comment on column kpi.mrr_monthly.contraction is 'MRR that customers who stay give up; negative.';
comment on column kpi.mrr_monthly.rounding is 'Cents that prorations leave.';
comment on column kpi.mrr_monthly.churn is 'MRR of customers who leave; negative.';
comment on column kpi.mrr_monthly.closing is 'MRR at the end of the last covered day, in the reporting currency.';
comment on column kpi.mrr_monthly.unpaid is 'Part of the closing MRR whose invoices are open or drafts, in the reporting currency.';
comment on column kpi.mrr_monthly.customers_opening is 'Customers with MRR above 0 at the opening.';
comment on column kpi.mrr_monthly.customers_preexisting is 'Customers who were there before the history began and become visible.';
comment on column kpi.mrr_monthly.customers_new is 'Customers who pay for the first time.';
comment on column kpi.mrr_monthly.customers_reactivated is 'Times that customers come back.';
comment on column kpi.mrr_monthly.customers_churned is 'Times that customers leave.';
comment on column kpi.mrr_monthly.customers is 'Customers with MRR above 0 at the end.';
comment on column kpi.mrr_monthly.growth is '(closing - opening - preexisting) / opening, a share; NULL where churn is not observable or the opening is 0.';
comment on column kpi.mrr_monthly.arpa is 'Closing MRR a customer, in the reporting currency.';
comment on column kpi.mrr_monthly.arr is '12 times closing MRR, in the reporting currency a year.';
comment on column kpi.mrr_monthly.is_whole is 'False where the month is clipped to coverage.';
comment on column kpi.mrr_monthly.mrr_is_complete is 'False where MRR is a lower bound (R11).';
comment on column kpi.mrr_monthly.churn_is_observable is 'False where churn cannot be seen in all of it (R11).';
grant select on kpi.mrr_monthly to pgmrr_reader, pgmrr_writer;
