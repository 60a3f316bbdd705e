-- Who carries the revenue on a day? Rules R9, R11 and R13.
--
-- One row a customer, the largest MRR first, in the reporting currency. `unpaid` is the
-- part whose invoices are open or drafts: a customer who never paid shows it. The rank of a
-- month earlier, to the day, is NULL where the customer had no MRR then or that day is not
-- covered; `rank_change` is how many places the customer rose, negative where it fell.
-- Without a day it is the last covered one, without a limit (NULL) all are shown; outside
-- coverage there is no row.
create or replace function kpi.biggest_customers(p_date date default null, p_limit integer default 10)
returns table (
    rank bigint,
    customer_id text,
    name text,
    mrr numeric,
    share numeric,
    cumulative_share numeric,
    unpaid numeric,
    customer_since date,
    rank_before bigint,
    rank_change bigint
)
language sql
stable
parallel safe
begin atomic
    with asked as (
        select r.last_on as day
        from kpi.coverage v
        cross join lateral kpi.covered_range(coalesce(p_date, v.complete_through), coalesce(p_date, v.complete_through)) r
    ),
    paying as (
        select
            m.customer_id,
            m.mrr
        from kpi.mrr_by_customer(p_date) m
    ),
    total as (
        select sum(p.mrr) as mrr
        from paying p
    ),
    -- Only the rows asked for are put into order.
    largest as (
        select
            p.customer_id,
            p.mrr
        from paying p
        order by p.mrr desc, p.customer_id collate "C"
        limit case when p_limit is not null then greatest(p_limit, 0) end
    ),
    ranked as (
        select
            row_number() over by_size as rank,
            l.customer_id,
            l.mrr,
            l.mrr / t.mrr as share,
            sum(l.mrr) over by_size / t.mrr as cumulative_share
        from largest l
        cross join total t
        window by_size as (order by l.mrr desc, l.customer_id collate "C")
    ),
    -- A month earlier, where that is covered.
    earlier as (
        select (a.day - interval '1 month')::date as day
        from asked a
        cross join kpi.coverage v
        where (a.day - interval '1 month')::date >= v.observed_from
    ),
    -- Whoever paid less then than all who are shown has no part in their ranks.
    least_before as (
        select min(b.mrr) as mrr
        from (
            select h.mrr[width_bucket(e.day, h.days)] as mrr
            from earlier e
            cross join largest l
            join kpi.history h
                on h.customer_id = l.customer_id
        ) b
        where b.mrr > 0
    ),
    ranked_before as (
        select
            row_number() over (order by b.mrr desc, b.customer_id collate "C") as rank,
            b.customer_id
        from (
            select
                h.customer_id,
                h.mrr[width_bucket(e.day, h.days)] as mrr
            from earlier e
            cross join kpi.history h
        ) b
        where b.mrr >= (select s.mrr from least_before s)
    ),
    -- Of those who are shown: since when they are customers, and what of their MRR is unpaid.
    begun as (
        select
            l.customer_id,
            min(l.effective_on) as since
        from ranked r
        join kpi.ledger l
            on l.customer_id = r.customer_id
        group by l.customer_id
    ),
    open as (
        select
            h.customer_id,
            h.currency,
            sum(h.mrr) as mrr
        from ranked r
        cross join asked a
        join kpi.charge_term h
            on h.customer_id = r.customer_id
            and h.starts_on <= a.day
            and h.ends_on > a.day
            and h.is_unpaid
        group by h.customer_id, h.currency
    ),
    held as (
        select distinct on (l.customer_id, l.currency)
            l.customer_id,
            l.currency,
            l.balance
        from ranked r
        cross join asked a
        join kpi.balance l
            on l.customer_id = r.customer_id
            and l.effective_on <= a.day
        order by l.customer_id, l.currency, l.effective_on desc
    ),
    unpaid as (
        select
            o.customer_id,
            sum(least(greatest(o.mrr, 0), h.balance) * f.factor) as mrr
        from open o
        join held h
            on h.customer_id = o.customer_id
            and h.currency = o.currency
        join kpi.currency f
            on f.currency = o.currency
        group by o.customer_id
    )
    select
        r.rank,
        r.customer_id,
        u.name,
        r.mrr,
        r.share,
        r.cumulative_share,
        coalesce(n.mrr, 0),
        g.since,
        e.rank,
        e.rank - r.rank
    from ranked r
    left join begun g
        on g.customer_id = r.customer_id
    left join unpaid n
        on n.customer_id = r.customer_id
    left join ranked_before e
        on e.customer_id = r.customer_id
    left join kpi.customer u
        on u.customer_id = r.customer_id
    order by r.rank;
end;

comment on function kpi.biggest_customers(date, integer) is
    'The customers with the largest MRR on a day (NULL: the last covered one), p_limit of them (NULL: all), one row each, in the reporting currency, shares 0 to 1, with their rank a month earlier. Example: select * from kpi.biggest_customers(''2024-06-30'', 20).';
revoke all on function kpi.biggest_customers(date, integer) from public;
grant execute on function kpi.biggest_customers(date, integer) to pgmrr_reader, pgmrr_writer;
