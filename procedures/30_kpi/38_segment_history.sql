-- To which segment does each customer belong, and since when? Rules R5, R9 and R13.
--
-- One row a customer, part and day from which the segment holds, until the next row of the
-- same part. Only `currency` has parts: what a customer pays in each currency is a part of
-- its own. In every other attribute a customer has one part, '', and so is in one segment
-- at a time:
--     currency    the currency billed
--     term        month, year or other: the term that carries most of the customer's MRR;
--                 where two carry the same, the longer one (other lies between them).
--                 Who is only ever billed for one term, in one currency, is in its segment
--                 from the first charge on, whatever is paid later: most are, and need no more
--     price_band  the band of the customer's MRR in the reporting currency
--     any other   the customer's attribute of this name (customer.term of the name term), as
--                 it is known today; the source keeps no history of it
-- NULL is the segment of those without a value, and an empty text is no value. Conditions
-- on p_attribute alone keep the branches that were not asked for from running.
create or replace function kpi.segment_history(p_attribute text)
returns table (
    customer_id text,
    part text,
    effective_on date,
    segment text
)
language sql
stable
parallel safe
begin atomic
    with billed as (
        select
            t.customer_id,
            min(t.starts_on) as starts_on,
            min(t.term) as term,
            min(t.term) is not distinct from max(t.term)
            and count(t.term) in (0, count(*))
            and min(t.currency) = max(t.currency) as is_of_one_term
        from kpi.coverage v
        join kpi.charge_term t
            on t.starts_on <= v.complete_through
        where p_attribute = 'term'
            and t.mrr <> 0
        group by t.customer_id
    ),
    paid as (
        select
            e.customer_id,
            e.day,
            coalesce(sum(e.mrr) filter (where e.term = 'month'), 0) as by_month,
            coalesce(sum(e.mrr) filter (where e.term = 'year'), 0) as by_year,
            coalesce(sum(e.mrr) filter (where e.term = 'other'), 0) as by_other
        from (
            select
                t.customer_id,
                t.term,
                d.day,
                d.mrr * c.factor as mrr
            from kpi.coverage v
            join kpi.charge_term t
                on t.starts_on <= v.complete_through
            join kpi.currency c
                on c.currency = t.currency
            join billed b
                on b.customer_id = t.customer_id
                and not b.is_of_one_term
            cross join lateral (values (t.starts_on, t.mrr), (t.ends_on, - t.mrr)) d (day, mrr)
            where p_attribute = 'term'
        ) e
        group by e.customer_id, e.day
    ),
    -- A renewal that changes nothing ends and starts on the same day, and is no change.
    paying as (
        select
            p.customer_id,
            p.day,
            sum(p.by_month) over up_to_day as by_month,
            sum(p.by_year) over up_to_day as by_year,
            sum(p.by_other) over up_to_day as by_other
        from paid p
        where (p.by_month, p.by_year, p.by_other) <> (0, 0, 0)
        window up_to_day as (partition by p.customer_id order by p.day)
    ),
    priced as (
        select
            l.customer_id,
            l.effective_on,
            sum(sum(l.change * c.factor)) over (partition by l.customer_id order by l.effective_on) as mrr
        from kpi.ledger l
        join kpi.currency c
            on c.currency = l.currency
        where p_attribute = 'price_band'
        group by l.customer_id, l.effective_on
    )
    select distinct
        l.customer_id,
        l.currency,
        date '-infinity',
        l.currency
    from kpi.ledger l
    where p_attribute = 'currency'
    union all
    select
        b.customer_id,
        '',
        b.starts_on,
        b.term
    from billed b
    where b.is_of_one_term
    union all
    select
        p.customer_id,
        '',
        p.day,
        kpi.dominant_term(p.by_month, p.by_year, p.by_other)
    from paying p
    union all
    select
        p.customer_id,
        '',
        p.effective_on,
        kpi.price_band(p.mrr)
    from priced p
    union all
    select
        u.customer_id,
        '',
        date '-infinity',
        nullif(u.attributes ->> kpi.customer_attribute(p_attribute), '')
    from kpi.customer u
    where p_attribute not in ('currency', 'term', 'price_band');
end;

comment on function kpi.segment_history(text) is
    'The segment of each customer by an attribute, from which day on: one row a customer, part (a currency where the attribute is the currency, else empty) and day. NULL is the segment of those without a value.';
revoke all on function kpi.segment_history(text) from public;
grant execute on function kpi.segment_history(text) to pgmrr_reader, pgmrr_writer;
