-- Simulates a richer company in this database, as one batch: customers and invoices of
-- every kind that a Stripe export holds, the ledger that the rules make of them, and
-- beside it the true MRR (ledger.true_mrr_cents), which the rules never see.
--
-- Plans, seats, monthly and annual terms, trials, free plans, coupons, taxes on top and
-- within, two currencies, changes in mid-cycle with prorations and credits, changes of
-- term, payments that fail, cancellations, customers who come back, one-off invoices.
--
-- p_unseen, 0 unless given, is how many in a thousand changes and cancellations by the
-- month leave no trace on invoices when they happen (settled with the next renewal;
-- cancelled at once without a credit): no rule can tell their MRR, and the truth says by
-- how much it is missed.
--
-- Returns one row of counts. The same parameters give the same data on any machine,
-- PostgreSQL version and plan.
create or replace function simulation.simulate_saas(
    p_names text[],
    p_companies bigint default 500,
    p_months bigint default 36,
    p_seed bigint default 42,
    p_start date default '2022-01-01',
    p_suffixes text[] default '{Inc,LLC,Ltd,Group,PLC,and Sons}',
    p_unseen bigint default 0,
    p_usd_per_euro numeric default 1.1
)
returns table (
    batch_id bigint,
    acquired bigint,
    paying bigint,
    invoices bigint,
    true_changes bigint
)
language plpgsql
volatile
parallel unsafe
set search_path = ''
set datestyle = 'ISO'
set jit = off
as $$
declare
    v_problem text := case
        when (p_companies between 1 and 10000000) is not true
            then format('companies must be 1 to 10,000,000, not %s', coalesce(p_companies::text, 'NULL'))
        when (p_months between 1 and 120) is not true
            then format('months must be 1 to 120, not %s', coalesce(p_months::text, 'NULL'))
        when p_seed is null
            then 'the seed must be a whole number, not NULL'
        when (p_start between '1900-01-01' and '2199-12-01' and extract(day from p_start) = 1) is not true
            then format(
                'start must be the first day of a month, 1900-01-01 to 2199-12-01, not %s',
                coalesce(p_start::text, 'NULL')
            )
        when (cardinality(p_names) > 0 and '' <> all(p_names)) is not true
            then 'names must be an array of at least one name, none of them empty'
        when (cardinality(p_suffixes) > 0 and '' <> all(p_suffixes)) is not true
            then 'suffixes must be an array of at least one suffix, none of them empty'
        when (p_unseen between 0 and 1000) is not true
            then format('unseen changes must be 0 to 1000 in a thousand, not %s', coalesce(p_unseen::text, 'NULL'))
        when (p_usd_per_euro > 0 and p_usd_per_euro < 'Infinity') is not true
            then format('a euro must be worth more than 0 USD, not %s', coalesce(p_usd_per_euro::text, 'NULL'))
    end;
    v_first_place bigint;
    v_first_invoice_at timestamptz;
    v_last_invoice_at timestamptz;
begin
    if v_problem is not null then
        raise exception using
            errcode = 'MR004',
            message = v_problem,
            hint = 'See: pgmrr simulate --help';
    end if;

    perform pipeline.lock();

    if exists (select from meta.batch b where b.source is not null) then
        raise exception using
            errcode = 'MR003',
            message = 'a simulation needs an empty database, and this one holds data',
            hint = 'Start over: pgmrr reset --yes, or use another database: --db NAME';
    end if;

    raise notice 'simulating % companies over % months', to_char(p_companies, 'FM99,999,999'), p_months;
    batch_id := pipeline.begin_batch('simulation', 'simulation', false);

    raise notice 'writing invoices';
    insert into raw.invoice (
        customer_id, invoice_id, batch_id, subscription_id, currency, status, issued_at, finalized_at, paid_at,
        voided_at, uncollectible_at, period_start, period_end, line_period_start, line_period_end, subtotal,
        discount, tax, exclusive_tax, inclusive_tax, total, amount_due, amount_paid, starting_balance,
        ending_balance, tax_percent, coupons
    )
    select
        i.customer_id,
        i.invoice_id,
        batch_id,
        i.subscription_id,
        i.currency,
        i.status,
        i.issued_at at time zone 'UTC',
        i.finalized_at at time zone 'UTC',
        i.paid_at at time zone 'UTC',
        case when i.status = 'void' then i.given_up_at at time zone 'UTC' end,
        case when i.status = 'uncollectible' then i.given_up_at at time zone 'UTC' end,
        i.period_start at time zone 'UTC',
        i.issued_at at time zone 'UTC',
        i.line_period_start at time zone 'UTC',
        i.line_period_end at time zone 'UTC',
        i.subtotal,
        i.discount,
        i.exclusive_tax + i.inclusive_tax,
        i.exclusive_tax,
        i.inclusive_tax,
        i.total,
        i.amount_due,
        i.amount_paid,
        i.starting_balance,
        i.ending_balance,
        i.tax_percent,
        case when i.discount <> 0 then 'COUPON' || (i.discount * 100 / nullif(i.subtotal, 0)) end
    from simulation.saas_invoices(p_companies, p_months, p_seed, p_start, p_unseen) i;
    get diagnostics invoices = row_count;

    raise notice 'writing customers';
    -- Names go through their combinations with a step that is prime, and greater than
    -- any number of names: none comes again before all have been used.
    v_first_place := simulation.random_integer(simulation.stream(p_seed, 4), 0, 2147483647);

    insert into raw.customer (
        customer_id, batch_id, is_listed, name, created_at, payment_count, total_spend, attributes
    )
    select
        t.customer_id,
        batch_id,
        true,
        simulation.abc_name(v_first_place + 2147483647 * t.customer, p_names, p_suffixes),
        t.created_at at time zone 'UTC',
        coalesce(p.payments, 0),
        coalesce(p.spend, 0),
        jsonb_build_object('Tax Location Recognized', case t.taxation when 'none' then 'FALSE' else 'TRUE' end)
    from simulation.saas_tracks(p_companies, p_months, p_seed, p_start) t
    left join (
        select
            i.customer_id,
            count(*) as payments,
            sum(i.amount_paid) as spend
        from raw.invoice i
        where i.amount_paid > 0
        group by i.customer_id
    ) p
        on p.customer_id = t.customer_id
    where t.track = 1;
    get diagnostics acquired = row_count;

    raise notice 'writing the true MRR';
    insert into ledger.true_mrr_cents (customer_id, currency, effective_on, balance)
    select t.customer_id, t.currency, t.effective_on, t.balance
    from simulation.saas_truth(p_companies, p_months, p_seed, p_start, p_unseen) t;
    get diagnostics true_changes = row_count;

    select count(*) filter (where c.payment_count > 0)
    into paying
    from raw.customer c;

    select min(i.issued_at), max(i.issued_at)
    into v_first_invoice_at, v_last_invoice_at
    from raw.invoice i;

    update meta.batch b
    set as_of = simulation.month_start(p_start, p_months + 1),
        first_invoice_at = v_first_invoice_at,
        last_invoice_at = v_last_invoice_at,
        details = jsonb_build_object(
            'profile', 'saas',
            'companies', p_companies,
            'months', p_months,
            'seed', p_seed,
            'start', p_start,
            'unseen', p_unseen,
            'acquired', acquired,
            'paying', paying,
            'invoices', invoices
        )
    where b.batch_id = simulate_saas.batch_id;

    raise notice 'making charges and ledger';
    call pipeline.cover_complete_histories();
    -- A rate of its own, so that the figures do not depend on what the ECB last published.
    call pipeline.add_rate(batch_id, 'USD', p_usd_per_euro, (p_start + make_interval(months => p_months::integer))::date - 1, 'user');
    call pipeline.refresh(null);

    return next;
end;
$$;

comment on function simulation.simulate_saas(text[], bigint, bigint, bigint, date, text[], bigint, numeric) is
    'Simulates a richer company in an empty database, with its true MRR beside the ledger, and returns one row of counts. p_unseen in a thousand changes leave no trace on invoices when they happen. Errors MR003 where the database holds data, MR004 where a parameter is out of range, MR005 where a currency has no exchange rate.';
revoke all on function simulation.simulate_saas(text[], bigint, bigint, bigint, date, text[], bigint, numeric) from public;
grant execute on function simulation.simulate_saas(text[], bigint, bigint, bigint, date, text[], bigint, numeric) to pgmrr_writer;
