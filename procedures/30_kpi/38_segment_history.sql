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
            count(*) = 1 as is_of_one_term
        from (
            select
                t.customer_id,
                t.currency,
                t.term,
                min(t.starts_on) as starts_on
            from kpi.charge_term t
            where p_attribute = 'term'
                and t.has_mrr
            group by t.customer_id, t.currency, t.term
            having min(t.starts_on) <= (select v.complete_through from kpi.coverage v)
        ) t
        group by t.customer_id
    ),
    -- The charges of the others are looked up by the key, where a join would read all. A renewal
    -- that changes nothing ends and starts on the same day, and is no change.
    paid as (
        select
            t.customer_id,
            case when d.begins then t.starts_on else t.ends_on end as day,
            t.term,
            sum(case when d.begins then t.mrr else - t.mrr end * c.factor) as change
        from kpi.charge_term t
        join kpi.currency c
            on c.currency = t.currency
        cross join (values (true), (false)) d (begins)
        where p_attribute = 'term'
            and t.customer_id = any(array(select b.customer_id from billed b where not b.is_of_one_term))
            and t.starts_on <= (select v.complete_through from kpi.coverage v)
            and t.has_mrr
            and t.term is not null
        group by t.customer_id, 2, t.term
        having sum(case when d.begins then t.mrr else - t.mrr end * c.factor) <> 0
    ),
    paying as (
        select
            p.customer_id,
            p.day,
            sum(coalesce(sum(p.change) filter (where p.term = 'month'), 0)) over up_to_day as by_month,
            sum(coalesce(sum(p.change) filter (where p.term = 'year'), 0)) over up_to_day as by_year,
            sum(coalesce(sum(p.change) filter (where p.term = 'other'), 0)) over up_to_day as by_other
        from paid p
        group by p.customer_id, p.day
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
