-- How well is each cohort kept, by month of the first MRR or ($basis signup) of creation?
--
-- A cohort's shares are of the first month in which it is observed. Customers of a cohort that
-- began before the history and became visible later count among the customers, not in the shares.
with span as (
    select
        k.*,
        date_trunc('month', k.churn_observable_from - interval 1 day)::date as first_month_to_follow
    from known k
    where k.covered_days > 0
),
first_seen as (
    select
        m.customer_id,
        min(m.effective_on) as seen_on,
        min(m.effective_on) filter (where m.kind = 'new') as new_on,
        min(m.effective_on) filter (where m.kind = 'preexisting') as appeared_on
    from movement m
    cross join span k
    where m.change <> 0
        and m.effective_on <= k.complete_through
    group by m.customer_id
),
member as (
    select
        f.customer_id,
        date_trunc('month', f.new_on)::date as cohort,
        if(f.new_on is null, f.seen_on, null) as joined_on
    from first_seen f
    where $basis = 'first_mrr'
    union all
    select
        u.customer_id,
        date_trunc('month', u.created_on)::date,
        f.appeared_on
    from (
        select
            c.customer_id,
            case
                when k.time_zone = 'UTC' then c.created_at
                else timezone(k.time_zone, timezone('UTC', c.created_at))
            end::date as created_on,
            k.complete_through
        from customer c
        cross join span k
        where $basis = 'signup'
    ) u
    left join first_seen f
        on f.customer_id = u.customer_id
    where u.created_on is null
        or u.created_on <= u.complete_through
),
placed as (
    select
        m.customer_id,
        m.cohort,
        greatest(
            m.cohort,
            k.first_month,
            if(m.cohort is null or ($basis = 'signup' and m.cohort < k.observed_from), k.first_month_to_follow, null)
        ) as base,
        m.joined_on
    from member m
    cross join span k
),
marked as (
    select
        p.*,
        coalesce(date_trunc('month', p.joined_on)::date > p.base, false) as joined_later
    from placed p
),
size as (
    select
        m.cohort,
        m.base,
        count(*) as customers
    from marked m
    group by m.cohort, m.base
),
-- What came before coverage opens the first month. Every cohort has every month, so that what
-- stays is carried on.
changed as (
    select
        m.cohort,
        date_trunc('month', greatest(s.starts_on, k.observed_from))::date as month,
        sum(s.customers) as customers,
        sum(s.change) as mrr,
        coalesce(sum(s.customers) filter (where not m.joined_later), 0) as customers_followed,
        coalesce(sum(s.change) filter (where not m.joined_later), 0) as mrr_followed
    from stretch s
    join marked m
        on m.customer_id = s.customer_id
    cross join span k
    where s.starts_on <= k.complete_through
    group by all
),
grid as (
    select
        z.cohort,
        z.base,
        z.customers,
        g.month::date as month
    from size z
    cross join (
        select unnest(generate_series(k.first_month, k.complete_through, interval 1 month)) as month
        from span k
    ) g
),
carried as (
    select
        g.*,
        sum(coalesce(c.customers, 0)) over up_to_month as paying,
        sum(coalesce(c.mrr, 0)) over up_to_month as mrr,
        sum(coalesce(c.customers_followed, 0)) over up_to_month as customers_followed,
        sum(coalesce(c.mrr_followed, 0)) over up_to_month as mrr_followed
    from grid g
    left join changed c
        on c.cohort is not distinct from g.cohort
        and c.month = g.month
    window up_to_month as (partition by g.cohort order by g.month)
),
based as (
    select
        c.*,
        max(c.customers_followed) filter (where c.month = c.base) over (partition by c.cohort) as customers_at_base,
        max(c.mrr_followed) filter (where c.month = c.base) over (partition by c.cohort) as mrr_at_base,
        c.month >= c.base as is_observable,
        coalesce(c.cohort, k.first_month) as began_on,
        least(last_day(c.month), k.complete_through) as ends_on,
        k.observed_from,
        k.complete_through,
        k.mrr_complete_from
    from carried c
    cross join span k
)
select
    case
        when cohort is not null then strftime(cohort, '%Y-%m')
        when $basis = 'first_mrr' then 'preexisting'
        else 'unknown'
    end as cohort_name,
    cohort,
    date_diff('month', began_on, month) as month_number,
    month,
    ends_on as last_on,
    customers as cohort_customers,
    paying as customers,
    mrr,
    if(is_observable, customers_followed / nullif(customers_at_base, 0), null) as customer_share,
    if(is_observable, mrr_followed / nullif(mrr_at_base, 0), null) as mrr_share,
    customers_at_base,
    month >= observed_from and last_day(month) <= complete_through as is_whole,
    ends_on >= mrr_complete_from as mrr_is_complete,
    is_observable as churn_is_observable,
    case
        when not is_observable then 'churn was not observable yet'
        when customers_at_base = 0 then 'nothing to keep: no MRR in the first month observed'
        when paying <> customers_followed
            then format('{} first seen later, in no share', (paying - customers_followed)::bigint)
    end as note
from based
where cohort is null
    or month >= cohort
order by cohort is null and $basis = 'signup', cohort nulls first, month;
