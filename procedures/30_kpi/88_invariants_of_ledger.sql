-- Do ledger, totals and waterfall add up? Rules R9, R10 and R12's waterfall.
--
-- One row a check, described in kpi.checks: how many things were compared, how many of
-- them are wrong, and one of these as an example. Reads the ledger and the charges some
-- times each, and no version of a fact.
create or replace view kpi.invariants_of_ledger as
with running as (
    select
        m.customer_id,
        m.currency,
        m.effective_on,
        m.balance - m.change <> lag(m.balance, 1, 0::bigint) over (
            partition by m.customer_id, m.currency order by m.effective_on
        ) as is_wrong
    from ledger.movement_cents m
),
day_total as (
    select
        coalesce(d.effective_on, m.effective_on) as effective_on,
        (
            (d.movements, d.customers, d.change, d.unpaid_change) = (m.movements, m.customers, m.change, m.unpaid_change)
        ) is not true as is_wrong
    from ledger.daily_change_cents d
    full join (
        select
            m.effective_on,
            m.currency,
            m.kind,
            count(*) as movements,
            sum(m.customers) as customers,
            sum(m.change) as change,
            sum(m.unpaid_change) as unpaid_change
        from ledger.movement_cents m
        group by m.effective_on, m.currency, m.kind
    ) m
        on m.effective_on = d.effective_on
        and m.currency = d.currency
        and m.kind = d.kind
),
term_total as (
    select
        coalesce(d.starts_on, c.starts_on) as starts_on,
        ((d.charges, d.mrr) = (c.charges, c.mrr)) is not true as is_wrong
    from ledger.daily_term_cents d
    full join (
        select
            c.starts_on,
            c.currency,
            c.months,
            c.is_renewal,
            count(*) as charges,
            sum(greatest(c.mrr, 0)) as mrr
        from billing.charge_cents c
        where c.basis = 'term'
        group by c.starts_on, c.currency, c.months, c.is_renewal
    ) c
        on c.starts_on = d.starts_on
        and c.currency = d.currency
        and c.months = d.months
        and c.is_renewal = d.is_renewal
),
-- Who was gained and not lost has MRR in some currency after the last movement.
counted as (
    select
        l.customer_id,
        sum(l.customers) <> bool_or(l.is_last and l.balance > 0)::integer as is_wrong
    from (
        select
            m.customer_id,
            m.customers,
            m.balance,
            lead(m.effective_on) over (
                partition by m.customer_id, m.currency order by m.effective_on
            ) is null as is_last
        from ledger.movement_cents m
    ) l
    group by l.customer_id
),
-- On the last covered day: the charges in force, added up without the ledger.
in_force as (
    select
        coalesce(m.customer_id, c.customer_id) as customer_id,
        coalesce(m.balance, 0) <> greatest(coalesce(c.mrr, 0), 0) as is_wrong
    from (
        select distinct on (m.customer_id, m.currency)
            m.customer_id,
            m.currency,
            m.balance
        from ledger.movement_cents m
        where m.effective_on <= (select v.complete_through from meta.coverage v)
        order by m.customer_id, m.currency, m.effective_on desc
    ) m
    full join (
        select
            c.customer_id,
            c.currency,
            sum(c.mrr) as mrr
        from billing.charge_cents c
        where (select v.complete_through from meta.coverage v) >= c.starts_on
            and (select v.complete_through from meta.coverage v) < c.ends_on
        group by c.customer_id, c.currency
    ) c
        on c.customer_id = m.customer_id
        and c.currency = m.currency
),
ledger_by_day as (
    select
        l.effective_on,
        sum(l.change * c.factor) as change,
        sum(l.customers) as customers
    from kpi.ledger l
    join ledger.currency c
        on c.currency = l.currency
    group by l.effective_on
),
day as (
    select
        d.day,
        (
            d.opening + d.preexisting + d.new + d.reactivation + d.expansion + d.contraction + d.rounding + d.churn
            = d.closing
            and d.opening = lag(d.closing, 1, o.mrr) over in_order
            and d.closing - d.opening = coalesce(l.change, 0)
            and d.unpaid between 0 and d.closing
            and d.customers
            = lag(d.customers, 1, o.customers) over in_order
            + d.customers_preexisting + d.customers_new + d.customers_reactivated - d.customers_churned
            and d.customers - lag(d.customers, 1, o.customers) over in_order = coalesce(l.customers, 0)
        ) is not true as is_wrong
    from kpi.mrr_daily d
    cross join (
        select
            coalesce(sum(b.change), 0) as mrr,
            coalesce(sum(b.customers), 0)::bigint as customers
        from ledger_by_day b
        where b.effective_on < (select v.observed_from from meta.coverage v)
    ) o
    left join ledger_by_day l
        on l.effective_on = d.day
    window in_order as (order by d.day)
),
month as (
    select
        m.month,
        (
            m.opening + m.preexisting + m.new + m.reactivation + m.expansion + m.contraction + m.rounding + m.churn
            = m.closing
            and m.opening = f.opening
            and (m.closing, m.unpaid, m.customers) = (t.closing, t.unpaid, t.customers)
            and m.customers_opening + m.customers_preexisting + m.customers_new + m.customers_reactivated
            - m.customers_churned
            = m.customers
            and m.opening = lag(m.closing, 1, m.opening) over (order by m.month)
        ) is not true as is_wrong
    from kpi.mrr_monthly m
    left join kpi.mrr_daily f
        on f.day = m.first_on
    left join kpi.mrr_daily t
        on t.day = m.last_on
)
select
    'balances' as check_name,
    count(*) as compared,
    count(*) filter (where r.is_wrong) as wrong,
    min(format('%s on %s', r.customer_id, r.effective_on::text)) filter (where r.is_wrong) as example
from running r
union all
select
    'charges in force',
    count(*),
    count(*) filter (where f.is_wrong),
    min(f.customer_id) filter (where f.is_wrong)
from in_force f
union all
select
    'customers gained and lost',
    count(*),
    count(*) filter (where c.is_wrong),
    min(c.customer_id) filter (where c.is_wrong)
from counted c
union all
select
    'totals by day',
    count(*),
    count(*) filter (where d.is_wrong),
    min(to_char(d.effective_on, 'YYYY-MM-DD')) filter (where d.is_wrong)
from day_total d
union all
select
    'terms by day',
    count(*),
    count(*) filter (where t.is_wrong),
    min(to_char(t.starts_on, 'YYYY-MM-DD')) filter (where t.is_wrong)
from term_total t
union all
select
    'waterfall by day',
    count(*),
    count(*) filter (where d.is_wrong),
    min(to_char(d.day, 'YYYY-MM-DD')) filter (where d.is_wrong)
from day d
union all
select
    'waterfall by month',
    count(*),
    count(*) filter (where m.is_wrong),
    min(to_char(m.month, 'YYYY-MM')) filter (where m.is_wrong)
from month m;

comment on view kpi.invariants_of_ledger is 'Checks of the ledger, its totals and the waterfall, one row a check; kpi.invariants has all.';
comment on column kpi.invariants_of_ledger.check_name is 'The check, described in kpi.checks.';
comment on column kpi.invariants_of_ledger.compared is 'How many things were compared.';
comment on column kpi.invariants_of_ledger.wrong is 'How many of them are wrong.';
comment on column kpi.invariants_of_ledger.example is 'One of those; NULL where none is wrong.';
grant select on kpi.invariants_of_ledger to pgmrr_reader, pgmrr_writer;
