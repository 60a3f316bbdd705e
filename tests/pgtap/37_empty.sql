-- A database without data has an answer to every question, and so has a company without revenue.
begin;
select plan(15);

select results_eq(
    $$
    select
        (select count(*) from kpi.mrr_daily d),
        (select count(*) from kpi.mrr_monthly m),
        (select count(*) from kpi.movements() m),
        (select count(*) from kpi.retention() r),
        (select count(*) from kpi.retention_monthly r),
        (select count(*) from kpi.biggest_customers() b),
        (select count(*) from kpi.engagement_monthly e),
        (select count(*) from kpi.headline h)
    $$,
    $$ values (0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint) $$,
    'without data there are no days, months, movements, customers and headline'
);
select results_eq(
    $$
    select
        (select count(*) from kpi.customer c) + (select count(*) from kpi.charge c) + (select count(*) from kpi.ledger l)
        + (select count(*) from kpi.balance b) + (select count(*) from kpi.daily_change d)
        + (select count(*) from kpi.session s) + (select count(*) from kpi.currency c)
        + (select count(*) from kpi.invoice_fate f) + (select count(*) from kpi.one_off_revenue o)
        + (select count(*) from kpi.unmatched_credits u) + (select count(*) from kpi.rejected_rows r)
        + (select count(*) from kpi.warnings w) + (select count(*) from kpi.restatements() r)
        + (select count(*) from kpi.mrr_monthly_as_of(1) m)
        + (select count(*) from kpi.batches b) + (select count(*) from kpi.mrr_explain('a', '2024-01-01') e)
    $$,
    $$ values (0::bigint) $$,
    'without data there are no facts'
);
select results_eq(
    $$
    select
        kpi.mrr_at('a', '2024-01-01'), kpi.mrr_at('a', '2024-01-01', 'USD'), kpi.mrr_total_at('2024-01-01'),
        kpi.mrr_total_at('2024-01-01', 'USD'), kpi.mrr_total_as_of(1, '2024-01-01'), kpi.month_boundaries()
    $$,
    $$ values (null::numeric, null::numeric, null::numeric, null::numeric, null::numeric, null::date[]) $$,
    'without data MRR is unknown'
);
select results_eq(
    $$
    select
        v.is_truncated, v.first_invoice_on, v.observed_from, v.complete_through, v.covered_days, v.mrr_complete_from,
        v.churn_observable_from, v.explanation
    from kpi.coverage v
    $$,
    $$
    values (
        false, null::date, null::date, null::date, 0, null::date, null::date, 'There are no invoices yet.'
    )
    $$,
    'coverage says that there are no invoices'
);
select results_eq(
    $$ select c.known, c.ever_with_mrr, c.with_mrr, c.counted_on from kpi.customer_count c $$,
    $$ values (0::bigint, 0::bigint, 0::bigint, null::date) $$,
    'customer_count counts none'
);
select results_eq(
    $$ select e.currency, e.per_euro from kpi.exchange_rate e $$,
    $$ values ('EUR' collate "C", 1.0) $$,
    'exchange_rate knows the euro'
);

select results_eq(
    $$
    select
        (select count(*) from kpi.cohort_retention() c) + (select count(*) from kpi.cohort_retention('signup') c),
        (select count(*) from kpi.segment('term') s) + (select count(*) from kpi.segment('currency', '2024-01-01') s),
        (select count(*) from kpi.mrr_monthly_by('price_band') m),
        (select count(*) from kpi.retention_by('currency') r) + (select count(*) from kpi.retention_trailing() r),
        (select count(*) from kpi.concentration() c) + (select count(*) from kpi.mrr_by_customer() m),
        (select count(*) from kpi.renewals() r) + (select count(*) from kpi.renewals_monthly() m)
    $$,
    $$ values (0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint) $$,
    'without data there are no cohorts, segments and renewals'
);
select results_eq(
    $$ select a.name, a.distinct_values, a.customers, a.example from kpi.attributes a $$,
    $$ values ('currency', 0::bigint, 0::bigint, null::text), ('price_band', 0, 0, null), ('term', 0, 0, null) $$,
    'without data the attributes of the ledger exist, and have no values'
);
select throws_ok(
    $$ select * from kpi.segment('company_size') $$,
    'MR004',
    'unknown attribute: company_size',
    'without customers no attribute of theirs is known'
);
select throws_ok(
    $$ select * from kpi.cohort_retention('birthday') $$,
    'MR004',
    'unknown basis of cohorts: birthday',
    'without data an unknown basis is refused all the same'
);

-- Every set-returning function that takes days, once with a day or a range and once without any
-- bound: none may take a given day for a covered one, nor count through an endless range.
-- Parameters that are no days are given where they have no default.
create function pg_temp.ask_for_days()
returns table (call text, found bigint)
language plpgsql
as $$
declare
    v_function record;
    v_days text[];
    v_call text;
begin
    for v_function in
        select
            p.oid,
            p.proname as name,
            array_agg(a.name order by a.place) filter (where a.type = 'date'::regtype) as days,
            array_to_string(
                array_agg(
                    format(
                        '%I => %L', a.name,
                        case a.name
                            when 'p_attribute' then 'term'
                            when 'p_customer_id' then 'a'
                            when 'p_grain' then 'month'
                        end
                    )
                    order by a.place
                ) filter (where a.type <> 'date'::regtype and a.place <= p.pronargs - p.pronargdefaults),
                ', '
            ) as others
        from pg_proc p
        cross join lateral unnest(p.proargnames, p.proargtypes::oid[]) with ordinality a (name, type, place)
        where p.pronamespace = 'kpi'::regnamespace
            and p.proretset
            and a.place <= p.pronargs
        group by p.oid
        having bool_or(a.type = 'date'::regtype)
        order by p.proname
    loop
        foreach v_days slice 1 in array array[
            array['2024-01-01', '2024-06-30'], array['-infinity', 'infinity'], array['infinity', 'infinity']
        ]
        loop
            v_call := format(
                'kpi.%I(%s)', v_function.name,
                concat_ws(
                    ', ', v_function.others,
                    (
                        select string_agg(format('%I => date %L', d.name, v_days[least(d.place, 2)]), ', ' order by d.place)
                        from unnest(v_function.days) with ordinality d (name, place)
                    )
                )
            );
            execute format('select count(*) from %s', v_call) into found;
            call := v_call;
            return next;
        end loop;
    end loop;
end;
$$;

set local statement_timeout = '30s';
create temporary table asked as select a.call, a.found from pg_temp.ask_for_days() a;
set local statement_timeout = 0;

select cmp_ok((select count(*) from asked), '>=', 60::bigint, 'all functions that take days are asked, three times each');
-- It says in its one row that there are no sessions.
select is_empty(
    $$ select a.call, a.found from asked a where a.found <> 0 and a.call not like 'kpi.usage_and_churn(%' $$,
    'without data no day is covered, whichever is asked for'
);

-- Three days, one customer, no invoice.
insert into meta.batch (batch_id, kind, source, is_truncated, covered_from, covered_through)
values (1, 'import', 'stripe', false, '2024-01-01', '2024-01-03');
insert into raw.customer (customer_id, batch_id, is_listed) values ('a', 1, true);
call pipeline.refresh(null);

select results_eq(
    $$
    select
        d.day, d.opening, d.closing, d.unpaid, d.customers, d.arpa, d.arr, kpi.mrr_at('a', d.day), kpi.mrr_total_at(d.day)
    from kpi.mrr_daily d
    $$,
    $$
    values
    (date '2024-01-01', 0.00, 0.00, 0.00, 0::bigint, null::numeric, 0.00, 0.00, 0.00),
    ('2024-01-02', 0, 0, 0, 0, null, 0, 0, 0), ('2024-01-03', 0, 0, 0, 0, null, 0, 0, 0)
    $$,
    'on covered days without revenue, MRR is 0'
);
select results_eq(
    $$ select h.kpi, h.value, h.unit, h.change, h.second_value, h.first_on, h.last_on from kpi.headline h $$,
    $$
    values
    ('MRR', 0.00, 'EUR' collate "C", null::numeric, null::numeric, date '2024-01-01', date '2024-01-03'),
    ('Customer churn', null, 'share', null, null, '2024-01-01', '2024-01-03'),
    ('Quick ratio', null, 'ratio', null, null, '2024-01-01', '2024-01-03')
    $$,
    'headline has its three rows for a company without revenue'
);

select results_eq(
    $$
    select
        (select count(*) from kpi.cohort_retention() c), (select count(*) from kpi.segment('term') s),
        (select count(*) from kpi.mrr_monthly_by('currency') m), (select count(*) from kpi.retention_by('term') r),
        (select c.customers from kpi.concentration() c), (select count(*) from kpi.renewals() r),
        -- Whose creation is unknown is a cohort all the same.
        (select array_agg(c.cohort_name || ' ' || c.cohort_customers || ' ' || c.customers) from kpi.cohort_retention('signup') c),
        (select array_agg(r.note order by r.months) from kpi.retention_trailing() r)
    $$,
    $$
    values (
        0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, '{unknown 1 0}'::text[],
        '{"it begins on 2023-10-04, and MRR is known from 2024-01-01 on","it begins on 2023-01-04, and MRR is known from 2024-01-01 on"}'::text[]
    )
    $$,
    'a company without revenue has no segments, and its customers are a cohort that pays nothing'
);

select * from finish();
rollback;
