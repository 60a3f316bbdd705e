-- Where does the ledger differ from the true MRR of a simulation?
--
-- One row a customer, currency and span of days within coverage on which the two are not
-- the same to the cent. In units of the currency a month. Empty where they agree, and
-- where there is no truth, as with imported data.
create or replace function simulation.deviations()
returns table (
    customer_id text,
    currency text,
    first_on date,
    last_on date,
    true_mrr numeric,
    ledger_mrr numeric
)
language sql
stable
parallel safe
begin atomic
    -- Both are steps: each holds until the next change of either.
    with step as (
        select
            t.customer_id,
            t.currency,
            t.effective_on,
            t.balance as true_balance,
            null::bigint as ledger_balance
        from ledger.true_mrr_cents t
        union all
        select
            m.customer_id,
            m.currency,
            m.effective_on,
            null,
            m.balance
        from ledger.movement_cents m
        where m.change <> 0
    ),
    changed as (
        select
            s.customer_id,
            s.currency,
            s.effective_on,
            max(s.true_balance) as true_balance,
            max(s.ledger_balance) as ledger_balance
        from step s
        where exists (select from ledger.true_mrr_cents)
        group by s.customer_id, s.currency, s.effective_on
    ),
    numbered as (
        select
            c.customer_id,
            c.currency,
            c.effective_on,
            lead(c.effective_on) over in_order as next_on,
            c.true_balance,
            c.ledger_balance,
            count(c.true_balance) over in_order as true_step,
            count(c.ledger_balance) over in_order as ledger_step
        from changed c
        window in_order as (partition by c.customer_id, c.currency order by c.effective_on)
    ),
    filled as (
        select
            n.customer_id,
            n.currency,
            n.effective_on,
            n.next_on,
            coalesce(max(n.true_balance) over (partition by n.customer_id, n.currency, n.true_step), 0) as true_balance,
            coalesce(max(n.ledger_balance) over (partition by n.customer_id, n.currency, n.ledger_step), 0)
                as ledger_balance
        from numbered n
    )
    select
        f.customer_id,
        f.currency,
        greatest(f.effective_on, v.observed_from),
        least(f.next_on - 1, v.complete_through),
        f.true_balance * 0.01,
        f.ledger_balance * 0.01
    from filled f
    join meta.coverage v
        on f.effective_on <= v.complete_through
        and coalesce(f.next_on - 1, v.complete_through) >= v.observed_from
    where f.true_balance <> f.ledger_balance;
end;

comment on function simulation.deviations() is
    'Where the ledger differs from the true MRR of a simulation: one row a customer, currency and span of covered days, in units of the currency a month.';
revoke all on function simulation.deviations() from public;
grant execute on function simulation.deviations() to pgmrr_writer;
