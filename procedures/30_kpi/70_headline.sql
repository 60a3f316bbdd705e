-- How healthy is the business? The three KPIs that answer it. Rule R12.
--
-- One row a KPI, over the last covered month, to the day (less where churn became
-- observable later), against the month before it where that is covered too. A month, not
-- 30 days: each billing day falls in it once, so that a company that bills everybody on
-- the first does not seem to lose nobody, or to lose twice.
--     1  MRR with its growth, and NRR: is the company growing, and would it without new
--        customers?
--     2  customer churn, and revenue churn: does it keep whom it won?
--     3  engagement where there are sessions (will they stay?), else the quick ratio
--        (does it win faster than it loses?).
-- Values are NULL where the data cannot say (kpi.coverage tells why).
create or replace view kpi.headline as
with span as (
    select
        (v.complete_through + 1 - interval '1 month')::date as month_on,
        greatest(v.observed_from, v.churn_observable_from) as observable_from,
        v.observed_from,
        v.complete_through
    from kpi.coverage v
    where v.covered_days > 0
),
boundary as (
    select
        b.first_on,
        s.complete_through as last_on,
        b.previous_on,
        b.first_on = s.month_on and b.previous_on >= s.observable_from as is_comparable,
        array[b.previous_on, b.first_on, s.complete_through + 1] as days
    from span s
    cross join lateral (
        select
            f.first_on,
            (f.first_on - interval '1 month')::date as previous_on
        from (
            select greatest(
                s.month_on,
                s.observed_from,
                case when s.observable_from <= s.complete_through then s.observable_from end
            ) as first_on
        ) f
    ) b
),
-- Both months in one pass over the ledger.
retention as materialized (
    select r.first_on, r.opening, r.closing, r.nrr, r.grr, r.customer_churn_rate, r.gross_mrr_churn_rate, r.quick_ratio
    from boundary b
    cross join lateral kpi.retention_by_period(b.days) r
),
kept as (
    select
        b.first_on,
        b.last_on,
        r.opening,
        r.closing,
        r.nrr,
        r.grr,
        r.customer_churn_rate,
        r.gross_mrr_churn_rate,
        r.quick_ratio,
        r.customer_churn_rate - p.customer_churn_rate as churn_change,
        r.quick_ratio - p.quick_ratio as quick_ratio_change
    from boundary b
    join retention r
        on r.first_on = b.first_on
    left join retention p
        on p.first_on = b.previous_on
        and b.is_comparable
),
grown as (
    select
        case
            when w.churn_is_observable then (w.closing - w.opening - w.preexisting) / nullif(w.opening, 0)
        end as growth
    from boundary b
    join lateral kpi.waterfall(b.days) w
        on w.first_on = b.first_on
),
engagement as materialized (
    select e.first_on, e.sessions, e.sessions_per_customer
    from boundary b
    cross join lateral kpi.engagement_by_period(b.days) e
),
used as (
    select
        e.sessions,
        e.sessions_per_customer,
        e.sessions_per_customer - p.sessions_per_customer as change
    from boundary b
    join engagement e
        on e.first_on = b.first_on
    left join engagement p
        on p.first_on = b.previous_on
        and b.is_comparable
)
select
    1 as place,
    'MRR' as kpi,
    k.closing as value,
    coalesce((select min(c.reporting_currency) from kpi.currency c), 'EUR') as unit,
    g.growth as change,
    'share' as change_unit,
    'NRR' as second_kpi,
    k.nrr as second_value,
    'share' as second_unit,
    k.first_on,
    k.last_on,
    'What all subscriptions bring in a month, and how it grew. NRR above 100 % means that today''s customers alone make it grow.'
        as meaning
from kept k
cross join grown g
union all
select
    2,
    'Customer churn',
    k.customer_churn_rate,
    'share',
    k.churn_change,
    'points',
    'Revenue churn',
    k.gross_mrr_churn_rate,
    'share',
    k.first_on,
    k.last_on,
    'The share of customers who left, and of MRR that was lost with them or by smaller plans.'
from kept k
union all
select
    3,
    'Engagement',
    u.sessions_per_customer,
    'sessions per customer',
    u.change,
    'sessions per customer',
    'Sessions',
    u.sessions,
    'sessions',
    k.first_on,
    k.last_on,
    'How often an active customer uses the product. Customers who stop using it stop paying.'
from kept k
cross join used u
union all
select
    3,
    'Quick ratio',
    k.quick_ratio,
    'ratio',
    k.quick_ratio_change,
    'ratio',
    'GRR',
    k.grr,
    'share',
    k.first_on,
    k.last_on,
    'MRR won for each unit of MRR lost. Above 1 the company grows; 4 is the usual mark of a healthy one.'
from kept k
where not exists (select from used)
order by place;

comment on view kpi.headline is 'The three KPIs of business health over the last covered month, to the day (less where churn became observable later), one row each.';
comment on column kpi.headline.place is '1 to 3.';
comment on column kpi.headline.kpi is 'Name of the KPI.';
comment on column kpi.headline.value is 'Its value at the end of the window, or over it.';
comment on column kpi.headline.unit is 'Unit of the value: a currency (a month), share (0 to 1), ratio, sessions per customer.';
comment on column kpi.headline.change is 'MRR: growth over the window. Others: difference to the month before; NULL where that is not covered.';
comment on column kpi.headline.change_unit is 'Unit of the change; points are differences of shares.';
comment on column kpi.headline.second_kpi is 'The figure beside it.';
comment on column kpi.headline.second_value is 'Its value.';
comment on column kpi.headline.second_unit is 'Its unit.';
comment on column kpi.headline.first_on is 'First day of the window.';
comment on column kpi.headline.last_on is 'Last day of the window.';
comment on column kpi.headline.meaning is 'What it means, in a sentence.';
grant select on kpi.headline to pgmrr_reader, pgmrr_writer;
