-- How much MRR comes up for renewal in each month ahead? Rules R5 to R9 and R11.
--
-- One row a calendar month in which kpi.renewals has any, in the reporting currency. `share`
-- is of all MRR on the last covered day. Error MR006 where the range is upside down.
create or replace function kpi.renewals_monthly(p_from date default null, p_to date default null)
returns table (
    month date,
    renewals bigint,
    customers bigint,
    mrr numeric,
    share numeric,
    annual_mrr numeric,
    unpaid numeric,
    renewed_mrr numeric
)
language sql
stable
parallel safe
begin atomic
    with due as (
        select
            date_trunc('month', r.ends_on::timestamp)::date as month,
            count(*) as renewals,
            count(distinct r.customer_id) as customers,
            sum(r.mrr) as mrr,
            coalesce(sum(r.mrr) filter (where r.term = 'year'), 0) as annual_mrr,
            sum(r.unpaid) as unpaid,
            coalesce(sum(r.mrr) filter (where r.is_renewed), 0) as renewed_mrr
        from kpi.renewals(p_from, p_to) r
        group by 1
    )
    select
        d.month,
        d.renewals,
        d.customers,
        d.mrr,
        d.mrr / nullif(t.mrr, 0),
        d.annual_mrr,
        d.unpaid,
        d.renewed_mrr
    from due d
    cross join (select kpi.mrr_total_at(v.complete_through) as mrr from kpi.coverage v) t
    order by d.month;
end;

comment on function kpi.renewals_monthly(date, date) is
    'Renewals ahead of the last covered day by month: one row a calendar month of the range (NULL: open) with any; MRR a month, in the reporting currency, share of all MRR 0 to 1. Error MR006 where the range is upside down. Example: select * from kpi.renewals_monthly(''2024-05-01'', ''2025-12-31'').';
revoke all on function kpi.renewals_monthly(date, date) from public;
grant execute on function kpi.renewals_monthly(date, date) to pgmrr_reader, pgmrr_writer;
