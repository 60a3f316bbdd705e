-- How far may MRR be from the forecasts of `movements`? One row an origin and period ahead,
-- with the quantiles of MRR for p_probabilities.
--
-- By bootstrap: p_paths futures, in each of whose periods gains and shares of loss deviate from
-- their means as they did in one past period, drawn as a whole, so that what went together
-- stays together. The spread and the means are uncertain as well, as in
-- kpi.forecast_level_spread. And the fewer customers are left, the more chance does: where MRR
-- falls below the mean opening of the past periods, shares deviate more, by the square root.
--
-- Plans of this size take longer to compile than to run: hence no JIT.
create or replace function kpi.forecast_movement_spread(
    p_origins integer[], p_steps integer, p_paths integer, p_probabilities numeric[]
)
returns table (
    origin integer,
    step integer,
    quantiles numeric[]
)
language sql
stable
parallel safe
set jit = off
begin atomic
    with recursive rate as materialized (
        select
            r.origin,
            r.closing::double precision as closing,
            (r.new + r.reactivation + r.expansion)::double precision as gain,
            r.contraction_share::double precision as contraction_share,
            r.churn_share::double precision as churn_share,
            d.gains,
            d.contraction_shares,
            d.churn_shares,
            d.count,
            r.mean_opening::double precision as mean_opening,
            r.paid_beyond::double precision[] as paid_beyond
        from kpi.forecast_rates(p_steps) r
        -- Deviations from their means, larger by sqrt(n / (n - 1)) for the means they made.
        cross join lateral (
            select
                array_agg((g.gain - m.gain) * m.inflation order by g.place)::double precision[] as gains,
                array_agg((g.contraction - m.contraction) * m.inflation order by g.place)::double precision[] as contraction_shares,
                array_agg((g.churn - m.churn) * m.inflation order by g.place)::double precision[] as churn_shares,
                count(*) as count
            from unnest(r.gains, r.contraction_shares, r.churn_shares) with ordinality g (gain, contraction, churn, place)
            cross join (
                select
                    avg(g.gain) as gain,
                    avg(g.contraction) as contraction,
                    avg(g.churn) as churn,
                    sqrt(count(*)::numeric / (count(*) - 1)) as inflation
                from unnest(r.gains, r.contraction_shares, r.churn_shares) g (gain, contraction, churn)
            ) m
        ) d
        where r.origin = any(p_origins)
    ),
    path as materialized (
        select
            n.path,
            sqrt(- 2 * ln((kpi.draw(n.path, -1) + 1.0::double precision) / 9223372036854775808))
            * cos(2 * pi() * (kpi.draw(n.path, -2) / 9223372036854775808::double precision)) as normal
        from generate_series(1, p_paths) n (path)
    ),
    start as materialized (
        select
            r.origin,
            p.path,
            z.scale,
            r.gain + z.scale * s.gain as gain,
            r.contraction_share + z.scale * s.contraction as contraction_share,
            r.churn_share + z.scale * s.churn as churn_share
        from rate r
        cross join path p
        cross join lateral (
            select
                greatest(1 - 2 / (9.0::double precision * (r.count - 1)) + p.normal * sqrt(2 / (9.0::double precision * (r.count - 1))), 0.2)
                ^ (-1.5) as scale
        ) z
        cross join lateral (
            select
                sum(r.gains[d.place] order by k.place) / sqrt(6.0::double precision * r.count) as gain,
                sum(r.contraction_shares[d.place] order by k.place) / sqrt(6.0::double precision * r.count) as contraction,
                sum(r.churn_shares[d.place] order by k.place) / sqrt(6.0::double precision * r.count) as churn
            from generate_series(1, 6) k (place)
            cross join lateral (select 1 + kpi.draw(p.path, - 2 - k.place) % r.count as place) d
        ) s
    ),
    walk (origin, path, scale, gain, contraction_share, churn_share, step, mrr) as (
        select s.origin, s.path, s.scale, s.gain, s.contraction_share, s.churn_share, 0, r.closing
        from start s
        join rate r
            on r.origin = s.origin
        union all
        select
            w.origin,
            w.path,
            w.scale,
            w.gain,
            w.contraction_share,
            w.churn_share,
            w.step + 1,
            greatest(
                w.mrr
                + w.gain + w.scale * r.gains[d.place]
                - (w.contraction_share + d.chance * r.contraction_shares[d.place]) * w.mrr
                - (w.churn_share + d.chance * r.churn_shares[d.place]) * greatest(w.mrr - r.paid_beyond[w.step + 1], 0),
                0
            )
        from walk w
        join rate r
            on r.origin = w.origin
        cross join lateral (
            select
                1 + kpi.draw(w.path, w.step + 1) % r.count as place,
                w.scale * sqrt(greatest(r.mean_opening / nullif(w.mrr, 0), 1)) as chance
        ) d
        where w.step < p_steps
    )
    select
        w.origin,
        w.step,
        percentile_cont(p_probabilities::double precision[]) within group (order by w.mrr)::numeric[]
    from walk w
    where w.step > 0
    group by w.origin, w.step;
end;

comment on function kpi.forecast_movement_spread(integer[], integer, integer, numeric[]) is
    'Quantiles of MRR, p_steps periods ahead of each origin, around the forecasts of movements, by bootstrap of past periods with p_paths paths; one row an origin and period, in the reporting currency. Source: Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 3rd edition, section 5.5.';
revoke all on function kpi.forecast_movement_spread(integer[], integer, integer, numeric[]) from public;
grant execute on function kpi.forecast_movement_spread(integer[], integer, integer, numeric[]) to pgmrr_reader, pgmrr_writer;
