-- What can the data say, and what can it not? Rule R11. One row.
--
-- With a truncated history, MRR is a lower bound until the longest term has passed:
-- customers who pay by the year and were not billed since are invisible. How much they
-- may be is estimated from the annual renewals that are visible: their MRR a day, over
-- a year, less what of it is visible. Churn becomes observable once the shortest term
-- has passed: before, who left cannot be seen.
--
-- The figures are scalar subqueries, so that a query pays only for those it reads:
-- kpi.mrr_at reads two columns of one row.
create or replace view kpi.coverage as
with bound as (
    select
        v.is_truncated,
        (v.first_invoice_at at time zone (select s.time_zone from meta.setting s))::date as first_invoice_on,
        v.observed_from,
        v.complete_through,
        greatest(v.complete_through - v.observed_from + 1, 0) as covered_days,
        (select min(d.months) from ledger.daily_term_cents d where d.mrr > 0) as shortest_term_months,
        v.longest_term_months,
        (
            select coalesce(sum(d.mrr * 0.01 * c.factor), 0)
            from ledger.daily_term_cents d
            join ledger.currency c
                on c.currency = d.currency
            where d.months = 12
                and d.is_renewal
                and d.starts_on between v.observed_from and v.complete_through
        ) as renewed_annual_mrr
    from meta.coverage v
),
known as (
    select
        b.is_truncated,
        b.first_invoice_on,
        b.observed_from,
        b.complete_through,
        b.covered_days,
        b.shortest_term_months,
        b.longest_term_months,
        (
            select case when count(distinct i.source) = 1 and min(i.source) <> 'stripe' then min(i.source) else 'invoices' end
            from meta.batch i
            where i.kind = 'import'
        ) as facts,
        case
            when b.is_truncated then (b.observed_from + make_interval(months => coalesce(b.longest_term_months, 0)))::date
            else b.observed_from
        end as mrr_complete_from,
        case
            when b.is_truncated then (b.observed_from + make_interval(months => coalesce(b.shortest_term_months, 0)))::date
            else b.observed_from
        end as churn_observable_from,
        case
            when not b.is_truncated or b.covered_days >= 365 then 0
            when b.covered_days > 0 then b.renewed_annual_mrr * 365 / b.covered_days - b.renewed_annual_mrr
        end as hidden_annual_mrr
    from bound b
)
select
    k.is_truncated,
    k.first_invoice_on,
    k.observed_from,
    k.complete_through,
    k.covered_days,
    k.shortest_term_months,
    k.longest_term_months,
    k.mrr_complete_from,
    k.churn_observable_from,
    k.hidden_annual_mrr,
    case
        when k.observed_from is null then 'There are no invoices yet.'
        when k.covered_days = 0 then format('The %s cover less than one whole day.', k.facts)
        else concat_ws(
            ' ',
            format(
                'MRR is known from %s to %s; on other days it is unknown.',
                to_char(k.observed_from, 'YYYY-MM-DD'),
                to_char(k.complete_through, 'YYYY-MM-DD')
            ),
            case
                when k.is_truncated and k.mrr_complete_from > k.observed_from then format(
                    'The export starts in the middle of the company''s life: before %s MRR is a lower bound, since customers with terms of up to %s may not have been billed yet.',
                    to_char(k.mrr_complete_from, 'YYYY-MM-DD'),
                    case k.longest_term_months when 1 then 'a month' else k.longest_term_months || ' months' end
                )
            end,
            case
                when k.is_truncated and k.churn_observable_from > k.observed_from then format(
                    'Churn cannot be seen before %s, so rates that need it are empty until then.',
                    to_char(k.churn_observable_from, 'YYYY-MM-DD')
                )
            end,
            case
                when k.is_truncated
                    then 'The price of a cycle that only its renewal proves is not known, nor is that of a change of '
                        'term that credits an invoice from before the export.'
            end
        )
    end as explanation
from known k;

comment on view kpi.coverage is 'R11: what the data can say, one row. Outside [observed_from, complete_through] MRR is unknown.';
comment on column kpi.coverage.is_truncated is 'True where the history starts in the middle of the company''s life.';
comment on column kpi.coverage.first_invoice_on is 'Day of the first invoice.';
comment on column kpi.coverage.observed_from is 'First day on which MRR is known.';
comment on column kpi.coverage.complete_through is 'Last day on which MRR is known.';
comment on column kpi.coverage.covered_days is 'Number of days from the first to the last.';
comment on column kpi.coverage.shortest_term_months is 'Shortest whole-month term with MRR above 0, in months.';
comment on column kpi.coverage.longest_term_months is 'Longest whole-month term seen, in months.';
comment on column kpi.coverage.mrr_complete_from is 'First day from which MRR is no longer a lower bound; it may lie behind complete_through.';
comment on column kpi.coverage.churn_observable_from is 'First day from which churn of the shortest terms can be seen.';
comment on column kpi.coverage.hidden_annual_mrr is 'Estimate of the MRR of annual customers who were not billed in the covered time, in the reporting currency; NULL where there is nothing to estimate from.';
comment on column kpi.coverage.explanation is 'The same in words.';
grant select on kpi.coverage to pgmrr_reader, pgmrr_writer;
