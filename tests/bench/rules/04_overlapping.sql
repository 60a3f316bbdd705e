-- In which subscriptions may a charge begin while another one is running, so that R7
-- may apply? One row such a subscription, and some more: what is looked at here are
-- the periods alone, in the order of their starts, since that takes the least sorting.
-- Of those that start together terms come last: a term then sees all others.
create or replace temp table overlapping as
with placed as (
    select
        p.customer_id,
        p.subscription_id,
        p.currency,
        p.starts_at,
        p.may_restart,
        p.may_swap,
        max(p.ends_at) over (
            partition by p.subscription_id, p.customer_id, p.currency
            order by p.starts_at, p.may_restart
            rows between unbounded preceding and 1 preceding
        ) as others_until
    from period p
)
select distinct
    p.customer_id,
    p.subscription_id,
    p.currency
from placed p
where (p.may_restart and p.others_until > p.starts_at + interval '12 hours')
    or (p.may_swap and p.others_until > p.starts_at);
