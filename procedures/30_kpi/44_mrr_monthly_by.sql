-- How does the MRR of each segment move, month by month? Rules R11 and R12.
--
-- One row a calendar month, clipped to coverage, and segment with MRR in it, in the reporting
-- currency:
--     opening + preexisting + new + reactivation + expansion + contraction + rounding
--     + churn + moved = closing, exactly.
-- Over all segments each adds up to kpi.mrr_monthly's, and `moved` to 0: it is the MRR of
-- customers who changed to another segment, less what they brought (kpi.waterfall_by).
-- Error MR004 where the attribute is unknown.
create or replace function kpi.mrr_monthly_by(p_attribute text)
returns table (
    month date,
    segment text,
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
    moved numeric,
    closing numeric,
    customers_opening bigint,
    customers bigint,
    is_whole boolean,
    mrr_is_complete boolean,
    churn_is_observable boolean
)
language sql
stable
parallel safe
begin atomic
    select kpi.check_attribute(p_attribute);

    -- The boundaries are found once, in a materialized step.
    with boundary as materialized (
        select kpi.month_boundaries() as days
    )
    select
        date_trunc('month', w.first_on::timestamp)::date,
        w.segment,
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
        w.moved,
        w.closing,
        w.customers_opening,
        w.customers,
        w.first_on = date_trunc('month', w.first_on::timestamp)::date
        and w.last_on = (date_trunc('month', w.first_on::timestamp) + interval '1 month - 1 day')::date,
        w.mrr_is_complete,
        w.churn_is_observable
    from boundary b
    cross join lateral kpi.waterfall_by(p_attribute, b.days) w
    order by w.first_on, w.segment collate "C";
end;

comment on function kpi.mrr_monthly_by(text) is
    'The waterfall by month and segment: one row a calendar month, clipped to coverage, and segment with MRR in it, in the reporting currency. opening + all kinds + moved = closing. Error MR004 where the attribute is unknown. Example: select * from kpi.mrr_monthly_by(''currency'').';
revoke all on function kpi.mrr_monthly_by(text) from public;
grant execute on function kpi.mrr_monthly_by(text) to pgmrr_reader, pgmrr_writer;
