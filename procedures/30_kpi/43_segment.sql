-- How is MRR spread over segments on a day? Rules R9, R11 and R13.
--
-- One row a segment with MRR (kpi.segment_history says who is in which; one day needs the
-- charges of that day, not the history), in the reporting currency; the largest first, price bands from the lowest. MRR adds up to the company's.
-- The segment is NULL for customers without a value. By currency, a customer who pays in two
-- counts in both; by every other attribute customers add up too. Without a day it is the last
-- covered one; no row outside coverage. Error MR004 where the attribute is unknown.
create or replace function kpi.segment(p_attribute text, p_date date default null)
returns table (
    segment text,
    customers bigint,
    mrr numeric,
    share numeric,
    arpa numeric
)
language sql
stable
parallel safe
begin atomic
    select kpi.check_attribute(p_attribute);

    with asked as (
        select r.last_on as day
        from kpi.coverage v
        cross join lateral kpi.covered_range(coalesce(p_date, v.complete_through), coalesce(p_date, v.complete_through)) r
    ),
    -- On the last covered day, whoever pays in one currency is counted as billed; by currency,
    -- everybody is.
    billed_by_currency as (
        select
            p.currency as segment,
            p.currency,
            sum(p.customers) as customers,
            sum(p.mrr * p.customers) as mrr
        from kpi.paying_by_price p
        where p_attribute = 'currency'
            and p.day = (select a.day from asked a)
        group by p.currency
    ),
    billed_by_term as (
        select
            p.term as segment,
            p.currency,
            sum(p.customers) as customers,
            sum(p.mrr * p.customers) as mrr
        from kpi.paying_by_price p
        where p_attribute = 'term'
            and p.day = (select a.day from asked a)
            and p.is_only_currency
        group by p.term, p.currency
    ),
    billed_by_attribute as (
        select
            nullif(u.attributes ->> kpi.customer_attribute(p_attribute), '') as segment,
            p.currency,
            count(*) as customers,
            sum(p.mrr) as mrr
        from kpi.paying p
        left join kpi.customer u
            on u.customer_id = p.customer_id
        where p_attribute not in ('currency', 'term', 'price_band')
            and p.day = (select a.day from asked a)
            and p.has_mrr
            and p.is_only_currency
        group by 1, 2
    ),
    billed as (
        select c.segment, c.currency, c.customers, c.mrr from billed_by_currency c
        union all
        select t.segment, t.currency, t.customers, t.mrr from billed_by_term t
        union all
        select a.segment, a.currency, a.customers, a.mrr from billed_by_attribute a
    ),
    -- The others of that day: customers with several currencies.
    in_currencies as (
        select
            p.customer_id,
            sum(p.mrr * c.factor) as mrr,
            kpi.dominant_term(sum(p.by_month * c.factor), sum(p.by_year * c.factor), sum(p.by_other * c.factor)) as term
        from kpi.paying p
        join kpi.currency c
            on c.currency = p.currency
        where p_attribute not in ('currency', 'price_band')
            and p.day = (select a.day from asked a)
            and not p.is_only_currency
        group by p.customer_id
        having sum(p.mrr) > 0
    ),
    -- On any other day: the last balance in each currency, and the charges in force.
    earlier as (
        select a.day
        from asked a
        where a.day is distinct from (select p.day from kpi.paying p limit 1)
    ),
    by_currency as (
        select distinct on (l.customer_id, l.currency)
            l.customer_id,
            l.currency,
            l.balance
        from kpi.balance l
        where p_attribute = 'currency'
            and l.effective_on <= (select e.day from earlier e)
        order by l.customer_id desc, l.currency desc, l.effective_on desc
    ),
    by_term as (
        select
            t.customer_id,
            kpi.dominant_term(
                coalesce(sum(t.mrr * c.factor) filter (where t.term = 'month'), 0),
                coalesce(sum(t.mrr * c.factor) filter (where t.term = 'year'), 0),
                coalesce(sum(t.mrr * c.factor) filter (where t.term = 'other'), 0)
            ) as term
        from earlier e
        join kpi.charge_term t
            on t.starts_on <= e.day
            and t.ends_on > e.day
        join kpi.currency c
            on c.currency = t.currency
        where p_attribute = 'term'
        group by t.customer_id
    ),
    customer as (
        select
            i.customer_id,
            i.mrr,
            i.term
        from in_currencies i
        union all
        select
            m.customer_id,
            m.mrr,
            t.term
        from kpi.mrr_by_customer(p_date) m
        left join by_term t
            on t.customer_id = m.customer_id
        where p_attribute not in ('currency', 'price_band')
            and exists (select from earlier)
    ),
    member as (
        select
            b.segment,
            b.customers,
            b.mrr * c.factor as mrr
        from billed b
        join kpi.currency c
            on c.currency = b.currency
        union all
        select
            b.currency,
            1,
            b.balance * c.factor
        from by_currency b
        join kpi.currency c
            on c.currency = b.currency
        where b.balance > 0
        union all
        select
            kpi.price_band(d.mrr),
            d.customers,
            d.mrr * d.customers
        from kpi.mrr_distribution(p_date) d
        where p_attribute = 'price_band'
        union all
        select
            m.term,
            1,
            m.mrr
        from customer m
        where p_attribute = 'term'
        union all
        select
            nullif(u.attributes ->> kpi.customer_attribute(p_attribute), ''),
            1,
            m.mrr
        from customer m
        left join kpi.customer u
            on u.customer_id = m.customer_id
        where p_attribute not in ('currency', 'term', 'price_band')
    ),
    final as (
        select
            m.segment,
            sum(m.customers)::bigint as customers,
            sum(m.mrr) as mrr
        from member m
        group by m.segment
    )
    select
        f.segment,
        f.customers,
        f.mrr,
        f.mrr / sum(f.mrr) over (),
        f.mrr / f.customers
    from final f
    order by
        case when p_attribute = 'price_band' then f.mrr / f.customers end,
        f.mrr desc,
        f.segment collate "C";
end;

comment on function kpi.segment(text, date) is
    'MRR of each segment on a day (NULL: the last covered one), a month, in the reporting currency, with customers and share (0 to 1); one row a segment. Error MR004 where the attribute is unknown. Example: select * from kpi.segment(''term'', ''2024-03-31'').';
revoke all on function kpi.segment(text, date) from public;
grant execute on function kpi.segment(text, date) to pgmrr_reader, pgmrr_writer;
