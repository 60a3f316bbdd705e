-- How well is each cohort kept, month by month of its life? Rules R11 and R12.
--
-- A cohort is a month: that of the customer's first MRR (p_basis `first_mrr`), or that in
-- which the customer was created (`signup`). By first MRR, the customers who paid before the
-- history began are one cohort, `preexisting`: those who became visible with a renewal, and
-- those who came back. By signup, those whose creation is not known are one, `unknown`.
--
-- One row a cohort and covered month of its life: customers with MRR, and their MRR in the
-- reporting currency, at the end of the month, or on the last covered day of it. Months not
-- lived yet have no row. Month 0 is the cohort's own month; for a cohort without one, the
-- first covered month.
--
-- Shares are relative to the first month of its life in which the cohort is observed. They
-- pass 1 where customers come back or begin to pay later than that. Customers who were there
-- all the time and became visible only later, with a renewal, count among the customers, not
-- in the shares. Where the cohort began before the history and churn was not observable since
-- the end of the first month, later shares are NULL, as where there was nothing to keep.
--
-- Of two cohorts by signup, a customer who paid before it was created is in that of its
-- creation, from that month on. Error MR004 where the basis is unknown.
--
-- The ledger is read once to place the customers and once to count. Changes are added up by
-- cohort and month before they are carried on, so only a few rows are.
create or replace function kpi.cohort_retention(p_basis text default 'first_mrr')
returns table (
    cohort_name text,
    cohort date,
    month_number integer,
    month date,
    last_on date,
    cohort_customers bigint,
    customers bigint,
    mrr numeric,
    customer_share numeric,
    mrr_share numeric,
    is_whole boolean,
    mrr_is_complete boolean,
    churn_is_observable boolean,
    note text
)
language plpgsql
stable
parallel safe
set search_path = ''
as $$
begin
    if p_basis is null or p_basis not in ('first_mrr', 'signup') then
        raise exception using
            errcode = 'MR004',
            message = format('unknown basis of cohorts: %s', coalesce(p_basis, 'NULL')),
            hint = 'It is first_mrr, the month of the first MRR, or signup, the month in which the customer was created.';
    end if;

    return query
    with coverage as materialized (
        select
            v.observed_from,
            v.complete_through,
            v.mrr_complete_from,
            v.churn_observable_from,
            date_trunc('month', v.observed_from::timestamp)::date as first_month
        from kpi.coverage v
        where v.observed_from <= v.complete_through
    ),
    -- A first movement is new, preexisting, or the reactivation of who paid before.
    first_seen as (
        select
            l.customer_id,
            min(l.effective_on) filter (where l.kind = 'new') as new_on,
            min(l.effective_on) filter (where l.kind = 'preexisting') as appeared_on
        from coverage v
        join kpi.ledger l
            on l.effective_on <= v.complete_through
        group by l.customer_id
    ),
    member as (
        select
            f.customer_id,
            date_trunc('month', f.new_on::timestamp)::date as cohort,
            f.appeared_on
        from first_seen f
        where p_basis = 'first_mrr'
        union all
        select
            u.customer_id,
            date_trunc('month', u.created_on::timestamp)::date,
            f.appeared_on
        from coverage v
        join kpi.customer u
            on u.created_on is null
            or u.created_on <= v.complete_through
        left join first_seen f
            on f.customer_id = u.customer_id
        where p_basis = 'signup'
    ),
    -- Whether a member became visible after the month that the shares are relative to.
    placed as (
        select
            m.customer_id,
            m.cohort,
            coalesce(
                date_trunc('month', m.appeared_on::timestamp)::date > greatest(m.cohort, v.first_month),
                false
            ) as appeared_later
        from member m
        cross join coverage v
    ),
    size as (
        select
            p.cohort,
            count(*) as customers
        from placed p
        group by p.cohort
    ),
    -- What came before coverage opens the first month.
    changed as (
        select
            p.cohort,
            date_trunc('month', greatest(l.effective_on, v.observed_from)::timestamp)::date as month,
            sum(l.customers) as customers,
            sum(l.change * c.factor) as mrr,
            sum(l.customers) filter (where not p.appeared_later) as customers_followed,
            sum(l.change * c.factor) filter (where not p.appeared_later) as mrr_followed
        from coverage v
        join kpi.ledger l
            on l.effective_on <= v.complete_through
        join kpi.currency c
            on c.currency = l.currency
        join placed p
            on p.customer_id = l.customer_id
        group by 1, 2
        union all
        -- Every month of every cohort, so that what stays is carried on.
        select
            s.cohort,
            g.month::date,
            0,
            0,
            0,
            0
        from coverage v
        cross join size s
        cross join generate_series(v.first_month::timestamp, v.complete_through::timestamp, interval '1 month') g (month)
    ),
    summed as (
        select
            c.cohort,
            c.month,
            sum(c.customers) as customers,
            sum(c.mrr) as mrr,
            coalesce(sum(c.customers_followed), 0) as customers_followed,
            coalesce(sum(c.mrr_followed), 0) as mrr_followed
        from changed c
        group by c.cohort, c.month
    ),
    carried as (
        select
            s.cohort,
            s.month,
            sum(s.customers) over up_to_month as customers,
            sum(s.mrr) over up_to_month as mrr,
            sum(s.customers_followed) over up_to_month as customers_followed,
            sum(s.mrr_followed) over up_to_month as mrr_followed
        from summed s
        window up_to_month as (partition by s.cohort order by s.month)
    ),
    lived as (
        select
            c.cohort,
            c.month,
            c.customers,
            c.mrr,
            c.customers_followed,
            c.mrr_followed,
            first_value(c.customers_followed) over by_month as customers_at_first,
            first_value(c.mrr_followed) over by_month as mrr_at_first,
            greatest(c.cohort, v.first_month) as first_lived,
            (c.month + interval '1 month - 1 day')::date as month_ends_on,
            v.observed_from,
            v.complete_through,
            v.mrr_complete_from,
            v.churn_observable_from
        from carried c
        cross join coverage v
        where c.cohort is null
            or c.month >= c.cohort
        window by_month as (partition by c.cohort order by c.month)
    ),
    final as (
        select
            l.*,
            12 * (extract(year from l.month) - extract(year from coalesce(l.cohort, l.first_lived)))
            + extract(month from l.month) - extract(month from coalesce(l.cohort, l.first_lived)) as month_number,
            -- The whole life of customers who are new in the history can be seen.
            l.month = l.first_lived
            or (p_basis = 'first_mrr' and l.cohort is not null)
            or (l.cohort >= l.observed_from)
            or (l.first_lived + interval '1 month')::date >= l.churn_observable_from as churn_is_observable
        from lived l
    )
    select
        case
            when f.cohort is not null then to_char(f.cohort, 'YYYY-MM')
            when p_basis = 'first_mrr' then 'preexisting'
            else 'unknown'
        end,
        f.cohort,
        f.month_number::integer,
        f.month,
        least(f.month_ends_on, f.complete_through),
        s.customers,
        f.customers::bigint,
        f.mrr,
        case when coalesce(f.churn_is_observable, false) then f.customers_followed / nullif(f.customers_at_first, 0) end,
        case when coalesce(f.churn_is_observable, false) then f.mrr_followed / nullif(f.mrr_at_first, 0) end,
        f.month >= f.observed_from and f.month_ends_on <= f.complete_through,
        least(f.month_ends_on, f.complete_through) >= f.mrr_complete_from,
        coalesce(f.churn_is_observable, false),
        nullif(
            concat_ws(
                ', ',
                case
                    when not coalesce(f.churn_is_observable, false) then 'churn was not observable yet'
                    when f.customers_at_first = 0 then 'nothing to keep: no MRR in the first month observed'
                    when f.customers <> f.customers_followed
                        then format('%s became visible after the first month and are not in the shares', f.customers - f.customers_followed)
                end,
                case when f.month < f.observed_from or f.month_ends_on > f.complete_through then 'part of a month' end
            ),
            ''
        )
    from final f
    join size s
        on s.cohort is not distinct from f.cohort
    order by f.cohort is null and p_basis = 'signup', f.cohort nulls first, f.month;
end;
$$;

comment on function kpi.cohort_retention(text) is
    'R12: cohorts by month of the first MRR (first_mrr) or of creation (signup): one row a cohort and covered month of its life, with customers and MRR (a month, reporting currency) at the month''s end, and both as shares of the first month observed. Error MR004 where the basis is unknown. Example: select * from kpi.cohort_retention(''signup'').';
revoke all on function kpi.cohort_retention(text) from public;
grant execute on function kpi.cohort_retention(text) to pgmrr_reader, pgmrr_writer;
