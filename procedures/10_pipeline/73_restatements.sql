-- Which figures of past months did the batches after p_from, up to p_to, change? Rules R9 to
-- R11 and R13.
--
-- One row a month and customer whose closing MRR, or whose movements by kind, differ
-- between the two. Only days that both cover are compared: what only the later one covers
-- is news, no restatement. A month closes on the last day of it that both cover.
--
-- Only customers whose facts changed in between are evaluated, by the rules that the ledger
-- is kept by; where the beginning of the history moved, all are, since the kinds of all may
-- depend on it. Settings and rates are today's. Invoices are those whose charges differ in
-- what they add to the month: on its closing day, or by beginning or ending within it.
create or replace function pipeline.restatements(p_from bigint, p_to bigint)
returns table (
    month date,
    first_on date,
    last_on date,
    customer_id text,
    mrr_before numeric,
    mrr_after numeric,
    kinds jsonb,
    invoice_ids text[]
)
language plpgsql
stable
parallel safe
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
set enable_nestloop = off
set jit = off
as $$
declare
    v_from date;
    v_through date;
    v_has_moved boolean;
    v_customers text[];
    v_boundaries date[];
begin
    select
        greatest(a.observed_from, b.observed_from),
        least(a.complete_through, b.complete_through),
        (a.is_truncated, a.first_invoice_at, a.observed_from)
        is distinct from (b.is_truncated, b.first_invoice_at, b.observed_from)
    into v_from, v_through, v_has_moved
    from pipeline.coverage_at(p_from) a
    cross join pipeline.coverage_at(p_to) b
    where a.observed_from <= a.complete_through
        and b.observed_from <= b.complete_through;

    if v_from is null or v_from > v_through then
        return;
    end if;

    if not v_has_moved then
        v_customers := array(
            select i.customer_id
            from raw.invoice i
            where (i.batch_id > p_from and i.batch_id <= p_to)
                or (i.superseded_by > p_from and i.superseded_by <= p_to)
            union
            select c.customer_id
            from raw.customer c
            where (c.batch_id > p_from and c.batch_id <= p_to)
                or (c.superseded_by > p_from and c.superseded_by <= p_to)
        );
    end if;

    select array_agg(greatest(g.month::date, v_from) order by g.month) || (v_through + 1)
    into v_boundaries
    from generate_series(date_trunc('month', v_from::timestamp), v_through::timestamp, interval '1 month') g (month);

    return query
    with movement as materialized (
        select
            u.customer_id,
            u.currency,
            width_bucket(u.effective_on, v_boundaries) as place,
            u.effective_on,
            u.kind,
            sum(u.before) as before,
            sum(u.after) as after
        from (
            select m.customer_id, m.currency, m.effective_on, m.kind, m.change as before, 0 as after
            from pipeline.movements(v_customers, p_from) m
            union all
            select m.customer_id, m.currency, m.effective_on, m.kind, 0, m.change
            from pipeline.movements(v_customers, p_to) m
        ) u
        where u.effective_on <= v_through
            and u.kind <> 'unpaid'
        group by u.customer_id, u.currency, u.effective_on, u.kind
    ),
    restated as materialized (
        select m.customer_id
        from movement m
        where m.before <> m.after
        group by m.customer_id
    ),
    factor as materialized (
        select
            c.currency,
            pipeline.factor(c.currency) as factor
        from (select distinct m.currency from movement m) c
    ),
    -- In the reporting currency, by the month they fall into; place 0 is before them all.
    monthly as materialized (
        select
            m.customer_id,
            m.place,
            m.kind,
            sum(m.before * 0.01 * f.factor) as before,
            sum(m.after * 0.01 * f.factor) as after,
            bool_or(m.before <> m.after) as differs
        from movement m
        join restated r
            on r.customer_id = m.customer_id
        join factor f
            on f.currency = m.currency
        group by m.customer_id, m.place, m.kind
    ),
    by_place as (
        select
            m.customer_id,
            m.place,
            sum(m.before) as before,
            sum(m.after) as after,
            jsonb_object_agg(m.kind, m.after - m.before) filter (where m.after <> m.before) as kinds
        from monthly m
        group by m.customer_id, m.place
    ),
    balance as (
        select
            r.customer_id,
            g.place,
            coalesce(sum(b.before) over in_order, 0) as before,
            coalesce(sum(b.after) over in_order, 0) as after,
            b.kinds
        from restated r
        cross join generate_series(0, cardinality(v_boundaries) - 1) g (place)
        left join by_place b
            on b.customer_id = r.customer_id
            and b.place = g.place
        window in_order as (partition by r.customer_id order by g.place)
    ),
    -- The same for each invoice: what its charges put in force, and when.
    event as (
        select
            c.customer_id,
            c.invoice_id,
            c.currency,
            e.effective_on,
            width_bucket(e.effective_on, v_boundaries) as place,
            sum(c.side * e.sign * c.mrr) as difference
        from (
            select c.customer_id, c.invoice_id, c.currency, c.starts_on, c.ends_on, c.mrr, -1 as side
            from pipeline.charges(array(select r.customer_id from restated r), p_from) c
            union all
            select c.customer_id, c.invoice_id, c.currency, c.starts_on, c.ends_on, c.mrr, 1
            from pipeline.charges(array(select r.customer_id from restated r), p_to) c
        ) c
        cross join lateral (values (c.starts_on, 1), (c.ends_on, -1)) e (effective_on, sign)
        where c.starts_on < c.ends_on
            and e.effective_on <= v_through
        group by c.customer_id, c.invoice_id, c.currency, e.effective_on
        having sum(c.side * e.sign * c.mrr) <> 0
    ),
    named as (
        select
            e.customer_id,
            g.place,
            array_agg(distinct e.invoice_id order by e.invoice_id) as invoice_ids
        from (
            select
                x.customer_id,
                x.invoice_id,
                x.currency,
                x.place,
                sum(x.difference) over (
                    partition by x.customer_id, x.invoice_id, x.currency order by x.effective_on
                ) as in_force,
                lead(x.place, 1, cardinality(v_boundaries)) over (
                    partition by x.customer_id, x.invoice_id, x.currency order by x.effective_on
                ) as next_place
            from event x
        ) e
        -- A difference counts in the month in which it arises, and until the next one.
        cross join lateral generate_series(
            e.place, case when e.in_force = 0 then e.place else greatest(e.place, e.next_place - 1) end
        ) g (place)
        group by e.customer_id, g.place
    )
    select
        date_trunc('month', v_boundaries[b.place]::timestamp)::date,
        v_boundaries[b.place],
        v_boundaries[b.place + 1] - 1,
        b.customer_id,
        b.before,
        b.after,
        coalesce(b.kinds, '{}'),
        coalesce(n.invoice_ids, '{}')
    from balance b
    left join named n
        on n.customer_id = b.customer_id
        and n.place = b.place
    where b.place > 0
        and (b.before <> b.after or b.kinds is not null)
    order by b.place, abs(b.after - b.before) desc, b.customer_id;
end;
$$;

comment on function pipeline.restatements(bigint, bigint) is
    'What the batches after p_from, up to p_to, changed in the months that both cover: one row a month and customer, in the reporting currency.';
revoke all on function pipeline.restatements(bigint, bigint) from public;
grant execute on function pipeline.restatements(bigint, bigint) to pgmrr_writer;
