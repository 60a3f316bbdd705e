-- How well is each cohort kept, month by month of its life? Rules R11 and R12.
--
-- A cohort is a month: that of the customer's first MRR (p_basis `first_mrr`), or that in
-- which the customer was created (`signup`). By first MRR, the customers who paid before the
-- history began are one cohort, `preexisting`: those who became visible with a renewal, and
-- those who came back. By signup, those whose creation is not known are one, `unknown`.
--
-- One row a cohort and covered month of its life: customers with MRR, and their MRR in the
-- reporting currency, at the end of the month, or on the last covered day of it. Months not
-- lived yet have no row, and one of which only a part is covered is not `is_whole`. Month 0 is
-- the cohort's own month; for a cohort without one, the first covered month.
--
-- Shares are relative to the first month in which the cohort is observed: the first month of
-- its life that is covered, and for a cohort that began before the history, the first from
-- whose end on churn can be seen. `customers_at_base` are those with MRR at its end, who are 100 %
-- of the customers: by signup not all of the cohort, as some pay later or never. Before that month
-- shares are NULL, as where there was nothing to keep.
-- They pass 1 where customers come back or begin to pay later than that. Customers of a cohort
-- that began before the history who were there all the time and became visible only later,
-- with a renewal, count among the customers, not in the shares; of the preexisting ones,
-- neither do those who had left before the history and came back later.
--
-- By signup, a customer who paid before it was created is counted from the month of its
-- creation on. Error MR004 where the basis is unknown.
--
-- By first MRR, what the cohorts did in each month is kept by the refresh (kpi.cohort_month).
-- By signup, the ledger is read once to place the customers and once to count. Changes are
-- added up by cohort and month before they are carried on, so only a few rows are.
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
    customers_at_base bigint,
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
            date_trunc('month', v.observed_from::timestamp)::date as first_month,
            date_trunc('month', v.churn_observable_from::timestamp - interval '1 day')::date as first_month_to_follow
        from kpi.coverage v
        where v.observed_from <= v.complete_through
    ),
    kept as materialized (
        select
            case when k.is_new then k.cohort end as cohort,
            k.cohort as joined,
            k.month,
            sum(k.arrived) as arrived,
            sum(k.customers) as customers,
            sum(k.change * c.factor) as mrr
        from kpi.cohort_month k
        join kpi.currency c
            on c.currency = k.currency
        where p_basis = 'first_mrr'
        group by k.cohort, k.is_new, k.month
    ),
    -- A first movement is new, preexisting, or the reactivation of who paid before.
    first_seen as (
        select
            l.customer_id,
            min(l.effective_on) as seen_on,
            min(l.effective_on) filter (where l.kind = 'new') as new_on
        from coverage v
        join kpi.ledger l
            on l.effective_on <= v.complete_through
        where p_basis = 'first_mrr'
            and not exists (select from kept)
        group by l.customer_id
    ),
    appeared as (
        select
            l.customer_id,
            min(l.effective_on) as appeared_on
        from coverage v
        join kpi.ledger l
            on l.effective_on <= v.complete_through
        where p_basis = 'signup'
            and l.kind = 'preexisting'
        group by l.customer_id
    ),
    member as (
        select
            f.customer_id,
            date_trunc('month', f.new_on::timestamp)::date as cohort,
            case when f.new_on is null then f.seen_on end as joined_on
        from first_seen f
        union all
        select
            u.customer_id,
            date_trunc('month', u.created_on::timestamp)::date,
            a.appeared_on
        from coverage v
        join kpi.customer u
            on u.created_on is null
            or u.created_on <= v.complete_through
        left join appeared a
            on a.customer_id = u.customer_id
        where p_basis = 'signup'
    ),
    -- The month that the shares of a cohort are relative to.
    base as (
        select
            n.cohort,
            case
                when n.cohort is null or (p_basis = 'signup' and n.cohort < v.observed_from)
                    then greatest(n.cohort, v.first_month, v.first_month_to_follow)
                else greatest(n.cohort, v.first_month)
            end as base
        from (
            select m.cohort from member m
            union
            select k.cohort from kept k
        ) n
        cross join coverage v
    ),
    -- Whether a member joined what is visible of the cohort after it.
    placed as (
        select
            m.customer_id,
            m.cohort,
            coalesce(date_trunc('month', m.joined_on::timestamp)::date > b.base, false) as joined_later
        from member m
        join base b
            on coalesce(b.cohort, '-infinity') = coalesce(m.cohort, '-infinity')
    ),
    size as (
        select
            b.cohort,
            b.base,
            coalesce(p.customers, 0) + coalesce(k.customers, 0) as customers
        from base b
        left join (select p.cohort, count(*) as customers from placed p group by p.cohort) p
            on p.cohort is not distinct from b.cohort
        left join (select k.cohort, sum(k.arrived)::bigint as customers from kept k group by k.cohort) k
            on k.cohort is not distinct from b.cohort
    ),
    -- What came before coverage opens the first month. In the customers' currencies, so that only
    -- sums are converted.
    moved as (
        select
            p.cohort,
            date_trunc('month', greatest(l.effective_on, v.observed_from)::timestamp)::date as month,
            l.currency,
            sum(l.customers) as customers,
            sum(l.change) as change,
            sum(l.customers) filter (where not p.joined_later) as customers_followed,
            sum(l.change) filter (where not p.joined_later) as change_followed
        from coverage v
        join kpi.ledger l
            on l.effective_on <= v.complete_through
        join placed p
            on p.customer_id = l.customer_id
        group by 1, 2, 3
    ),
    changed as (
        select
            m.cohort,
            m.month,
            m.customers,
            m.change * c.factor as mrr,
            m.customers_followed,
            m.change_followed * c.factor as mrr_followed
        from moved m
        join kpi.currency c
            on c.currency = m.currency
        union all
        select
            k.cohort,
            greatest(k.month, v.first_month),
            k.customers,
            k.mrr,
            case when k.cohort is not null or k.joined <= b.base then k.customers end,
            case when k.cohort is not null or k.joined <= b.base then k.mrr end
        from kept k
        cross join coverage v
        join base b
            on b.cohort is not distinct from k.cohort
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
    followed as (
        select
            c.cohort,
            c.month,
            (c.month + interval '1 month - 1 day')::date as month_ends_on,
            s.customers as cohort_customers,
            s.base,
            c.customers,
            c.mrr,
            c.customers_followed,
            c.mrr_followed,
            max(c.customers_followed) filter (where c.month = s.base) over by_cohort as customers_at_base,
            max(c.mrr_followed) filter (where c.month = s.base) over by_cohort as mrr_at_base
        from carried c
        join size s
            on s.cohort is not distinct from c.cohort
        window by_cohort as (partition by c.cohort)
    ),
    final as (
        select
            f.cohort,
            f.month,
            f.month_ends_on,
            f.cohort_customers,
            f.customers,
            f.mrr,
            f.customers_followed,
            f.mrr_followed,
            f.customers_at_base,
            f.mrr_at_base,
            f.month >= f.base as churn_is_observable,
            coalesce(f.cohort, v.first_month) as began_on,
            v.observed_from,
            v.complete_through,
            v.mrr_complete_from
        from followed f
        cross join coverage v
        where f.cohort is null
            or f.month >= f.cohort
    )
    select
        case
            when f.cohort is not null then to_char(f.cohort, 'YYYY-MM')
            when p_basis = 'first_mrr' then 'preexisting'
            else 'unknown'
        end,
        f.cohort,
        (
            12 * (extract(year from f.month) - extract(year from f.began_on))
            + extract(month from f.month) - extract(month from f.began_on)
        )::integer,
        f.month,
        least(f.month_ends_on, f.complete_through),
        f.cohort_customers,
        f.customers::bigint,
        f.mrr,
        case when f.churn_is_observable then f.customers_followed / nullif(f.customers_at_base, 0) end,
        case when f.churn_is_observable then f.mrr_followed / nullif(f.mrr_at_base, 0) end,
        f.customers_at_base::bigint,
        f.month >= f.observed_from and f.month_ends_on <= f.complete_through,
        least(f.month_ends_on, f.complete_through) >= f.mrr_complete_from,
        f.churn_is_observable,
        case
            when not f.churn_is_observable then 'churn was not observable yet'
            when f.customers_at_base = 0 then 'nothing to keep: no MRR in the first month observed'
            when f.customers <> f.customers_followed
                then format('%s first seen later, in no share', f.customers - f.customers_followed)
        end
    from final f
    order by f.cohort is null and p_basis = 'signup', f.cohort nulls first, f.month;
end;
$$;

comment on function kpi.cohort_retention(text) is
    'R12: cohorts by month of the first MRR (first_mrr) or of creation (signup): one row a cohort and covered month of its life, with customers and MRR (a month, reporting currency) at the month''s end, and both as shares of the first month observed, in which customers_at_base had MRR. Error MR004 where the basis is unknown. Example: select * from kpi.cohort_retention(''signup'').';
revoke all on function kpi.cohort_retention(text) from public;
grant execute on function kpi.cohort_retention(text) to pgmrr_reader, pgmrr_writer;
