-- Who carries the revenue on a day? Rules R9, R11 and R13.
--
-- One row a customer, the largest MRR first, in the reporting currency. `unpaid` is the
-- part whose invoices are open or drafts: a customer who never paid shows it. Without a
-- day it is the last covered one, without a limit (NULL) all are shown; outside coverage
-- there is no row.
create or replace function kpi.biggest_customers(p_date date default null, p_limit integer default 10)
returns table (
    rank bigint,
    customer_id text,
    name text,
    mrr numeric,
    share numeric,
    cumulative_share numeric,
    unpaid numeric,
    customer_since date
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
    -- The last balance in each currency: the index of the ledger, read backwards.
    balance as (
        select distinct on (l.customer_id, l.currency)
            l.customer_id,
            l.currency,
            l.balance
        from kpi.balance l
        where l.effective_on <= (select a.day from asked a)
        order by l.customer_id desc, l.currency desc, l.effective_on desc
    ),
    customer as (
        select
            b.customer_id,
            sum(b.balance * c.factor) as mrr
        from balance b
        join kpi.currency c
            on c.currency = b.currency
        where b.balance > 0
        group by b.customer_id
    ),
    ranked as (
        select
            row_number() over by_size as rank,
            c.customer_id,
            c.mrr,
            c.mrr / sum(c.mrr) over () as share,
            sum(c.mrr) over by_size / sum(c.mrr) over () as cumulative_share
        from customer c
        window by_size as (order by c.mrr desc, c.customer_id collate "C")
    )
    select
        r.rank,
        r.customer_id,
        u.name,
        r.mrr,
        r.share,
        r.cumulative_share,
        (
            select coalesce(sum(least(greatest(open.mrr, 0), b.balance) * f.factor), 0)
            from (
                select
                    h.currency,
                    sum(h.mrr) as mrr
                from kpi.charge h
                cross join asked a
                where h.customer_id = r.customer_id
                    and h.starts_on <= a.day
                    and h.ends_on > a.day
                    and h.is_unpaid
                group by h.currency
            ) open
            join kpi.currency f
                on f.currency = open.currency
            cross join lateral (
                select l.balance
                from kpi.balance l
                cross join asked a
                where l.customer_id = r.customer_id
                    and l.currency = open.currency
                    and l.effective_on <= a.day
                order by l.effective_on desc
                limit 1
            ) b
        ),
        (select min(l.effective_on) from kpi.ledger l where l.customer_id = r.customer_id)
    from ranked r
    left join kpi.customer u
        on u.customer_id = r.customer_id
    where p_limit is null
        or r.rank <= p_limit
    order by r.rank;
end;

comment on function kpi.biggest_customers(date, integer) is
    'The customers with the largest MRR on a day (NULL: the last covered one), p_limit of them (NULL: all), one row each, in the reporting currency, shares 0 to 1. Example: select * from kpi.biggest_customers(''2024-06-30'', 20).';
revoke all on function kpi.biggest_customers(date, integer) from public;
grant execute on function kpi.biggest_customers(date, integer) to pgmrr_reader, pgmrr_writer;
