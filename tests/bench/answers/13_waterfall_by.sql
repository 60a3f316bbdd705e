-- How does MRR move in each segment, period by period, and what became of who was there? R12.
--
-- A macro, of an attribute and of the first days of consecutive periods with, at the end, the
-- day after the last one. One row a period and segment. What a customer does within a period
-- belongs to the segment in which it opens or enters; `moved` takes what it closes with to the
-- segment in which it closes.
create or replace temp macro waterfall_by(attribute, days) as table (
    with boundary as materialized (
        select days as firsts
    ),
    -- Period 0 makes the first opening.
    place as (
        select
            d.day,
            len(list_filter(b.firsts, lambda first: first <= d.day)) as period
        from day d
        cross join boundary b
    ),
    -- Which term carries most of a customer's MRR, from which day on.
    paid as (
        select
            e.customer_id,
            e.day,
            sum(e.mrr) filter (where e.term = 'month') as by_month,
            sum(e.mrr) filter (where e.term = 'year') as by_year,
            sum(e.mrr) filter (where e.term = 'other') as by_other
        from (
            select
                c.customer_id,
                case if(c.basis = 'implied', round((c.ends_on - c.starts_on) / 30.4375)::integer, c.months)
                    when 1 then 'month'
                    when 12 then 'year'
                    else if(c.basis <> 'listed' or c.months is not null, 'other', null)
                end as term,
                unnest([c.starts_on, c.ends_on]) as day,
                unnest([c.mrr, - c.mrr]) * r.cent as mrr
            from charge c
            cross join known k
            join rate r
                on r.currency = c.currency
            where attribute = 'term'
                and c.starts_on < c.ends_on
                and c.starts_on <= k.complete_through
        ) e
        group by e.customer_id, e.day
    ),
    paying as (
        select
            p.customer_id,
            p.day,
            sum(coalesce(p.by_month, 0)) over up_to_day as by_month,
            sum(coalesce(p.by_year, 0)) over up_to_day as by_year,
            sum(coalesce(p.by_other, 0)) over up_to_day as by_other
        from paid p
        where coalesce(p.by_month, 0) <> 0
            or coalesce(p.by_year, 0) <> 0
            or coalesce(p.by_other, 0) <> 0
        window up_to_day as (partition by p.customer_id order by p.day)
    ),
    history as (
        select distinct
            m.customer_id,
            m.currency as part,
            '-infinity'::date as effective_on,
            m.currency as segment
        from movement m
        where attribute = 'currency'
            and m.change <> 0
        union all
        select
            p.customer_id,
            '',
            p.day,
            case
                when p.by_year > 0 and p.by_year >= greatest(p.by_month, p.by_other) then 'year'
                when p.by_other > 0 and p.by_other >= p.by_month then 'other'
                when p.by_month > 0 then 'month'
            end
        from paying p
        union all
        select
            s.customer_id,
            '',
            s.starts_on,
            case
                when s.mrr < 10 then 'under 10'
                when s.mrr < 50 then '10 to 50'
                when s.mrr < 100 then '50 to 100'
                when s.mrr < 500 then '100 to 500'
                when s.mrr < 1000 then '500 to 1,000'
                when s.mrr < 5000 then '1,000 to 5,000'
                when s.mrr < 10000 then '5,000 to 10,000'
                else '10,000 and more'
            end
        from stretch s
        where attribute = 'price_band'
        union all
        select
            u.customer_id,
            '',
            '-infinity'::date,
            nullif(
                json_extract_string(
                    u.attributes,
                    '$."' || regexp_replace(attribute, '^customer\.(currency|term|price_band)$', '\1') || '"'
                ),
                ''
            )
        from customer u
        where attribute not in ('currency', 'term', 'price_band')
    ),
    event as (
        select
            m.customer_id,
            if(attribute = 'currency', m.currency, '') as part,
            m.effective_on,
            m.kind,
            m.change * r.cent as change,
            0 as sets_segment,
            null as segment
        from movement m
        join rate r
            on r.currency = m.currency
        where m.change <> 0
        union all
        select h.customer_id, h.part, h.effective_on, null, 0, 1, h.segment
        from history h
    ),
    -- MRR at the end of the event's day, and how often the segment was set until then.
    running as (
        select
            e.*,
            sum(e.change) over up_to_day as mrr,
            sum(e.sets_segment) over up_to_day as times_set
        from event e
        cross join known k
        cross join boundary b
        where e.effective_on <= k.complete_through
            and e.effective_on < b.firsts[-1]
        window up_to_day as (partition by e.customer_id, e.part order by e.effective_on)
    ),
    placed as (
        select
            r.customer_id,
            r.part,
            r.effective_on,
            r.kind,
            r.change,
            r.mrr,
            max(r.segment) over (partition by r.customer_id, r.part, r.times_set) as segment,
            coalesce(p.period, 0) as period
        from running r
        left join place p
            on p.day = r.effective_on
    ),
    customer_period as (
        select
            p.customer_id,
            p.part,
            p.period,
            coalesce(sum(p.change) filter (where p.kind = 'preexisting'), 0) as preexisting,
            coalesce(sum(p.change) filter (where p.kind = 'new'), 0) as new,
            coalesce(sum(p.change) filter (where p.kind = 'reactivation'), 0) as reactivation,
            coalesce(sum(p.change) filter (where p.kind = 'expansion'), 0) as expansion,
            coalesce(sum(p.change) filter (where p.kind = 'contraction'), 0) as contraction,
            coalesce(sum(p.change) filter (where p.kind = 'rounding'), 0) as rounding,
            coalesce(sum(p.change) filter (where p.kind = 'churn'), 0) as churn,
            max(p.mrr) > 0 as has_mrr,
            arg_min_null(p.segment, p.effective_on) filter (where p.mrr > 0) as entered,
            arg_max(p.mrr, p.effective_on) as closing,
            arg_max_null(p.segment, p.effective_on) as closed_in
        from placed p
        group by p.customer_id, p.part, p.period
    ),
    opened as (
        select
            c.*,
            coalesce(lag(c.closing) over by_period, 0) as opening,
            lag(c.closed_in) over by_period as opened_in
        from customer_period c
        window by_period as (partition by c.customer_id, c.part order by c.period)
    ),
    -- Each customer where it opens or enters, and where it closes.
    leg as (
        select
            if(o.opening > 0, o.opened_in, o.entered) as segment,
            o.period,
            sum(o.preexisting) as preexisting,
            sum(o.new) as new,
            sum(o.reactivation) as reactivation,
            sum(o.expansion) as expansion,
            sum(o.contraction) as contraction,
            sum(o.rounding) as rounding,
            sum(o.churn) as churn,
            - sum(o.closing) as moved,
            - count(*) filter (where o.opening > 0) as customers,
            count(*) filter (where o.opening > 0 and o.closing = 0) as customers_lost,
            coalesce(sum(o.closing - o.opening) filter (where o.opening > 0), 0) as kept_change,
            coalesce(sum(least(o.closing - o.opening, 0)) filter (where o.opening > 0), 0) as losses
        from opened o
        where o.opening > 0
            or o.has_mrr
        group by all
        union all
        select o.closed_in, o.period, 0, 0, 0, 0, 0, 0, 0, sum(o.closing), count(*), 0, 0, 0
        from opened o
        where o.closing > 0
        group by all
    ),
    -- A row for every segment and period, so that what stays is carried on.
    total as (
        select
            l.segment,
            l.period,
            sum(l.preexisting) as preexisting,
            sum(l.new) as new,
            sum(l.reactivation) as reactivation,
            sum(l.expansion) as expansion,
            sum(l.contraction) as contraction,
            sum(l.rounding) as rounding,
            sum(l.churn) as churn,
            sum(l.moved) as moved,
            sum(l.customers)::bigint as customers_change,
            sum(l.customers_lost)::bigint as customers_lost,
            sum(l.kept_change) as kept_change,
            sum(l.losses) as losses,
            bool_or(l.is_there) as is_there
        from (
            select l.*, true as is_there
            from leg l
            union all
            select s.segment, g.period, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, false
            from (select distinct segment from leg) s
            cross join (select distinct period from place) g
        ) l
        group by l.segment, l.period
    ),
    balanced as (
        select
            t.*,
            t.preexisting + t.new + t.reactivation + t.expansion + t.contraction + t.rounding + t.churn as change,
            sum(change + t.moved) over up_to_period as closing,
            sum(t.customers_change) over up_to_period as customers
        from total t
        window up_to_period as (partition by t.segment order by t.period)
    ),
    final as (
        select
            b.*,
            greatest(d.firsts[b.period], k.observed_from) as first_on,
            least(d.firsts[b.period + 1] - 1, k.complete_through) as last_on,
            b.closing - b.change - b.moved as opening,
            b.customers - b.customers_change as customers_opening,
            k.mrr_complete_from,
            case
                when attribute = 'term' and k.is_truncated and b.segment = 'month' then k.observed_from + interval 1 month
                when attribute = 'term' and k.is_truncated and b.segment = 'year' then k.observed_from + interval 12 months
                when attribute = 'term' and b.segment = 'other' then k.mrr_complete_from
                else k.churn_observable_from
            end::date as churn_observable_from
        from balanced b
        cross join known k
        cross join boundary d
        where b.period between 1 and len(d.firsts) - 1
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
        f.customers_opening,
        f.customers_lost,
        f.customers,
        f.opening + f.kept_change as kept,
        f.losses,
        f.first_on >= f.mrr_complete_from as mrr_is_complete,
        f.first_on >= f.churn_observable_from as churn_is_observable
    from final f
    where f.first_on <= f.last_on
        and (f.is_there or f.customers_opening > 0)
);
