-- How well are customers and revenue kept in each segment, in a range of days? Rule R12.
--
-- One row a segment with MRR in the range, which is clipped to coverage; no row where none of
-- it is covered. Customers are followed from the segment they open in, or enter, wherever
-- they go: so opening and kept MRR and the movements add up to those of kpi.retention, and a
-- change from one segment to another is no loss. Only by currency is each currency followed on
-- its own: a customer who gives up one of two is lost to that one. Rates are shares, NULL where
-- churn is not observable in the whole range or there was nothing to keep. NULL bounds are
-- those of coverage. Errors MR004 where the attribute is unknown, MR006 where the range is
-- upside down.
create or replace function kpi.retention_by(p_attribute text, p_from date default null, p_to date default null)
returns table (
    segment text,
    first_on date,
    last_on date,
    opening numeric,
    kept numeric,
    customers_opening bigint,
    customers_lost bigint,
    customer_churn_rate numeric,
    gross_mrr_churn_rate numeric,
    net_mrr_churn_rate numeric,
    nrr numeric,
    grr numeric,
    quick_ratio numeric,
    mrr_is_complete boolean,
    churn_is_observable boolean
)
language sql
stable
parallel safe
begin atomic
    select kpi.check_attribute(p_attribute);

    with followed as (
        select
            w.segment,
            w.first_on,
            w.last_on,
            w.opening,
            w.kept,
            w.losses,
            w.new,
            w.reactivation,
            w.expansion,
            abs(w.contraction) as contraction,
            abs(w.churn) as churn,
            w.customers_opening,
            w.customers_lost,
            w.mrr_is_complete,
            w.churn_is_observable,
            -- The denominators: NULL where the rate cannot be told.
            case when w.churn_is_observable then nullif(w.opening, 0) end as base,
            case when w.churn_is_observable then nullif(w.customers_opening, 0) end as customer_base
        from kpi.covered_range(p_from, p_to) r
        cross join lateral kpi.waterfall_by(p_attribute, array[r.first_on, r.last_on + 1]) w
    )
    select
        f.segment,
        f.first_on,
        f.last_on,
        f.opening,
        f.kept,
        f.customers_opening,
        f.customers_lost,
        f.customers_lost::numeric / f.customer_base,
        (f.churn + f.contraction) / f.base,
        (f.churn + f.contraction - f.expansion - f.reactivation) / f.base,
        f.kept / f.base,
        (f.opening + f.losses) / f.base,
        case
            when f.churn_is_observable
                then (f.new + f.reactivation + f.expansion) / nullif(f.contraction + f.churn, 0)
        end,
        f.mrr_is_complete,
        f.churn_is_observable
    from followed f
    order by f.opening desc, f.segment collate "C";
end;

comment on function kpi.retention_by(text, date, date) is
    'R12: churn and retention of each segment in a range of days, both included and clipped to coverage; one row a segment, rates as shares. Errors MR004 where the attribute is unknown, MR006 where the range is upside down. Example: select * from kpi.retention_by(''currency'', ''2024-02-01'', ''2024-04-30'').';
revoke all on function kpi.retention_by(text, date, date) from public;
grant execute on function kpi.retention_by(text, date, date) to pgmrr_reader, pgmrr_writer;
