-- How well are customers and revenue kept in a range of days? Rule R12.
--
-- One row, the range clipped to coverage; no row where none of it is covered. Rates are
-- shares, NULL where churn is not observable in the whole range. LTV is that of the last
-- whole month in the range's end. NULL bounds are those of coverage. Error MR006 where
-- the range is upside down.
create or replace function kpi.retention(p_from date default null, p_to date default null)
returns table (
    first_on date,
    last_on date,
    opening numeric,
    closing numeric,
    customers_opening bigint,
    customers_lost bigint,
    customer_churn_rate numeric,
    gross_mrr_churn_rate numeric,
    net_mrr_churn_rate numeric,
    nrr numeric,
    grr numeric,
    quick_ratio numeric,
    arpa numeric,
    ltv numeric,
    mrr_is_complete boolean,
    churn_is_observable boolean
)
language sql
stable
parallel safe
begin atomic
    select
        p.first_on,
        p.last_on,
        p.opening,
        p.closing,
        p.customers_opening,
        p.customers_lost,
        p.customer_churn_rate,
        p.gross_mrr_churn_rate,
        p.net_mrr_churn_rate,
        p.nrr,
        p.grr,
        p.quick_ratio,
        p.arpa,
        p.arpa / (
            select nullif(avg(recent.customer_churn_rate), 0)
            from (
                select m.customer_churn_rate
                from kpi.retention_monthly m
                where m.is_whole
                    and m.churn_is_observable
                    and m.last_on <= p.last_on
                order by m.month desc
                limit 6
            ) recent
        ),
        p.mrr_is_complete,
        p.churn_is_observable
    from kpi.covered_range(p_from, p_to) r
    cross join lateral kpi.retention_by_period(array[r.first_on, r.last_on + 1]) p;
end;

comment on function kpi.retention(date, date) is
    'R12: churn and retention in a range of days, both included and clipped to coverage; one row, rates as shares. Error MR006 where the range is upside down. Example: select * from kpi.retention(''2024-04-01'', ''2024-06-30'').';
revoke all on function kpi.retention(date, date) from public;
grant execute on function kpi.retention(date, date) to pgmrr_reader, pgmrr_writer;
