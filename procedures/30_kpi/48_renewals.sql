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

    with running as (
        select
            t.customer_id,
            t.subscription_id,
            t.currency,
            t.ends_on,
            sum(t.mrr) as mrr,
            coalesce(sum(t.mrr) filter (where t.is_unpaid), 0) as unpaid,
            (array_agg(t.term order by t.mrr desc, t.months desc))[1] as term
        from kpi.coverage v
        join kpi.charge_term t
            on t.starts_on <= v.complete_through
            and t.ends_on > v.complete_through
        where v.observed_from <= v.complete_through
            and t.ends_on < 'infinity'
            and (p_from is null or t.ends_on >= p_from)
            and (p_to is null or t.ends_on <= p_to)
        group by t.customer_id, t.subscription_id, t.currency, t.ends_on
        having sum(t.mrr) <> 0
    )
    select
        r.ends_on,
        r.customer_id,
        u.name,
        r.subscription_id,
        r.term,
        r.mrr * c.factor,
        r.currency,
        r.mrr,
        least(greatest(r.unpaid, 0), greatest(r.mrr, 0)) * c.factor,
        exists (
            select
            from kpi.charge_term n
            where n.customer_id = r.customer_id
                and n.currency = r.currency
                and n.subscription_id = r.subscription_id
                and n.starts_on <= r.ends_on
                and n.ends_on > r.ends_on
                -- As r does: so only charges that still run are compared.
                and n.ends_on > (select v.complete_through from kpi.coverage v)
                and n.mrr > 0
        )
    from running r
    join kpi.currency c
        on c.currency = r.currency
    left join kpi.customer u
        on u.customer_id = r.customer_id
    order by r.ends_on, r.mrr * c.factor desc, r.customer_id collate "C", r.subscription_id collate "C", r.currency collate "C";
end;

comment on function kpi.renewals(date, date) is
    'Renewals ahead of the last covered day: whose paid period ends on which day of the range (NULL: open), one row a customer, subscription, currency and day; MRR a month, in the reporting currency. Error MR006 where the range is upside down. Example: select * from kpi.renewals(''2024-05-01'', ''2025-12-31'').';
revoke all on function kpi.renewals(date, date) from public;
grant execute on function kpi.renewals(date, date) to pgmrr_reader, pgmrr_writer;
