-- In which subscriptions does a charge begin while an earlier one is running, so that R7
-- may apply? One row such a subscription; few have one.
create or replace temp table overlapping as
with placed as (
    select
        p.customer_id,
        p.subscription_id,
        p.currency,
        p.starts_at,
        p.months is not null and p.of_invoice_id is null as may_restart,
        p.net < 0
            and p.of_invoice_id is null
            and abs(microseconds(p.period_start, p.starts_at)) <= hours(2) as may_swap,
        max(p.ends_at) over (
            partition by p.customer_id, p.subscription_id, p.currency
            order by p.issued_at, p.starts_at, p.invoice_id
            rows between unbounded preceding and 1 preceding
        ) as earlier_until
    from period p
)
select distinct
    p.customer_id,
    p.subscription_id,
    p.currency
from placed p
where (p.may_restart and p.earlier_until > p.starts_at + interval '12 hours')
    or (p.may_swap and p.earlier_until > p.starts_at);
