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
    ranked as (
        select
            row_number() over by_size as rank,
            c.customer_id,
            c.mrr,
            c.mrr / sum(c.mrr) over () as share,
            sum(c.mrr) over by_size / sum(c.mrr) over () as cumulative_share
        from kpi.mrr_by_customer(p_date) c
        window by_size as (order by c.mrr desc, c.customer_id collate "C")
    ),
    ranked_before as (
        select
            row_number() over (order by m.mrr desc, m.customer_id collate "C") as rank,
            m.customer_id
        from asked a
        cross join lateral kpi.mrr_by_customer((a.day - interval '1 month')::date) m
    ),
    -- Of those who are shown: since when they are customers, and what of their MRR is unpaid.
    shown as (
        select
            r.rank,
            r.customer_id,
            r.mrr,
            r.share,
            r.cumulative_share
        from ranked r
        where p_limit is null
            or r.rank <= p_limit
    ),
    begun as (
        select
            l.customer_id,
            min(l.effective_on) as since
        from shown r
        join kpi.ledger l
            on l.customer_id = r.customer_id
        group by l.customer_id
    ),
    open as (
        select
            h.customer_id,
            h.currency,
            sum(h.mrr) as mrr
        from shown r
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
        from shown r
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
    from shown r
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
