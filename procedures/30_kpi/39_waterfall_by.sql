-- How does MRR move in each segment, period by period, and what became of the customers who
-- were there? Rules R9 to R13.
--
-- p_boundaries are the first days of consecutive periods and, at the end, the day after the
-- last one; what is not covered of them is left out. One row a period and segment in which
-- there is MRR or was some, in the reporting currency:
--     opening + preexisting + new + reactivation + expansion + contraction + rounding
--     + churn + moved = closing, exactly,
-- and over all segments each of these adds up to kpi.waterfall's, and `moved` to 0.
--
-- A customer may change its segment (kpi.segment_history): opening and closing are those of
-- the segment it is in on these days. What it does within a period belongs to the segment
-- that it opens in or, where it was not there, enters: that is the segment a loss came from.
-- `moved` takes what it closes with to the segment in which it closes. So
--     kept    closing MRR of those who were here at the opening, wherever they are now
--     losses  by how much the MRR of those among them fell who pay less
-- make NRR and GRR of the segment. By term, churn of a term can be seen once that term has
-- passed (R11): with a truncated history, yearly customers cannot have left in its first year.
--
-- A few passes over the ledger serve all periods and segments: the balances of a customer begin and
-- end a period, and customers without a change in it need no row. Those who change the segment,
-- or pay in several currencies, are few, and are followed apart: their changes and those of the
-- segment are put into one order.
create or replace function kpi.waterfall_by(p_attribute text, p_boundaries date[])
returns table (
    segment text,
    first_on date,
    last_on date,
    opening numeric,
    preexisting numeric,
    new numeric,
    reactivation numeric,
    expansion numeric,
    contraction numeric,
    rounding numeric,
    churn numeric,
    moved numeric,
    closing numeric,
    customers_opening bigint,
    customers_lost bigint,
    customers bigint,
    kept numeric,
    losses numeric,
    mrr_is_complete boolean,
    churn_is_observable boolean
)
language sql
stable
parallel safe
begin atomic
    -- By currency and by price band the ledger itself tells the segment.
    with history as materialized (
        select
            s.customer_id,
            s.effective_on,
            s.segment
        from (
            select
                h.customer_id,
                h.effective_on,
                h.segment,
                lag(h.segment) over (partition by h.customer_id order by h.effective_on) as before
            from kpi.segment_history(p_attribute) h
            where p_attribute not in ('currency', 'price_band')
                and h.effective_on <= (select v.complete_through from kpi.coverage v)
                and h.effective_on < p_boundaries[cardinality(p_boundaries)]
        ) s
        where s.segment is distinct from s.before
    ),
    -- Who moves: pays in several currencies, changes the segment, or has MRR before it has one.
    -- (Added up, not joined: how many rows a history has is nothing that the planner knows.)
    standing as materialized (
        select
            k.customer_id,
            min(k.segment) as segment,
            min(k.currency) <> max(k.currency)
            or min(k.segment_from) < max(k.segment_from)
            or min(k.segment_from) > min(k.paid_from) as is_moving
        from (
            select
                l.customer_id,
                l.currency,
                l.effective_on as paid_from,
                null as segment,
                null as segment_from
            from kpi.balance l
            where p_attribute <> 'currency'
            union all
            select
                h.customer_id,
                null,
                null,
                h.segment,
                h.effective_on
            from history h
        ) k
        group by k.customer_id
    ),
    event as (
        select
            l.customer_id,
            l.effective_on,
            l.kind,
            l.change * c.factor as change,
            false as sets_segment,
            null as segment
        from kpi.coverage v
        join kpi.ledger l
            on l.effective_on <= v.complete_through
        join kpi.currency c
            on c.currency = l.currency
        where l.effective_on < p_boundaries[cardinality(p_boundaries)]
            and l.customer_id in (select s.customer_id from standing s where s.is_moving)
        union all
        select
            h.customer_id,
            h.effective_on,
            null,
            0,
            true,
            h.segment
        from history h
        where h.customer_id in (select s.customer_id from standing s where s.is_moving)
    ),
    -- MRR at the end of the event's day, and how often the segment was set until then.
    running as (
        select
            e.customer_id,
            e.effective_on,
            e.kind,
            e.change,
            e.segment,
            sum(e.change) over up_to_day as mrr,
            count(*) filter (where e.sets_segment) over up_to_day as times_set
        from event e
        window up_to_day as (partition by e.customer_id order by e.effective_on)
    ),
    -- Period 0 makes the first opening.
    placed as (
        select
            r.customer_id,
            r.effective_on,
            r.kind,
            r.change,
            r.mrr,
            case p_attribute
                when 'price_band' then kpi.price_band(r.mrr)
                else max(r.segment) over (partition by r.customer_id, r.times_set)
            end as segment,
            case
                when r.effective_on >= v.observed_from then width_bucket(r.effective_on, p_boundaries)
                else 0
            end as period
        from running r
        cross join kpi.coverage v
    ),
    customer as (
        select
            p.customer_id,
            p.period,
            sum(p.change) filter (where p.kind = 'preexisting') as preexisting,
            sum(p.change) filter (where p.kind = 'new') as new,
            sum(p.change) filter (where p.kind = 'reactivation') as reactivation,
            sum(p.change) filter (where p.kind = 'expansion') as expansion,
            sum(p.change) filter (where p.kind = 'contraction') as contraction,
            sum(p.change) filter (where p.kind = 'rounding') as rounding,
            sum(p.change) filter (where p.kind = 'churn') as churn,
            max(p.mrr) > 0 as has_mrr,
            (array_agg(p.segment order by p.effective_on) filter (where p.mrr > 0))[1] as entered,
            (array_agg(p.mrr order by p.effective_on desc))[1] as closing,
            (array_agg(p.segment order by p.effective_on desc))[1] as closed_in
        from placed p
        group by p.customer_id, p.period
    ),
    opened as (
        select
            c.*,
            coalesce(lag(c.closing) over by_period, 0) as opening,
            lag(c.closed_in) over by_period as opened_in
        from customer c
        window by_period as (partition by c.customer_id order by c.period)
    ),
    -- All others: a row of the ledger, with the balances of its period.
    steady as (
        select
            l.customer_id,
            l.currency,
            l.kind,
            l.change,
            case
                when l.effective_on >= v.observed_from then width_bucket(l.effective_on, p_boundaries)
                else 0
            end as period,
            l.effective_on,
            l.balance
        from kpi.coverage v
        join kpi.ledger l
            on l.effective_on <= v.complete_through
        where l.effective_on < p_boundaries[cardinality(p_boundaries)]
    ),
    followed as (
        select
            s.customer_id,
            s.currency,
            s.period,
            s.kind,
            s.change,
            row_number() over in_period = 1 as is_first,
            first_value(s.balance - s.change) over in_period as opening,
            first_value(s.balance) over in_period as entered,
            last_value(s.balance) over in_period as closing
        from steady s
        window in_period as (
            partition by s.customer_id, s.currency, s.period
            order by s.effective_on
            rows between unbounded preceding and unbounded following
        )
    ),
    settled as (
        select
            case p_attribute
                when 'currency' then f.currency
                when 'price_band' then kpi.price_band(case when f.opening > 0 then f.opening else f.entered end * c.factor)
                else s.segment
            end as segment,
            case p_attribute
                when 'currency' then f.currency
                when 'price_band' then kpi.price_band(f.closing * c.factor)
                else s.segment
            end as closed_in,
            f.period,
            f.kind,
            f.change,
            f.is_first,
            f.opening,
            f.closing,
            c.factor
        from followed f
        join kpi.currency c
            on c.currency = f.currency
        left join standing s
            on s.customer_id = f.customer_id
        where s.is_moving is not true
    ),
    -- One row a segment of the opening, one of the closing, and period.
    flow as (
        select
            s.segment,
            s.closed_in,
            s.period,
            sum(s.change) filter (where s.kind = 'preexisting') * s.factor as preexisting,
            sum(s.change) filter (where s.kind = 'new') * s.factor as new,
            sum(s.change) filter (where s.kind = 'reactivation') * s.factor as reactivation,
            sum(s.change) filter (where s.kind = 'expansion') * s.factor as expansion,
            sum(s.change) filter (where s.kind = 'contraction') * s.factor as contraction,
            sum(s.change) filter (where s.kind = 'rounding') * s.factor as rounding,
            sum(s.change) filter (where s.kind = 'churn') * s.factor as churn,
            coalesce(sum(s.closing) filter (where s.is_first), 0) * s.factor as closing,
            count(*) filter (where s.is_first and s.opening > 0) as customers_opening,
            count(*) filter (where s.is_first and s.closing > 0) as customers_closing,
            count(*) filter (where s.is_first and s.opening > 0 and s.closing = 0) as customers_lost,
            coalesce(sum(s.closing - s.opening) filter (where s.is_first and s.opening > 0), 0) * s.factor as kept_change,
            coalesce(sum(least(s.closing - s.opening, 0)) filter (where s.is_first and s.opening > 0), 0)
            * s.factor as losses
        from settled s
        group by s.segment, s.closed_in, s.period, s.factor
        union all
        select
            case when o.opening > 0 then o.opened_in else o.entered end as segment,
            o.closed_in,
            o.period,
            o.preexisting,
            o.new,
            o.reactivation,
            o.expansion,
            o.contraction,
            o.rounding,
            o.churn,
            o.closing,
            case when o.opening > 0 then 1 else 0 end,
            case when o.closing > 0 then 1 else 0 end,
            case when o.opening > 0 and o.closing = 0 then 1 else 0 end,
            case when o.opening > 0 then o.closing - o.opening else 0 end,
            case when o.opening > 0 then least(o.closing - o.opening, 0) else 0 end
        from opened o
        where o.opening > 0
            or o.has_mrr
    ),
    -- Each customer where it opens or enters, and where it closes.
    leg as (
        select
            f.segment,
            f.period,
            f.preexisting,
            f.new,
            f.reactivation,
            f.expansion,
            f.contraction,
            f.rounding,
            f.churn,
            - f.closing as moved,
            - f.customers_opening as customers,
            f.customers_lost,
            f.kept_change,
            f.losses,
            true as is_there
        from flow f
        union all
        select
            f.closed_in,
            f.period,
            null,
            null,
            null,
            null,
            null,
            null,
            null,
            f.closing,
            f.customers_closing,
            0,
            0,
            0,
            true
        from flow f
        where f.customers_closing > 0
    ),
    -- A row for every segment and period, so that what stays is carried on.
    legs as (
        select
            l.segment,
            l.period,
            l.preexisting,
            l.new,
            l.reactivation,
            l.expansion,
            l.contraction,
            l.rounding,
            l.churn,
            l.moved,
            l.customers,
            l.customers_lost,
            l.kept_change,
            l.losses,
            l.is_there
        from leg l
        union all
        select
            s.segment,
            g.period,
            null,
            null,
            null,
            null,
            null,
            null,
            null,
            0,
            0,
            0,
            0,
            0,
            false
        from (select distinct l.segment from leg l) s
        cross join generate_series(1, cardinality(p_boundaries) - 1) g (period)
    ),
    total as (
        select
            l.segment,
            l.period,
            coalesce(sum(l.preexisting), 0) as preexisting,
            coalesce(sum(l.new), 0) as new,
            coalesce(sum(l.reactivation), 0) as reactivation,
            coalesce(sum(l.expansion), 0) as expansion,
            coalesce(sum(l.contraction), 0) as contraction,
            coalesce(sum(l.rounding), 0) as rounding,
            coalesce(sum(l.churn), 0) as churn,
            sum(l.moved) as moved,
            sum(l.customers) as customers_change,
            sum(l.customers_lost) as customers_lost,
            sum(l.kept_change) as kept_change,
            sum(l.losses) as losses,
            bool_or(l.is_there) as is_there
        from legs l
        group by l.segment, l.period
    ),
    -- What a customer brings to the segment and takes away again within a period cancels out.
    changed as (
        select
            t.*,
            t.preexisting + t.new + t.reactivation + t.expansion + t.contraction + t.rounding + t.churn as change
        from total t
    ),
    balanced as (
        select
            c.*,
            sum(c.change + c.moved) over up_to_period as closing,
            sum(c.customers_change) over up_to_period as customers
        from changed c
        window up_to_period as (partition by c.segment order by c.period)
    ),
    final as (
        select
            b.*,
            b.closing - b.change - b.moved as opening,
            b.customers - b.customers_change as customers_opening,
            greatest(p_boundaries[b.period], v.observed_from) as first_on,
            least(p_boundaries[b.period + 1] - 1, v.complete_through) as last_on,
            v.mrr_complete_from,
            case
                when p_attribute = 'term' and v.is_truncated and b.segment = 'month'
                    then (v.observed_from + interval '1 month')::date
                when p_attribute = 'term' and v.is_truncated and b.segment = 'year'
                    then (v.observed_from + interval '12 months')::date
                when p_attribute = 'term' and b.segment = 'other' then v.mrr_complete_from
                else v.churn_observable_from
            end as churn_observable_from
        from balanced b
        cross join kpi.coverage v
        where b.period between 1 and cardinality(p_boundaries) - 1
    )
    select
        f.segment,
        f.first_on,
        f.last_on,
        f.opening,
        f.preexisting,
        f.new,
        f.reactivation,
        f.expansion,
        f.contraction,
        f.rounding,
        f.churn,
        f.moved,
        f.closing,
        f.customers_opening::bigint,
        f.customers_lost::bigint,
        f.customers::bigint,
        f.opening + f.kept_change,
        f.losses,
        f.first_on >= f.mrr_complete_from,
        f.first_on >= f.churn_observable_from
    from final f
    where f.first_on <= f.last_on
        and (f.is_there or f.customers_opening > 0)
    order by f.first_on, f.segment collate "C";
end;

comment on function kpi.waterfall_by(text, date[]) is
    'The waterfall of each segment in consecutive periods, given by their first days and the day after the last, and what became of the customers of the opening; one row a period and segment, in the reporting currency.';
revoke all on function kpi.waterfall_by(text, date[]) from public;
grant execute on function kpi.waterfall_by(text, date[]) to pgmrr_reader, pgmrr_writer;
