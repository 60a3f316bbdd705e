-- What is the richer company's true MRR? One row a customer, currency and day on which it
-- changes, with the balance at the end of that day, in cents a month.
--
-- Made from the subscriptions alone: what a cycle costs, less discount and the taxes
-- within it, by its months, for as long as it is in force. No invoice, no proration and no
-- credit plays a part, and so it can judge what the rules make of those.
--
--   A trial and a free plan are worth nothing. A coupon lowers MRR for the cycles it is
--   taken off. A cycle whose invoice was voided or written off is worth nothing; one
--   whose invoice is still open is worth its price (R1). Who cancels stays until the
--   cycle's end, or leaves at once.
create or replace function simulation.saas_truth(
    p_companies bigint,
    p_months bigint,
    p_seed bigint,
    p_start date,
    p_unseen bigint
)
returns table (
    customer_id text,
    currency text,
    effective_on date,
    balance bigint
)
language sql
immutable
parallel safe
begin atomic
    with in_force as (
        select
            c.customer_id,
            c.currency,
            s.starts_at::date as starts_on,
            s.ends_at::date as ends_on,
            round(simulation.saas_net(s.price, c.taxation, c.tax_percent) / c.months::numeric)::bigint as mrr
        from simulation.saas_cycles(p_companies, p_months, p_seed, p_start, p_unseen) c
        cross join lateral (
            values
                (c.starts_at, coalesce(c.changed_at, c.exit_at, c.ends_at), c.price - c.discount),
                (c.changed_at, coalesce(c.exit_at, c.ends_at), c.new_price - c.new_discount)
        ) s (starts_at, ends_at, price)
        where c.kind = 'paid'
            and s.starts_at < s.ends_at
    ),
    event as (
        select f.customer_id, f.currency, f.starts_on as effective_on, f.mrr as change
        from in_force f
        union all
        select f.customer_id, f.currency, f.ends_on, - f.mrr
        from in_force f
    ),
    daily as (
        select
            e.customer_id,
            e.currency,
            e.effective_on,
            sum(e.change) as change
        from event e
        where e.effective_on < p_start + make_interval(months => p_months::integer)
        group by e.customer_id, e.currency, e.effective_on
        having sum(e.change) <> 0
    )
    select
        d.customer_id,
        d.currency,
        d.effective_on,
        (sum(d.change) over (partition by d.customer_id, d.currency order by d.effective_on))::bigint
    from daily d;
end;

comment on function simulation.saas_truth(bigint, bigint, bigint, date, bigint) is
    'True MRR of the richer company, from its subscriptions and not from its invoices: one row a customer, currency and day (UTC) on which it changes, in cents a month.';
revoke all on function simulation.saas_truth(bigint, bigint, bigint, date, bigint) from public;
grant execute on function simulation.saas_truth(bigint, bigint, bigint, date, bigint) to pgmrr_writer;
