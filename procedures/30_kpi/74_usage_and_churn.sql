-- Do customers whose sessions fell by half or more churn more often in the following month?
-- Rule R12 (engagement).
--
-- One row, always. It compares the customer-months of kpi.usage_changes: those in which
-- sessions fell by half or more with the steady ones. Like is compared with like: months and
-- prices could churn and fade at different rates of their own, so the odds ratio is that of
-- Mantel and Haenszel over strata of the month and of MRR within a factor of two. Its 95 %
-- interval is that of Robins, Breslow and Greenland (Biometrics 42, 1986, 311-323). Where no
-- stratum has a pair for one side of it, the ratio is that of the whole table with 1/2 added
-- to each count (Haldane 1955, Anscombe 1956) and Woolf's interval, as `method` says.
--
-- A relation is claimed only where that interval leaves out 1 and the test of Mantel and
-- Haenszel (Journal of the National Cancer Institute 22, 1959, 719-748), with continuity
-- correction, passes 3.8415, the 95 % quantile of chi-squared with one degree of freedom. So
-- where there is none, at most about one company in twenty is told of one. is_related is NULL
-- where nothing can be compared: nobody churned, or all did, or nobody's sessions fell, or
-- all did. A relation is no cause.
create or replace function kpi.usage_and_churn(p_from date default null, p_to date default null)
returns table (
    first_month date,
    last_month date,
    customer_months bigint,
    fell_churned bigint,
    fell_stayed bigint,
    steady_churned bigint,
    steady_stayed bigint,
    fell_churn_rate numeric,
    steady_churn_rate numeric,
    odds_ratio numeric,
    odds_ratio_low numeric,
    odds_ratio_high numeric,
    method text,
    chi_squared numeric,
    is_related boolean,
    statement text
)
language sql
stable
parallel safe
set jit = off
begin atomic
    with stratum as (
        select
            u.churn_month,
            count(*) filter (where u.fell and u.churned)::numeric as a,
            count(*) filter (where u.fell and not u.churned)::numeric as b,
            count(*) filter (where not u.fell and u.churned)::numeric as c,
            count(*) filter (where not u.fell and not u.churned)::numeric as d,
            count(*)::numeric as n
        from kpi.usage_changes(p_from, p_to) u
        group by u.churn_month, floor(log(2, u.mrr))
    ),
    summed as (
        select
            min(s.churn_month) as first_month,
            max(s.churn_month) as last_month,
            coalesce(sum(s.n), 0) as n,
            coalesce(sum(s.a), 0) as a,
            coalesce(sum(s.b), 0) as b,
            coalesce(sum(s.c), 0) as c,
            coalesce(sum(s.d), 0) as d,
            -- The test: what is expected of a without a relation, and its variance.
            sum((s.a + s.b) * (s.a + s.c) / s.n) as expected,
            sum((s.a + s.b) * (s.c + s.d) * (s.a + s.c) * (s.b + s.d) / (s.n * s.n * (s.n - 1))) filter (where s.n > 1) as variance,
            -- The odds ratio is r / s; the others are the terms of its variance.
            sum(s.a * s.d / s.n) as r,
            sum(s.b * s.c / s.n) as s,
            sum((s.a + s.d) * s.a * s.d / (s.n * s.n)) as pr,
            sum(((s.a + s.d) * s.b * s.c + (s.b + s.c) * s.a * s.d) / (s.n * s.n)) as ps_qr,
            sum((s.b + s.c) * s.b * s.c / (s.n * s.n)) as qs
        from stratum s
    ),
    estimated as (
        select
            t.first_month,
            t.last_month,
            t.n,
            t.a,
            t.b,
            t.c,
            t.d,
            t.a + t.b > 0 and t.c + t.d > 0 and t.a + t.c > 0 and t.b + t.d > 0 and t.variance > 0 as is_comparable,
            power(greatest(abs(t.a - t.expected) - 0.5, 0), 2) / nullif(t.variance, 0) as chi_squared,
            m.is_stratified,
            case
                when m.is_stratified then ln(t.r / t.s)
                else ln((t.a + 0.5) * (t.d + 0.5) / ((t.b + 0.5) * (t.c + 0.5)))
            end as log_odds,
            sqrt(
                case
                    when m.is_stratified then t.pr / (2 * t.r * t.r) + t.ps_qr / (2 * t.r * t.s) + t.qs / (2 * t.s * t.s)
                    else 1 / (t.a + 0.5) + 1 / (t.b + 0.5) + 1 / (t.c + 0.5) + 1 / (t.d + 0.5)
                end
            ) as standard_error
        from summed t
        cross join lateral (select coalesce(t.r > 0 and t.s > 0, false) as is_stratified) m
    ),
    judged as (
        select
            e.first_month,
            e.last_month,
            e.n,
            e.a,
            e.b,
            e.c,
            e.d,
            e.is_comparable,
            e.is_stratified,
            case when e.is_comparable then e.chi_squared end as chi_squared,
            case when e.is_comparable then exp(e.log_odds) end as odds_ratio,
            case when e.is_comparable then exp(e.log_odds - 1.959964 * e.standard_error) end as low,
            case when e.is_comparable then exp(e.log_odds + 1.959964 * e.standard_error) end as high,
            e.is_comparable
            and e.chi_squared > 3.8415
            and abs(e.log_odds) > 1.959964 * e.standard_error as is_related
        from estimated e
    )
    select
        j.first_month,
        j.last_month,
        j.n::bigint,
        j.a::bigint,
        j.b::bigint,
        j.c::bigint,
        j.d::bigint,
        j.a / nullif(j.a + j.b, 0),
        j.c / nullif(j.c + j.d, 0),
        j.odds_ratio,
        j.low,
        j.high,
        case
            when not j.is_comparable then null
            when j.is_stratified then 'Mantel-Haenszel'
            else 'Haldane-Anscombe'
        end,
        j.chi_squared,
        case when j.is_comparable then j.is_related end,
        case
            when not exists (select from kpi.session) then 'There are no sessions.'
            when j.n = 0 then 'Nothing can be compared: that needs a whole month with observable churn after two whole months with sessions.'
            else format(
                '%s Of %s customer-months in which sessions fell by half or more, %s churned in the following month%s; of %s others, %s%s.%s',
                case
                    when not j.is_comparable then 'Nothing can be compared.'
                    when j.is_related and j.odds_ratio > 1 then 'Customers whose sessions fell churn more often.'
                    when j.is_related then 'Customers whose sessions fell churn less often.'
                    else 'No relation between falling sessions and churn is found.'
                end,
                to_char(j.a + j.b, 'FM999,999,999,990'),
                to_char(j.a, 'FM999,999,999,990'),
                ' (' || round(100 * j.a / nullif(j.a + j.b, 0), 1) || ' %)',
                to_char(j.c + j.d, 'FM999,999,999,990'),
                to_char(j.c, 'FM999,999,999,990'),
                ' (' || round(100 * j.c / nullif(j.c + j.d, 0), 1) || ' %)',
                case
                    when j.is_comparable then format(
                        ' Odds ratio %s, 95 %% interval %s to %s.', round(j.odds_ratio, 2), round(j.low, 2), round(j.high, 2)
                    )
                end
            )
        end
    from judged j;
end;

comment on function kpi.usage_and_churn(date, date) is
    'R12: whether customers whose sessions fell by half or more churn more often in the following month: counts of customer-months, churn rates (shares), odds ratio by Mantel and Haenszel with the 95 % interval of Robins, Breslow and Greenland (1986), and a statement. One row, always. Error MR006 where the range is upside down. Example: select * from kpi.usage_and_churn(''2024-01-01'', ''2024-12-31'').';
revoke all on function kpi.usage_and_churn(date, date) from public;
grant execute on function kpi.usage_and_churn(date, date) to pgmrr_reader, pgmrr_writer;
