-- At which rates does MRR move, as seen from the end of each period? Rules R10 to R12.
--
-- One row an origin, from the periods of the last six months up to it: gains as amounts a
-- period, losses as shares. Churn is a share of the MRR at risk, that is, of what is not paid
-- beyond the period; contraction is a share of the opening. `gains`, `churn_shares` and
-- `contraction_shares` hold the same period by period, and `paid_beyond` the MRR that cannot
-- leave in each of the p_steps periods to come: known terms, and, less what churns, the terms
-- that follow when those renew.
--
-- Plans of this size take longer to compile than to run: hence no JIT.
create or replace function kpi.forecast_rates(p_steps integer)
returns table (
    origin integer,
    closing numeric,
    new numeric,
    reactivation numeric,
    expansion numeric,
    contraction_share numeric,
    churn_share numeric,
    mean_opening numeric,
    gains numeric[],
    contraction_shares numeric[],
    churn_shares numeric[],
    paid_beyond numeric[]
)
language sql
stable
parallel safe
set jit = off
begin atomic
    with boundary as materialized (
        select kpi.forecast_boundaries(p_steps) as days
    ),
    history as materialized (
        select h.period, h.opening, h.at_risk, h.new, h.reactivation, h.expansion, h.contraction, h.churn, h.closing
        from kpi.forecast_history h
    ),
    calendar as materialized (
        select c.starts_in, c.first_ends_in, c.renewals, c.renews_in, c.ends_in, c.mrr
        from boundary b
        cross join lateral kpi.term_calendar(b.days) c
    ),
    rate as materialized (
        select
            o.period as origin,
            o.closing,
            avg(h.new) as new,
            avg(h.reactivation) as reactivation,
            avg(h.expansion) as expansion,
            coalesce(least(sum(- h.contraction) / nullif(sum(h.opening), 0), 1), 0) as contraction_share,
            coalesce(least(sum(- h.churn) / nullif(sum(h.at_risk), 0), 1), 0) as churn_share,
            avg(h.opening) as mean_opening,
            array_agg(h.new + h.reactivation + h.expansion order by h.period) as gains,
            array_agg(coalesce(- h.contraction / nullif(h.opening, 0), 0) order by h.period) as contraction_shares,
            array_agg(coalesce(least(- h.churn / nullif(h.at_risk, 0), 1), 0) order by h.period) as churn_shares
        from kpi.forecast_status s
        cross join history o
        join history h
            on h.period between o.period - s.window_periods + 1 and o.period
        where o.period >= s.first_origin
        group by o.period, o.closing
    ),
    paid as (
        select
            r.origin,
            t.step,
            coalesce(sum(c.mrr * (1 - r.churn_share) ^ c.renewals), 0) as mrr
        from rate r
        cross join generate_series(1, p_steps) t (step)
        left join calendar c
            on c.starts_in <= r.origin
            and c.first_ends_in > r.origin
            and (c.renewals = 0 or c.renews_in < r.origin + t.step)
            and c.ends_in > r.origin + t.step
        group by r.origin, t.step
    ),
    ahead as (
        select
            p.origin,
            array_agg(p.mrr order by p.step) as paid_beyond
        from paid p
        group by p.origin
    )
    select
        r.origin,
        r.closing,
        r.new,
        r.reactivation,
        r.expansion,
        r.contraction_share,
        r.churn_share,
        r.mean_opening,
        r.gains,
        r.contraction_shares,
        r.churn_shares,
        a.paid_beyond
    from rate r
    join ahead a
        on a.origin = r.origin;
end;

comment on function kpi.forecast_rates(integer) is
    'Rates at which MRR moves, as seen from the end of each period: gains a period in the reporting currency, losses as shares, and the MRR that is paid beyond each of p_steps periods to come; one row an origin.';
revoke all on function kpi.forecast_rates(integer) from public;
grant execute on function kpi.forecast_rates(integer) to pgmrr_reader, pgmrr_writer;
