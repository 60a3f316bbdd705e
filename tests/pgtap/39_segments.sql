-- The same figures by currency, term, price band and any attribute of the customers.
begin;
-- Many small calls: compiling their plans would take longer than running them.
set local jit = off;
select plan(32);

\ir companies/complete.sql

-- ann and gus are large, ben and cat small; dan's size is empty, eve's and fay's not there.
update raw.customer c
set attributes = a.attributes::jsonb
from (
    values
    ('ann', '{"size": "large", "region": "north"}'), ('ben', '{"size": "small"}'), ('cat', '{"size": "small"}'),
    ('dan', '{"size": ""}'), ('eve', '{"size": null}'), ('gus', '{"size": "large"}')
) a (customer_id, attributes)
where c.customer_id = a.customer_id;

-- The hint of the error that a statement raises.
create function pg_temp.hint_of(p_statement text)
returns text
language plpgsql
as $$
declare
    v_hint text;
begin
    execute p_statement;
    return null;
exception when others then
    get stacked diagnostics v_hint = pg_exception_hint;
    return v_hint;
end;
$$;

-- kpi.segment ----------------------------------------------------------------------------------
--
-- Of 368.04 on 03-31:
--     ann 100.04 EUR for a month    ben 90 EUR for a month     cat 25 USD = 20 EUR for two months
--     dan     30 EUR for two months eve 100 EUR for a year     fay 20 EUR for two months, and
--                                                                  10 USD = 8 EUR for a month
select results_eq(
    $$ select s.segment, s.customers, s.mrr, round(s.share, 6), s.arpa from kpi.segment('currency', '2024-03-31') s $$,
    $$ values ('EUR', 5::bigint, 340.04, 0.923921, 68.008), ('USD', 2, 28.00, 0.076079, 14.00) $$,
    'segment by currency takes each customer''s MRR apart by the currency billed'
);
select results_eq(
    $$ select s.segment, s.customers, s.mrr, round(s.share, 6), s.arpa from kpi.segment('term', '2024-03-31') s $$,
    $$
    values
    ('month', 2::bigint, 190.04, 0.516357, 95.02), ('year', 1, 100.00, 0.271710, 100.00),
    ('other', 3, 78.00, 0.211933, 26.00)
    $$,
    'segment by term puts a customer where most of its MRR is'
);
select results_eq(
    $$ select s.segment, s.customers, s.mrr, round(s.share, 6), s.arpa from kpi.segment('price_band', '2024-03-31') s $$,
    $$
    values
    ('10 to 50', 3::bigint, 78.00, 0.211933, 26.00), ('50 to 100', 1, 90.00, 0.244539, 90.00),
    ('100 to 500', 2, 200.04, 0.543528, 100.02)
    $$,
    'segment by price band goes by all that a customer pays'
);
select results_eq(
    $$ select s.segment, s.customers, s.mrr, round(s.share, 6) from kpi.segment('size', '2024-03-31') s $$,
    $$
    values
    (null::text, 3::bigint, 158.00, 0.429301), ('small', 2, 110.00, 0.298881), ('large', 1, 100.04, 0.271818)
    $$,
    'customers without a value, or with an empty one, are a segment of their own'
);
select results_eq(
    $$ select s.segment, s.customers, s.mrr from kpi.segment('size') s $$,
    $$
    values (null::text, 2::bigint, 130.00), ('large', 1, 100.04), ('small', 1, 20.00)
    $$,
    'segment without a day is about the last covered one'
);
select is_empty(
    $$
    select s.segment from kpi.segment('size', '2023-12-31') s
    union all
    select s.segment from kpi.segment('term', '2024-05-01') s
    union all
    select s.segment from kpi.segment('currency', 'infinity') s
    $$,
    'segment has no row outside coverage'
);

-- A day needs no history, which the waterfall walks through.
select results_eq(
    $$
    select
        count(distinct (d.day, a.name)),
        count(*) filter (where s.found is distinct from w.closed)
    from kpi.mrr_daily d
    cross join (values ('currency'), ('term'), ('price_band'), ('size')) a (name)
    cross join lateral (
        select jsonb_agg(jsonb_build_array(s.segment, s.customers, trim_scale(s.mrr)) order by s.segment) as found
        from kpi.segment(a.name, d.day) s
    ) s
    cross join lateral (
        select jsonb_agg(jsonb_build_array(b.segment, b.customers, trim_scale(b.closing)) order by b.segment) as closed
        from kpi.waterfall_by(a.name, array[d.day, d.day + 1]) b
        where b.customers > 0
    ) w
    $$,
    $$ values (484::bigint, 0::bigint) $$,
    'on every day, segment by any attribute is what the waterfall closes with'
);
select results_eq(
    $$ select kpi.price_band(m.mrr) from unnest('{0, 9.99, 10, 49.99, 50, 99.99, 100, 499.99, 500, 999.99, 1000, 4999.99, 5000, 9999.99, 10000, NULL}'::numeric[]) m (mrr) $$,
    $$
    values
    ('under 10'), ('under 10'), ('10 to 50'), ('10 to 50'), ('50 to 100'), ('50 to 100'), ('100 to 500'),
    ('100 to 500'), ('500 to 1,000'), ('500 to 1,000'), ('1,000 to 5,000'), ('1,000 to 5,000'), ('5,000 to 10,000'),
    ('5,000 to 10,000'), ('10,000 and more'), (null)
    $$,
    'a price band includes its lower bound'
);

-- fay pays 20 EUR for a month, then for two, and from 03-10 to 04-10 10 USD by the month beside.
select results_eq(
    $$ select h.part, h.effective_on, h.segment from kpi.segment_history('term') h where h.customer_id = 'fay' order by h.effective_on $$,
    $$
    values
    ('', date '2024-01-10', 'month'), ('', '2024-02-10', 'other'), ('', '2024-03-10', 'other'), ('', '2024-04-10', null)
    $$,
    'segment_history tells the term since which day'
);
savepoint before_tie;
update raw.invoice set total = 2500 where invoice_id = 'in_fay_2USD';
call pipeline.refresh('{fay}');
select is(
    (select h.segment from kpi.segment_history('term') h where h.customer_id = 'fay' and h.effective_on = '2024-03-10'),
    'other',
    'of two terms that carry the same, the longer one counts'
);
insert into raw.invoice (
    customer_id, invoice_id, batch_id, subscription_id, currency, status, issued_at, line_period_start, line_period_end, total
)
values (
    'eve', 'in_eve_month', 1, 'sub_eve_month', 'EUR', 'paid', '2024-03-01 00:00 UTC', '2024-03-01 00:00 UTC',
    '2024-04-01 00:00 UTC', 10000
);
call pipeline.refresh('{eve}');
select results_eq(
    $$ select h.effective_on, h.segment from kpi.segment_history('term') h where h.customer_id = 'eve' order by h.effective_on $$,
    $$ values (date '2024-02-15', 'year'), ('2024-03-01', 'year'), ('2024-04-01', 'year'), ('2025-02-15', null) $$,
    'and so a year counts, beside a month of the same MRR'
);
rollback to before_tie;

-- kpi.attributes -------------------------------------------------------------------------------
--
-- On 04-30 ann (month), cat and dan (two months) and eve (year) are left; only cat pays in USD.
select results_eq(
    $$ select a.name, a.source, a.distinct_values, a.customers, a.example from kpi.attributes a $$,
    $$
    values
    ('currency', 'ledger', 2::bigint, 4::bigint, 'EUR'), ('price_band', 'ledger', 2, 4, '10 to 50'),
    ('term', 'ledger', 3, 4, 'other'), ('region', 'customer', 1, 1, 'north'), ('size', 'customer', 2, 4, 'large')
    $$,
    'attributes lists what there is to segment by'
);
select set_eq(
    $$ select a.name from kpi.attributes a where kpi.check_attribute(a.name) = a.name $$,
    $$ select a.name from kpi.attributes a $$,
    'every attribute listed is one to segment by'
);

-- Customers may have attributes of the same names: ann's currency and term are others than billed.
savepoint before_namesakes;
update raw.customer
set attributes = attributes || '{"currency": "CHF", "term": "forever", "Plan": "gold"}'
where customer_id = 'ann';
select results_eq(
    $$ select a.name, a.source, a.customers, a.example from kpi.attributes a where a.name ~ 'currency|term' $$,
    $$
    values
    ('currency', 'ledger', 4::bigint, 'EUR'), ('term', 'ledger', 4, 'other'),
    ('customer.currency', 'customer', 1, 'CHF'), ('customer.term', 'customer', 1, 'forever')
    $$,
    'attributes of customers that are named as one of the ledger have a name of their own'
);
select results_eq(
    $$
    select s.segment, s.mrr from kpi.segment('customer.term', '2024-03-31') s
    union all
    select s.segment, s.mrr from kpi.segment('customer.currency', '2024-03-31') s
    $$,
    $$ values (null::text, 268.00), ('forever', 100.04), (null, 268.00), ('CHF', 100.04) $$,
    'and can be segmented by'
);
select results_eq(
    $$ select a.given, pg_temp.hint_of(format('select kpi.check_attribute(%L)', a.given)) from unnest('{PLAN,Term,Size,nix}'::text[]) a (given) $$,
    $$
    values
    ('PLAN', 'Did you mean Plan?'), ('Term', 'Did you mean term?'), ('Size', 'Did you mean size?'),
    ('nix', 'See which there are: select * from kpi.attributes, or pgmrr segment.')
    $$,
    'an attribute in other capitals is suggested'
);
select is(
    pg_temp.hint_of($$ select * from kpi.significant_periods('year') $$),
    'Give day, week or month, and a threshold, which usually is 3.5: select * from kpi.significant_periods(''week'', p_threshold => 3.5).',
    'an unknown grain is told which there are'
);
rollback to before_namesakes;

-- kpi.mrr_monthly_by ---------------------------------------------------------------------------
--
-- From months to longer terms move fay, with 20 on 02-10, and cat, with 20 on 03-01, after she
-- gave up 20. dan comes back on 03-01 for two months.
select results_eq(
    $$
    select
        m.month, m.segment, m.opening, m.new, m.reactivation, m.expansion, m.contraction, m.rounding, m.churn, m.moved,
        m.closing, m.customers_opening, m.customers
    from kpi.mrr_monthly_by('term') m
    $$,
    $$
    values
    (
        date '2024-01-01', 'month', 0.00, 250.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 250.00, 0::bigint, 5::bigint
    ),
    ('2024-02-01', 'month', 250, 0, 0, 30, 0, 0, -30, -20, 230, 5, 3),
    ('2024-02-01', 'other', 0, 0, 0, 0, 0, 0, 0, 20, 20, 0, 1),
    ('2024-02-01', 'year', 0, 100, 0, 0, 0, 0, 0, 0, 100, 0, 1),
    ('2024-03-01', 'month', 230, 0, 0, 0, -20, 0.04, 0, -20, 190.04, 3, 2),
    ('2024-03-01', 'other', 20, 0, 30, 8, 0, 0, 0, 20, 78, 1, 3),
    ('2024-03-01', 'year', 100, 0, 0, 0, 0, 0, 0, 0, 100, 1, 1),
    ('2024-04-01', 'month', 190.04, 0, 0, 0, 0, 0, -90, 0, 100.04, 2, 1),
    ('2024-04-01', 'other', 78, 0, 0, 0, 0, 0, -28, 0, 50, 3, 2),
    ('2024-04-01', 'year', 100, 0, 0, 0, 0, 0, 0, 0, 100, 1, 1)
    $$,
    'mrr_monthly_by shows what moves from one term to another apart'
);
select results_eq(
    $$
    select m.month, m.segment, m.opening, m.new, m.reactivation, m.expansion, m.contraction, m.churn, m.moved, m.closing, m.customers
    from kpi.mrr_monthly_by('price_band') m
    where m.month in ('2024-02-01', '2024-03-01')
    $$,
    $$
    values
    (date '2024-02-01', '10 to 50', 90.00, 0.00, 0.00, 0.00, 0.00, -30.00, 0.00, 60.00, 2::bigint),
    ('2024-02-01', '100 to 500', 100, 100, 0, 0, 0, 0, 0, 200, 2),
    ('2024-02-01', '50 to 100', 60, 0, 0, 30, 0, 0, 0, 90, 1),
    ('2024-03-01', '10 to 50', 60, 0, 30, 8, -20, 0, 0, 78, 3),
    ('2024-03-01', '100 to 500', 200, 0, 0, 0, 0, 0, 0, 200.04, 2),
    ('2024-03-01', '50 to 100', 90, 0, 0, 0, 0, 0, 0, 90, 1)
    $$,
    'mrr_monthly_by follows price bands'
);

-- kpi.retention_by -----------------------------------------------------------------------------
--
-- February to April opens with 210 EUR of ann, ben, dan and fay, and 50 USD = 40 EUR of cat.
-- EUR: ann 100.04 and dan 30 are kept, ben and fay lost: churn 30 + 90 + 20 = 140, expansion 30,
-- reactivation 30, new 100. USD: cat keeps 20, fay's second currency comes and goes with 8.
select results_eq(
    $$
    select
        r.segment, r.first_on, r.last_on, r.opening, r.kept, r.customers_opening, r.customers_lost, r.customer_churn_rate,
        round(r.gross_mrr_churn_rate, 6), round(r.net_mrr_churn_rate, 6), round(r.nrr, 6), round(r.grr, 6),
        round(r.quick_ratio, 6)
    from kpi.retention_by('currency', '2024-02-01', '2024-04-30') r
    $$,
    $$
    values
    (
        'EUR', date '2024-02-01', date '2024-04-30', 210.00, 130.04, 4::bigint, 2::bigint, 0.5,
        0.666667, 0.380952, 0.619238, 0.619048, 1.142857
    ),
    ('USD', '2024-02-01', '2024-04-30', 40, 20, 1, 0, 0, 0.700000, 0.500000, 0.500000, 0.500000, 0.285714)
    $$,
    'retention_by follows each currency on its own'
);
-- All five of the opening paid by the month, and are followed to where they went; eve came.
select results_eq(
    $$
    select
        r.segment, r.opening, r.kept, r.customers_opening, r.customers_lost, r.customer_churn_rate,
        r.gross_mrr_churn_rate, r.net_mrr_churn_rate, r.nrr, r.grr, round(r.quick_ratio, 6)
    from kpi.retention_by('term', '2024-02-01', '2024-04-30') r
    $$,
    $$
    values
    ('month', 250.00, 150.04, 5::bigint, 2::bigint, 0.4, 0.672, 0.4, 0.60016, 0.6, 0.404762),
    ('other', 0, 0, 0, 0, null, null, null, null, null, null),
    ('year', 0, 0, 0, 0, null, null, null, null, null, null)
    $$,
    'retention_by takes no change of the term for a loss'
);
select results_eq(
    $$ select r.segment, r.customers_opening, r.customers_lost, round(r.grr, 6) from kpi.retention_by('size', '2024-04-01', '2024-04-01') r $$,
    $$
    values (null::text, 3::bigint, 0::bigint, 1.000000), ('small', 2, 1, 0.181818), ('large', 1, 0, 1.000000)
    $$,
    'retention_by over a single day counts who leaves on it'
);
select is_empty(
    $$ select r.segment from kpi.retention_by('size', '2024-05-01', '2025-01-01') r $$,
    'retention_by has no row where no day of the range is covered'
);

-- Errors ---------------------------------------------------------------------------------------

create function pg_temp.code_of(p_statement text)
returns text
language plpgsql
as $$
begin
    execute p_statement;
    return null;
exception
    when others then
        return sqlstate;
end;
$$;

select results_eq(
    $$
    select count(*), count(*) filter (where pg_temp.code_of(c.call) = 'MR004')
    from unnest(array[
        'select * from kpi.segment(''color'')', 'select * from kpi.segment(''color'', ''2020-01-01'')',
        'select * from kpi.segment(null)', 'select * from kpi.segment('''')', 'select * from kpi.mrr_monthly_by(''color'')',
        'select * from kpi.retention_by(''color'')', 'select * from kpi.retention_by(''Currency'', ''2024-02-01'', ''2024-02-29'')'
    ]) c (call)
    $$,
    $$ values (7::bigint, 7::bigint) $$,
    'an unknown attribute is refused, also outside coverage'
);
select throws_ok(
    $$ select * from kpi.segment('color') $$,
    'MR004',
    'unknown attribute: color',
    'the error names the attribute'
);
select throws_ok(
    $$ select * from kpi.retention_by('currency', '2024-03-31', '2024-03-01') $$,
    'MR006',
    'the range of days is upside down',
    'retention_by refuses a range that is upside down'
);
select is_empty(
    $$
    select w.segment from kpi.waterfall_by('currency', null) w
    union all
    select w.segment from kpi.waterfall_by('term', '{}') w
    union all
    select w.segment from kpi.waterfall_by('price_band', '{2024-02-01}') w
    union all
    select w.segment from kpi.waterfall_by('size', '{2025-02-01, 2025-03-01}') w
    $$,
    'without a covered period there is no row'
);

-- Identities -----------------------------------------------------------------------------------
-- With a rate that leaves fractions without end, every figure must still add up exactly; and
-- ann, who pays in two currencies, moves through price bands.

update meta.exchange_rate set per_euro = 1.0411;
update raw.invoice set total = 900000 where invoice_id = 'in_ann_2';
call pipeline.update_currencies();
call pipeline.refresh('{ann}');

create temp table attribute as
select a.name from kpi.attributes a;

select results_eq(
    $$
    select count(*), count(*) filter (
        where b.opening = m.opening and b.closing = m.closing and b.moved = 0
            and (b.preexisting, b.new, b.reactivation, b.expansion) = (m.preexisting, m.new, m.reactivation, m.expansion)
            and (b.contraction, b.rounding, b.churn) = (m.contraction, m.rounding, m.churn)
            and (b.customers = m.customers and b.customers_opening = m.customers_opening or a.name = 'currency')
            and b.adds_up
    )
    from attribute a
    cross join kpi.mrr_monthly m
    cross join lateral (
        select
            sum(x.opening) as opening, sum(x.preexisting) as preexisting, sum(x.new) as new,
            sum(x.reactivation) as reactivation, sum(x.expansion) as expansion, sum(x.contraction) as contraction,
            sum(x.rounding) as rounding, sum(x.churn) as churn, sum(x.moved) as moved, sum(x.closing) as closing,
            sum(x.customers) as customers, sum(x.customers_opening) as customers_opening,
            bool_and(
                x.opening + x.preexisting + x.new + x.reactivation + x.expansion + x.contraction + x.rounding + x.churn
                + x.moved = x.closing
            ) as adds_up
        from kpi.mrr_monthly_by(a.name) x
        where x.month = m.month
    ) b
    $$,
    $$ values (20::bigint, 20::bigint) $$,
    'by every attribute, the segments of a month add up to the month'
);
select results_eq(
    $$ select count(*), sum(abs(m.moved)) > 0 from kpi.mrr_monthly_by('price_band') m where m.moved <> 0 $$,
    $$ values (4::bigint, true) $$,
    'a customer who pays more moves to another price band, and back'
);
select results_eq(
    $$
    select
        count(*),
        count(*) filter (where t.mrr = d.closing),
        count(*) filter (where round(t.share, 12) = 1 and t.least > 0 and t.most <= 1),
        count(*) filter (where t.customers = d.customers or a.name = 'currency')
    from attribute a
    cross join kpi.mrr_daily d
    cross join lateral (
        select
            sum(s.mrr) as mrr, sum(s.share) as share, min(s.share) as least, max(s.share) as most, sum(s.customers) as customers
        from kpi.segment(a.name, d.day) s
    ) t
    where extract(day from d.day) in (1, 10, 15)
    $$,
    $$ values (60::bigint, 60::bigint, 60::bigint, 60::bigint) $$,
    'by every attribute, the segments of a day add up to it'
);
-- Ranges that begin and end on one of 9 days, a fortnight apart: 45.
select results_eq(
    $$
    select
        count(*),
        count(*) filter (where r.opening = t.opening),
        count(*) filter (
            where a.name = 'currency' or (r.customers_lost = t.customers_lost and r.customers_opening = t.customers_opening)
        ),
        count(*) filter (where t.nrr is null or a.name = 'currency' or round(r.kept / r.opening, 12) = round(t.nrr, 12)),
        count(*) filter (where r.is_bounded)
    from attribute a
    cross join generate_series(date '2024-01-01', '2024-04-28', '14 days') f (day)
    join generate_series(date '2024-01-01', '2024-04-28', '14 days') l (day) on l.day >= f.day
    cross join lateral kpi.retention(f.day::date, l.day::date) t
    cross join lateral (
        select
            sum(x.opening) as opening, sum(x.kept) as kept, sum(x.customers_opening) as customers_opening,
            sum(x.customers_lost) as customers_lost,
            bool_and(
                coalesce(x.grr, 0) between 0 and 1 and coalesce(x.customer_churn_rate, 0) between 0 and 1
                and coalesce(x.grr <= x.nrr, true)
            ) as is_bounded
        from kpi.retention_by(a.name, f.day::date, l.day::date) x
    ) r
    $$,
    $$ values (225::bigint, 225::bigint, 225::bigint, 225::bigint, 225::bigint) $$,
    'by every attribute and in any range, retention_by adds up to retention, and its rates are in their bounds'
);

-- A part of a life: who pays by the year cannot have left within it.
delete from raw.invoice;
delete from raw.customer;
call pipeline.refresh(null);
delete from meta.batch;
\ir companies/truncated.sql

select results_eq(
    $$
    select r.segment, r.customers_opening, r.customers_lost, round(r.grr, 6), r.churn_is_observable
    from kpi.retention_by('term', '2025-03-01', '2025-03-30') r
    $$,
    $$
    values
    ('year', 1::bigint, 0::bigint, null::numeric, false), ('month', 2, 1, 0.375000, true)  -- 30 / 80
    $$,
    'by term, churn can be seen once the term has passed'
);

select * from finish();
rollback;
