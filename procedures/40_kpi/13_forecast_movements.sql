-- The method `movements`: each kind of movement goes on at its recent rate. Rules R10 to R12.
--
-- One row an origin and period ahead, in the reporting currency, from kpi.forecast_rates:
--
--     new, reactivation, expansion   the mean amount of a period
--     contraction                    its share of the opening
--     churn                          its share of the MRR at risk: of the opening, less what
--                                    is paid beyond the period
--     opening + new + reactivation + expansion + contraction + churn = mrr
--
-- The factors make scenarios of it: of both losses, of new customers and those who come back,
-- and of expansion. MRR that is won on the way counts as at risk from the next period on.
--
-- Plans of this size take longer to compile than to run: hence no JIT.
create or replace function kpi.forecast_movements(
    p_steps integer,
    p_churn_factor numeric default 1,
    p_new_factor numeric default 1,
    p_expansion_factor numeric default 1
)
returns table (
    origin integer,
    step integer,
    opening numeric,
    new numeric,
    reactivation numeric,
    expansion numeric,
    contraction numeric,
    churn numeric,
    mrr numeric
)
language sql
stable
parallel safe
set jit = off
begin atomic
    with recursive rate as materialized (
        select
            r.origin,
            round(r.closing, 2) as closing,
            round(r.new * p_new_factor, 2) as new,
            round(r.reactivation * p_new_factor, 2) as reactivation,
            round(r.expansion * p_expansion_factor, 2) as expansion,
            least(r.contraction_share * p_churn_factor, 1) as contraction_share,
            least(r.churn_share * p_churn_factor, 1) as churn_share,
            r.paid_beyond
        from kpi.forecast_rates(p_steps) r
    ),
    ahead (origin, step, opening, new, reactivation, expansion, contraction, churn, mrr) as (
        select r.origin, 0, null::numeric, null::numeric, null::numeric, null::numeric, null::numeric, null::numeric, r.closing
        from rate r
        union all
        select
            a.origin,
            a.step + 1,
            a.mrr,
            r.new,
            r.reactivation,
            r.expansion,
            l.contraction,
            l.churn,
            a.mrr + r.new + r.reactivation + r.expansion + l.contraction + l.churn
        from ahead a
        join rate r
            on r.origin = a.origin
        cross join lateral (
            select
                - round(r.churn_share * greatest(a.mrr - r.paid_beyond[a.step + 1], 0), 2) as churn
        ) c
        cross join lateral (
            select
                c.churn,
                greatest(- round(r.contraction_share * a.mrr, 2), - a.mrr - c.churn) as contraction
        ) l
        where a.step < p_steps
    )
    select a.origin, a.step, a.opening, a.new, a.reactivation, a.expansion, a.contraction, a.churn, a.mrr
    from ahead a
    where a.step > 0;
end;

comment on function kpi.forecast_movements(integer, numeric, numeric, numeric) is
    'MRR and its movements by kind, p_steps periods ahead of the end of each period, each kind at its rate of the last six months, times a factor; one row an origin and period, in the reporting currency.';
revoke all on function kpi.forecast_movements(integer, numeric, numeric, numeric) from public;
grant execute on function kpi.forecast_movements(integer, numeric, numeric, numeric) to pgmrr_reader, pgmrr_writer;
