-- Whose paid period ends when? Rules R5 to R9 and R11.
--
-- Seen from the last covered day: one row a customer, subscription, currency and day on which
-- charges in force today end, in the reporting currency. Over all days they add up to the MRR
-- of that day (a balance that credits would push below 0 apart). A negative row is a credit
-- that ends: MRR rises then. `unpaid` is the part whose invoices are open or drafts, as far as
-- credits leave it. `is_renewed` is true where a charge that goes on is known
-- already. Service without an end has no row.
--
-- A day that was covered is no renewal ahead and has no row. NULL bounds are open. Error MR006
-- where the range is upside down.
create or replace function kpi.renewals(p_from date default null, p_to date default null)
returns table (
    ends_on date,
    customer_id text,
    name text,
    subscription_id text,
    term text,
    mrr numeric,
    currency text,
    mrr_in_currency numeric,
    unpaid numeric,
    is_renewed boolean
)
language sql
stable
parallel safe
begin atomic
    -- For its error alone.
    select count(*) from kpi.covered_range(p_from, p_to);

    -- All that is not over yet, read once: what runs, and what begins later.
    with ahead as materialized (
        select
            t.customer_id,
            t.subscription_id,
            t.currency,
            t.starts_on,
            t.ends_on,
            t.mrr,
            t.months,
            t.term,
            t.is_unpaid
        from kpi.charge_term t
        where t.ends_on > (
            select v.complete_through
            from kpi.coverage v
            where v.observed_from <= v.complete_through
        )
    ),
    running as (
        select
            a.customer_id,
            a.subscription_id,
            a.currency,
            c.factor,
            a.ends_on,
            sum(a.mrr) as mrr,
            coalesce(sum(a.mrr) filter (where a.is_unpaid), 0) as unpaid,
            (array_agg(a.term order by a.mrr desc, a.months desc))[1] as term
        from ahead a
        join kpi.currency c
            on c.currency = a.currency
        where a.starts_on <= (select v.complete_through from kpi.coverage v)
            and a.ends_on < 'infinity'
            and (p_from is null or a.ends_on >= p_from)
            and (p_to is null or a.ends_on <= p_to)
        group by a.customer_id, a.subscription_id, a.currency, c.factor, a.ends_on
        having sum(a.mrr) <> 0
    ),
    -- Which of them go on: only charges that are not over yet can tell.
    renewed as (
        select distinct
            r.customer_id,
            r.subscription_id,
            r.currency,
            r.ends_on
        from running r
        join ahead n
            on n.customer_id = r.customer_id
            and n.subscription_id = r.subscription_id
            and n.currency = r.currency
            and n.starts_on <= r.ends_on
            and n.ends_on > r.ends_on
            and n.mrr > 0
    )
    select
        r.ends_on,
        r.customer_id,
        u.name,
        r.subscription_id,
        r.term,
        r.mrr * r.factor,
        r.currency,
        r.mrr,
        least(greatest(r.unpaid, 0), greatest(r.mrr, 0)) * r.factor,
        n.customer_id is not null
    from running r
    left join renewed n
        on n.customer_id = r.customer_id
        and n.subscription_id = r.subscription_id
        and n.currency = r.currency
        and n.ends_on = r.ends_on
    left join kpi.customer u
        on u.customer_id = r.customer_id
    order by r.ends_on, r.mrr * r.factor desc, r.customer_id collate "C", r.subscription_id collate "C", r.currency collate "C";
end;

comment on function kpi.renewals(date, date) is
    'Renewals ahead of the last covered day: whose paid period ends on which day of the range (NULL: open), one row a customer, subscription, currency and day; MRR a month, in the reporting currency. Error MR006 where the range is upside down. Example: select * from kpi.renewals(''2024-05-01'', ''2025-12-31'').';
revoke all on function kpi.renewals(date, date) from public;
grant execute on function kpi.renewals(date, date) to pgmrr_reader, pgmrr_writer;
