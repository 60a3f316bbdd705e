-- How well were customers and revenue kept over the last 3 and the last 12 months? Rule R12.
--
-- One row a window that ends on p_to (NULL: the last covered day): 3 or 12 months back, to
-- the day. Each follows the customers active at its own opening, so it is neither a mean nor
-- a product of monthly rates. Where the history does not reach back far enough, or churn was
-- not observable yet, the rates are NULL and the note says why: a shorter window under the
-- name of a longer one would be another figure. No row where p_to is not covered.
create or replace function kpi.retention_trailing(p_to date default null)
returns table (
    months integer,
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
    mrr_is_complete boolean,
    churn_is_observable boolean,
    note text
)
language sql
stable
parallel safe
begin atomic
    with span as (
        select
            w.months,
            (r.last_on + 1 - make_interval(months => w.months))::date as first_on,
            r.last_on,
            v.observed_from,
            v.churn_observable_from
        from kpi.coverage v
        cross join lateral kpi.covered_range(coalesce(p_to, v.complete_through), coalesce(p_to, v.complete_through)) r
        cross join (values (3), (12)) w (months)
    ),
    -- Where the window is not covered, its boundaries are NULL, and so there is no period.
    kept as (
        select
            s.months,
            s.first_on,
            s.last_on,
            s.observed_from,
            s.churn_observable_from,
            case when s.first_on >= s.observed_from then array[s.first_on, s.last_on + 1] end as days
        from span s
    )
    select
        k.months,
        k.first_on,
        k.last_on,
        p.opening,
        p.closing,
        p.customers_opening,
        p.customers_lost,
        p.customer_churn_rate,
        p.gross_mrr_churn_rate,
        p.net_mrr_churn_rate,
        p.nrr,
        p.grr,
        case when p.opening > 0 then p.quick_ratio end,
        p.mrr_is_complete,
        p.churn_is_observable,
        case
            when k.days is null
                then format('it begins on %s, and MRR is known from %s on', to_char(k.first_on, 'YYYY-MM-DD'), to_char(k.observed_from, 'YYYY-MM-DD'))
            when not p.churn_is_observable
                then format('it begins on %s, and churn can be seen from %s on', to_char(k.first_on, 'YYYY-MM-DD'), to_char(k.churn_observable_from, 'YYYY-MM-DD'))
            when p.opening = 0 then 'nothing to keep: the opening is 0'
        end
    from kept k
    left join lateral kpi.retention_by_period(k.days) p on true
    order by k.months;
end;

comment on function kpi.retention_trailing(date) is
    'R12: churn and retention over the 3 and the 12 months that end on a day (NULL: the last covered one), one row each; rates are shares, NULL with a note where the history does not reach back far enough. Example: select * from kpi.retention_trailing(''2024-12-31'').';
revoke all on function kpi.retention_trailing(date) from public;
grant execute on function kpi.retention_trailing(date) to pgmrr_reader, pgmrr_writer;
