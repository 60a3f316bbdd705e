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
    -- Only currencies need what a customer pays in each.
    by_currency as (
        select distinct on (l.customer_id, l.currency)
            l.customer_id,
            l.currency,
            l.balance
        from kpi.balance l
        where p_attribute = 'currency'
            and l.effective_on <= (select a.day from asked a)
        order by l.customer_id desc, l.currency desc, l.effective_on desc
    ),
    customer as (
        select m.customer_id, m.mrr
        from kpi.mrr_by_customer(p_date) m
        where p_attribute <> 'currency'
    ),
    -- The charges in force: what a customer pays by term.
    paying as (
        select
            t.customer_id,
            coalesce(sum(t.mrr * c.factor) filter (where t.term = 'month'), 0) as by_month,
            coalesce(sum(t.mrr * c.factor) filter (where t.term = 'year'), 0) as by_year,
            coalesce(sum(t.mrr * c.factor) filter (where t.term = 'other'), 0) as by_other
        from asked a
        join kpi.charge_term t
            on t.starts_on <= a.day
            and t.ends_on > a.day
        join kpi.currency c
            on c.currency = t.currency
        where p_attribute = 'term'
        group by t.customer_id
    ),
    member as (
        select
            b.currency as segment,
            b.balance * c.factor as mrr
        from by_currency b
        join kpi.currency c
            on c.currency = b.currency
        where b.balance > 0
        union all
        select
            kpi.dominant_term(p.by_month, p.by_year, p.by_other),
            m.mrr
        from customer m
        left join paying p
            on p.customer_id = m.customer_id
        where p_attribute = 'term'
        union all
        select
            kpi.price_band(m.mrr),
            m.mrr
        from customer m
        where p_attribute = 'price_band'
        union all
        select
            nullif(u.attributes ->> kpi.customer_attribute(p_attribute), ''),
            m.mrr
        from customer m
        left join kpi.customer u
            on u.customer_id = m.customer_id
        where p_attribute not in ('currency', 'term', 'price_band')
    ),
    final as (
        select
            m.segment,
            count(*) as customers,
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
