-- In which days, weeks or months did MRR change unusually, and who made it? Rule R12
-- (significant days).
--
-- One row a whole covered period of p_grain (day, week or month) that lies in the range and
-- whose score is at least p_threshold. How a period is compared stands in
-- kpi.period_changes: with all of coverage, whatever the range. Before churn is observable
-- (R11) losses are missing from the changes; such rows are marked.
--
-- `kinds` and `drivers` are JSON arrays, the largest first: the kinds, and the customers
-- with their kinds, that make up half of the deviation, with change and share of it. NULL
-- bounds are those of coverage. Error MR006 where the range is upside down, MR004 where the
-- grain or the threshold is none.
create or replace function kpi.significant_periods(
    p_grain text,
    p_from date default null,
    p_to date default null,
    p_threshold numeric default 3.5
)
returns table (
    first_on date,
    last_on date,
    change numeric,
    expected numeric,
    deviation numeric,
    score numeric,
    closing numeric,
    compared_with text,
    periods bigint,
    spread numeric,
    spread_is text,
    kinds jsonb,
    drivers jsonb,
    churn_is_observable boolean
)
language plpgsql
stable
parallel safe
set search_path = ''
set jit = off
as $$
declare
    v_problem text := case
        when (p_grain in ('day', 'week', 'month')) is not true
            then format('the grain must be day, week or month, not %s', coalesce(quote_literal(p_grain), 'NULL'))
        when (p_threshold > 0 and p_threshold < 'infinity') is not true
            then format('the threshold must be above 0, not %s', coalesce(p_threshold::text, 'NULL'))
    end;
    v_first_on date;
    v_last_on date;
begin
    if v_problem is not null then
        raise exception using
            errcode = 'MR004',
            message = v_problem,
            hint = 'Give day, week or month, and a threshold, which usually is 3.5: select * from kpi.significant_periods(''week'', p_threshold => 3.5).';
    end if;

    -- By itself: in a join it would not be asked where there are no periods.
    select r.first_on, r.last_on
    into v_first_on, v_last_on
    from kpi.covered_range(p_from, p_to) r;

    return query
    with found as materialized (
        select
            c.first_on,
            c.last_on,
            c.change,
            c.expected,
            c.change - c.expected as deviation,
            c.score,
            c.closing,
            c.compared_with,
            c.periods,
            c.spread,
            c.spread_is,
            c.churn_is_observable
        from kpi.period_changes(p_grain) c
        where c.first_on >= v_first_on
            and c.last_on <= v_last_on
            and c.score >= p_threshold
    ),
    kind_change as (
        select
            f.first_on,
            d.kind,
            sum(d.change) as change,
            sum(d.change) / f.deviation as share
        from found f
        join kpi.daily_change d
            on d.effective_on between f.first_on and f.last_on
        where d.kind not in ('preexisting', 'unpaid')
        group by f.first_on, f.deviation, d.kind
    ),
    kind_order as (
        select
            k.first_on,
            k.kind,
            k.change,
            k.share,
            sum(k.share) over (partition by k.first_on order by k.share desc, k.kind collate "C") - k.share as share_before
        from kind_change k
        where k.share > 0
    ),
    kind as materialized (
        select
            k.first_on,
            jsonb_agg(
                jsonb_build_object('kind', k.kind, 'change', trim_scale(k.change), 'share', trim_scale(k.share))
                order by k.share desc, k.kind collate "C"
            ) as kinds
        from kind_order k
        where k.share_before < 0.5
        group by k.first_on
    ),
    driver as materialized (
        select
            d.first_on,
            jsonb_agg(
                jsonb_build_object(
                    'customer_id', d.customer_id,
                    'name', d.name,
                    'kind', d.kind,
                    'change', trim_scale(d.change),
                    'share', trim_scale(d.share)
                )
                order by d.place
            ) as drivers
        from (
            select
                array_agg(f.first_on order by f.first_on) as first_on,
                array_agg(f.last_on order by f.first_on) as last_on,
                array_agg(f.deviation order by f.first_on) as deviation
            from found f
        ) f
        cross join lateral kpi.change_drivers(f.first_on, f.last_on, f.deviation) d
        group by d.first_on
    )
    select
        f.first_on,
        f.last_on,
        f.change,
        f.expected,
        f.deviation,
        f.score,
        f.closing,
        f.compared_with,
        f.periods,
        f.spread,
        f.spread_is,
        coalesce(k.kinds, '[]'),
        coalesce(d.drivers, '[]'),
        f.churn_is_observable
    from found f
    left join kind k
        on k.first_on = f.first_on
    left join driver d
        on d.first_on = f.first_on
    order by f.first_on;
end;
$$;

comment on function kpi.significant_periods(text, date, date, numeric) is
    'R12: whole covered days, weeks or months (p_grain) whose net change of MRR is an outlier, with what was expected, the score, and the kinds and customers that make up half of the deviation; one row a period, in the reporting currency. Error MR004 where the grain or the threshold is none, MR006 where the range is upside down. Example: select * from kpi.significant_periods(''week'', ''2024-01-01'', ''2024-12-31'').';
revoke all on function kpi.significant_periods(text, date, date, numeric) from public;
grant execute on function kpi.significant_periods(text, date, date, numeric) to pgmrr_reader, pgmrr_writer;
