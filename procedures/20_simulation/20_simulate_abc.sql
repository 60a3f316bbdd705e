-- Simulates ABC Enterprises (methodology, section 7) in this database, as one batch:
-- customers, an invoice for each month paid, sessions, and all that follows from them.
--
-- Returns one row of counts. `acquired` are all companies, all of them acquired in
-- month 1; `paying` are those that ever paid: who churned in month 1 never did.
--
-- The same parameters give the same data on any machine, PostgreSQL version and plan.
-- Rows are made and written in the order of the keys: nothing is sorted.
create or replace function simulation.simulate_abc(
    p_names text[],
    p_companies bigint default 500,
    p_months bigint default 12,
    p_seed bigint default 42,
    p_start date default '2024-01-01',
    p_suffixes text[] default '{Inc,LLC,Ltd,Group,PLC,and Sons}'
)
returns table (
    batch_id bigint,
    acquired bigint,
    paying bigint,
    invoices bigint,
    sessions bigint
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
    end;
    v_first_place bigint;
    v_ends_at timestamptz;
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

    -- Names go through their combinations with a step that is prime, and greater than
    -- any number of names: none comes again before all have been used.
    v_first_place := simulation.random_integer(simulation.stream(p_seed, 4), 0, 2147483647);

    insert into raw.customer (
        customer_id, batch_id, is_listed, name, created_at, payment_count, total_spend, attributes
    )
    select
        c.customer_id,
        batch_id,
        true,
        simulation.abc_name(v_first_place + 2147483647 * c.company, p_names, p_suffixes),
        simulation.month_start(p_start, 1),
        c.paid_months,
        c.paid_months * c.price,
        jsonb_build_object('company_size', c.company_size)
    from simulation.abc_companies(p_companies, p_months, p_seed) c;

    raise notice 'writing invoices';
    -- A first invoice has an own period without length, a renewal's is the month before.
    insert into raw.invoice (
        customer_id, invoice_id, batch_id, subscription_id, currency, status, issued_at, finalized_at, paid_at,
        period_start, period_end, line_period_start, line_period_end, subtotal, total, amount_due, amount_paid
    )
    select
        m.customer_id,
        'in_' || m.customer_id || '_' || lpad(m.month::text, 3, '0'),
        batch_id,
        'sub_' || m.customer_id,
        'USD',
        'paid',
        m.starts_at,
        m.starts_at,
        m.starts_at,
        m.previous_starts_at,
        m.starts_at,
        m.starts_at,
        m.ends_at,
        m.price,
        m.price,
        m.price,
        m.price
    from simulation.abc_months(p_companies, p_months, p_seed, p_start) m;
    get diagnostics invoices = row_count;

    raise notice 'writing sessions';
    -- Session 7 of month 3 has the number 307.
    insert into usage.session (customer_id, session_number, created_at, batch_id)
    select
        m.customer_id,
        m.month * 100 + s.session,
        m.starts_at + interval '1 microsecond' * simulation.random_integer(
            m.moment_stream,
            s.session,
            date_part('epoch', m.ends_at - m.starts_at)::bigint * 1000000
        ),
        batch_id
    from simulation.abc_months(p_companies, p_months, p_seed, p_start) m
    cross join lateral generate_series(1, m.sessions) s (session);
    get diagnostics sessions = row_count;

    select count(*), count(*) filter (where c.payment_count > 0)
    into acquired, paying
    from raw.customer c;

    v_ends_at := simulation.month_start(p_start, p_months + 1);
    select min(i.issued_at), max(i.issued_at)
    into v_first_invoice_at, v_last_invoice_at
    from raw.invoice i;

    update meta.batch b
    set as_of = v_ends_at,
        first_invoice_at = v_first_invoice_at,
        last_invoice_at = v_last_invoice_at,
        details = jsonb_build_object(
            'companies', p_companies,
            'months', p_months,
            'seed', p_seed,
            'start', p_start,
            'acquired', acquired,
            'paying', paying,
            'invoices', invoices,
            'sessions', sessions
        )
    where b.batch_id = simulate_abc.batch_id;

    raise notice 'making charges and ledger';
    call pipeline.cover_complete_histories();
    call pipeline.refresh(null);

    return next;
end;
$$;

comment on function simulation.simulate_abc(text[], bigint, bigint, bigint, date, text[]) is
    'Simulates ABC Enterprises in an empty database and returns one row of counts. Names of companies are combined from the pools given. Errors MR003 where the database holds data, MR004 where a parameter is out of range.';
revoke all on function simulation.simulate_abc(text[], bigint, bigint, bigint, date, text[]) from public;
grant execute on function simulation.simulate_abc(text[], bigint, bigint, bigint, date, text[]) to pgmrr_writer;
