-- What became of each invoice: charges, one-off revenue, credits that found nothing to take away.
begin;
select plan(12);

insert into meta.batch (batch_id, kind, source, is_truncated, covered_from, covered_through, files)
select b.batch_id, 'import', 'stripe', false, '2024-01-01', '2024-06-30', jsonb_build_array(b.file)
from (
    values
    (1, jsonb '{"role": "invoices", "name": "first.csv"}'), (2, '{"role": "invoices", "name": "second.csv"}')
) b (batch_id, file);

insert into raw.customer (customer_id, batch_id, is_listed, name)
select c.customer_id, 1, true, initcap(c.customer_id)
from unnest('{pam,qin,rex,sam,tia,uma,viv,zoe}'::text[]) c (customer_id);

-- pam's subscriptions 1 to 4:
--     1  in_term: 60 for January and February are 30 a month. in_seat: 10 for 15.5 of the 60
--        days to 03-01 are 10 x 60 / 15.5 / 2 = 19.35.
--     2  in_days: 12 for 15.21875 days, half of 30.4375, are 24 a month.
--     3  in_draft: 20 for February. in_credit: -15 for its last 14.5 of 29 days are -30; only
--        20 run, 10 are unmatched.
--     4  in_arrears: 70 for a month, with lines for the month before. in_short: 1 for half a
--        day is 60.88 a month, on no day.
-- qin: in_month, 31 for March, ends on 03-11, when in_year begins: 1,179 and the unused 21 are
--      1,200 for a year.
insert into raw.invoice (
    customer_id, invoice_id, batch_id, superseded_by, line_number, subscription_id, currency, status, issued_at,
    period_start, period_end, line_period_start, line_period_end, total, exclusive_tax, inclusive_tax, tax
)
select
    i.customer_id,
    i.invoice_id,
    i.batch_id,
    i.superseded_by,
    i.line_number,
    i.subscription_id,
    'USD',
    i.status,
    i.issued_at at time zone 'UTC',
    coalesce(i.period_start, i.issued_at) at time zone 'UTC',
    i.issued_at at time zone 'UTC',
    i.starts_at at time zone 'UTC',
    i.ends_at at time zone 'UTC',
    i.total * 100,
    i.exclusive_tax * 100,
    i.inclusive_tax * 100,
    i.tax * 100
from (
    values
    ('pam', 'in_term', 1, null, 2, 'sub_1', 'paid', timestamp '2024-01-01 00:00', null::timestamp, timestamp '2024-01-01 00:00', timestamp '2024-03-01 00:00', 71, 11, null, 11),
    ('pam', 'in_seat', 1, null, 3, 'sub_1', 'paid', '2024-02-14 12:00', '2024-01-01 00:00', '2024-02-14 12:00', '2024-03-01 00:00', 10, null, null, null),
    ('pam', 'in_days', 1, null, 4, 'sub_2', 'open', '2024-01-10 00:00', null, '2024-01-10 00:00', '2024-01-25 05:15', 12, null, null, null),
    ('pam', 'in_draft', 1, 2, 5, 'sub_3', 'draft', '2024-02-01 00:00', null, '2024-02-01 00:00', '2024-03-01 00:00', 99, null, null, null),
    ('pam', 'in_draft', 2, null, 2, 'sub_3', 'draft', '2024-02-01 00:00', null, '2024-02-01 00:00', '2024-03-01 00:00', 22, null, 2, 2),
    ('pam', 'in_credit', 2, null, 3, 'sub_3', 'paid', '2024-02-15 12:00', '2024-02-01 00:00', '2024-02-15 12:00', '2024-03-01 00:00', -15, null, null, null),
    ('pam', 'in_arrears', 2, null, 4, 'sub_4', 'paid', '2024-03-01 00:00', '2024-02-01 00:00', '2024-02-01 00:00', '2024-04-01 00:00', 70, null, null, null),
    ('pam', 'in_short', 2, null, 5, 'sub_4', 'paid', '2024-03-31 06:00', '2024-03-01 00:00', '2024-03-31 06:00', '2024-03-31 18:00', 1, null, null, null),
    ('qin', 'in_month', 2, null, 6, 'sub_5', 'paid', '2024-03-01 00:00', null, '2024-03-01 00:00', '2024-04-01 00:00', 31, null, null, null),
    ('qin', 'in_year', 2, null, 7, 'sub_5', 'paid', '2024-03-11 00:00', null, '2024-03-11 00:00', '2025-03-11 00:00', 1179, null, null, null),
    -- What makes no charge. The taxes of one-offs: on top, in the price, as a single figure.
    ('pam', 'in_setup', 2, null, 8, null, 'open', '2024-01-01 23:30', null, '2024-01-01 23:30', '2024-02-01 23:30', 119, 19, null, 19),
    ('pam', 'in_empty', 2, null, 9, 'sub_1', 'paid', '2024-01-02 00:00', null, '2024-01-02 00:00', '2024-01-02 00:00', 11, null, 1, 1),
    ('pam', 'in_no_lines', 2, null, 10, 'sub_1', 'draft', '2024-01-03 00:00', null, null, null, 12, null, null, 2),
    -- An invoice that was voided, and what may stand in its place: 31 days after, 31 days and
    -- half an hour after, 31 days before, 32 days after. Summer time ends in between.
    ('rex', 'in_void_1', 2, null, 11, 'sub_6', 'void', '2024-03-20 10:00', null, '2024-03-20 10:00', '2024-04-20 10:00', 50, null, null, null),
    ('rex', 'in_after', 2, null, 12, null, 'paid', '2024-04-20 10:00', null, null, null, 50, null, null, null),
    ('sam', 'in_void_2', 2, null, 13, 'sub_7', 'void', '2024-03-20 10:00', null, '2024-03-20 10:00', '2024-04-20 10:00', 50, null, null, null),
    ('sam', 'in_later', 2, null, 14, null, 'paid', '2024-04-20 10:30', null, null, null, 50, null, null, null),
    ('tia', 'in_void_3', 2, null, 15, 'sub_8', 'void', '2024-03-20 10:00', null, '2024-03-20 10:00', '2024-04-20 10:00', 50, null, null, null),
    ('tia', 'in_before', 2, null, 16, null, 'paid', '2024-02-18 10:00', null, null, null, 50, null, null, null),
    ('uma', 'in_void_4', 2, null, 17, 'sub_9', 'uncollectible', '2024-03-20 10:00', null, '2024-03-20 10:00', '2024-04-20 10:00', 50, null, null, null),
    ('uma', 'in_too_late', 2, null, 18, null, 'paid', '2024-04-21 10:00', null, null, null, 50, null, null, null),
    ('viv', 'in_void_5', 2, null, 19, 'sub_10', 'uncollectible', '2024-03-20 10:00', null, null, null, 50, null, null, null),
    ('viv', 'in_next_day', 2, null, 20, null, 'open', '2024-03-21 10:00', null, null, null, 50, null, null, null),
    ('zoe', 'in_void_6', 2, null, 21, null, 'void', '2024-03-20 10:00', null, null, null, 50, null, null, null),
    ('zoe', 'in_alone', 2, null, 22, null, 'paid', '2024-03-20 10:00', null, null, null, 50, null, null, null)
) i (
    customer_id, invoice_id, batch_id, superseded_by, line_number, subscription_id, status, issued_at, period_start,
    starts_at, ends_at, total, exclusive_tax, inclusive_tax, tax
);

call pipeline.refresh(null);

-- kpi.invoice_fate -------------------------------------------------------------------------

select results_eq(
    $$
    select f.fate, f.detail, array_agg(f.invoice_id order by f.invoice_id)
    from kpi.invoice_fate f
    group by f.fate, f.detail
    order by f.fate, f.detail
    $$,
    $$
    values
    ('charge', 'days' collate "C", '{in_days,in_short}'::text[] collate "C"),
    ('charge', 'proration', '{in_credit,in_seat}'),
    ('charge', 'term', '{in_arrears,in_draft,in_month,in_term,in_year}'),
    ('not counted', 'uncollectible', '{in_void_4,in_void_5}'),
    ('not counted', 'void', '{in_void_1,in_void_2,in_void_3,in_void_6}'),
    ('one-off', 'empty service period', '{in_empty}'),
    ('one-off', 'no service period', '{in_no_lines}'),
    ('one-off', 'no subscription', '{in_after,in_alone,in_before,in_later,in_next_day,in_setup,in_too_late}')
    $$,
    'invoice_fate says what became of each invoice, and why'
);
select results_eq(
    $$
    select
        f.invoice_id, f.customer_id, f.subscription_id, f.currency, f.status, f.issued_on, f.total, f.batch_id, f.line_number
    from kpi.invoice_fate f
    where f.invoice_id in ('in_draft', 'in_setup')
    order by f.invoice_id
    $$,
    $$
    values
    (
        'in_draft' collate "C", 'pam' collate "C", 'sub_3' collate "C", 'USD' collate "C", 'draft' collate "C",
        date '2024-02-01', 22.00, 2::bigint, 2::bigint
    ),
    ('in_setup', 'pam', null, 'USD', 'open', '2024-01-01', 119.00, 2, 8)
    $$,
    'invoice_fate shows the current version of an invoice, taxes included'
);
-- 25 versions of 24 invoices.
select results_eq(
    $$
    select
        (select count(*) from raw.invoice i),
        count(*),
        count(distinct f.invoice_id),
        count(*) filter (where f.fate in ('charge', 'one-off', 'not counted')),
        (select count(*) from billing.invoice i where i.invoice_id not in (select f.invoice_id from kpi.invoice_fate f)),
        sum(f.total) = (select sum(i.total) from billing.invoice i)
    from kpi.invoice_fate f
    $$,
    $$ values (25::bigint, 24::bigint, 24::bigint, 24::bigint, 0::bigint, true) $$,
    'invoice_fate has every current invoice exactly once'
);
select results_eq(
    $$
    select
        (select count(*) from kpi.charge c),
        (select count(*) from kpi.invoice_fate f where f.fate = 'charge'),
        (select count(*) from kpi.one_off_revenue o),
        (select count(*) from kpi.invoice_fate f where f.fate = 'one-off')
    $$,
    $$ values (9::bigint, 9::bigint, 9::bigint, 9::bigint) $$,
    'charge and one_off_revenue have the invoices that invoice_fate says'
);

-- kpi.charge -------------------------------------------------------------------------------

select results_eq(
    $$
    select
        c.invoice_id, c.basis::text, c.mrr, c.starts_on, c.ends_on, c.net, c.amount, c.months, c.unmatched, c.is_unpaid, c.note
    from kpi.charge c
    order by c.customer_id, c.starts_at, c.invoice_id
    $$,
    $$
    values
    ('in_term' collate "C", 'term', 30.00, date '2024-01-01', date '2024-03-01', 60.00, 60.00, 2, 0.00, false, null),
    ('in_days', 'days', 24.00, '2024-01-10', '2024-01-25', 12.00, 12.00, null, 0.00, true, null),
    ('in_draft', 'term', 20.00, '2024-02-01', '2024-03-01', 20.00, 20.00, 1, 0.00, true, null),
    ('in_seat', 'proration', 19.35, '2024-02-14', '2024-03-01', 10.00, 10.00, 2, 0.00, false, null),
    ('in_credit', 'proration', -20.00, '2024-02-15', '2024-03-01', -15.00, -15.00, 1, 10.00, false, null),
    ('in_arrears', 'term', 70.00, '2024-03-01', '2024-04-01', 70.00, 70.00, 1, 0.00, false, 'carries arrears'),
    ('in_short', 'days', 60.88, '2024-03-31', '2024-03-31', 1.00, 1.00, null, 0.00, false, 'shorter than a day'),
    ('in_month', 'term', 31.00, '2024-03-01', '2024-03-11', 31.00, 31.00, 1, 0.00, false, 'ended early by a new cycle'),
    ('in_year', 'term', 100.00, '2024-03-11', '2025-03-11', 1179.00, 1200.00, 12, 0.00, false, 'settles what was unused before')
    $$,
    'charge shows how each MRR came about'
);
select results_eq(
    $$
    select c.customer_id, c.subscription_id, c.currency, c.starts_at, c.ends_at, c.status, c.file, c.line_number, c.batch_id
    from kpi.charge c
    where c.invoice_id in ('in_seat', 'in_draft')
    order by c.invoice_id
    $$,
    $$
    values
    (
        'pam' collate "C", 'sub_3' collate "C", 'USD' collate "C", timestamptz '2024-02-01 00:00 UTC',
        timestamptz '2024-03-01 00:00 UTC', 'draft' collate "C", 'second.csv', 2::bigint, 2::bigint
    ),
    ('pam', 'sub_1', 'USD', '2024-02-14 12:00 UTC', '2024-03-01 00:00 UTC', 'paid', 'first.csv', 3, 1)
    $$,
    'charge leads to the file and line of the current version'
);
select results_eq(
    $$
    select d.day, kpi.mrr_at('pam', d.day), (select sum(e.mrr) from kpi.mrr_explain('pam', d.day) e)
    from unnest('{2024-02-14, 2024-02-15, 2024-03-31}'::date[]) d (day)
    $$,
    -- 30 + 20 + 19.35, less 20 from the 15th on; on the last day of March only what is longer than a day
    $$ values (date '2024-02-14', 69.35, 69.35), ('2024-02-15', 49.35, 49.35), ('2024-03-31', 70.00, 70.00) $$,
    'mrr_explain lists credits with what they take away, and no charge shorter than a day'
);

-- kpi.one_off_revenue ----------------------------------------------------------------------

select results_eq(
    $$
    select o.invoice_id, o.customer_id, o.name, o.issued_on, o.currency, o.net, o.status, o.reason
    from kpi.one_off_revenue o
    where o.customer_id = 'pam'
    order by o.invoice_id
    $$,
    $$
    values
    (
        'in_empty' collate "C", 'pam' collate "C", 'Pam' collate "C", date '2024-01-02', 'USD' collate "C", 10.00,
        'paid' collate "C", 'empty service period' collate "C"
    ),
    ('in_no_lines', 'pam', 'Pam', '2024-01-03', 'USD', 10.00, 'draft', 'no service period'),
    ('in_setup', 'pam', 'Pam', '2024-01-01', 'USD', 100.00, 'open', 'no subscription')
    $$,
    'one_off_revenue shows invoices that count but do not recur, without taxes'
);
select results_eq(
    $$
    select o.invoice_id, o.is_possible_replacement
    from kpi.one_off_revenue o
    where o.customer_id <> 'pam'
    order by o.customer_id
    $$,
    $$
    values
    ('in_after' collate "C", true), ('in_later', false), ('in_before', true), ('in_too_late', false),
    ('in_next_day', true), ('in_alone', false)
    $$,
    'a one-off is a possible replacement within 31 days of a void subscription invoice, in any time zone'
);

-- kpi.unmatched_credits --------------------------------------------------------------------

select results_eq(
    $$
    select
        u.invoice_id, u.customer_id, u.name, u.subscription_id, u.currency, u.starts_on, u.ends_on, u.net, u.mrr, u.unmatched
    from kpi.unmatched_credits u
    $$,
    $$
    values (
        'in_credit' collate "C", 'pam' collate "C", 'Pam' collate "C", 'sub_3' collate "C", 'USD' collate "C",
        date '2024-02-15', date '2024-03-01', -15.00, -20.00, 10.00
    )
    $$,
    'unmatched_credits shows what a credit could not take away'
);

-- Settings ---------------------------------------------------------------------------------

update meta.setting set counted_statuses = '{paid}', time_zone = 'Pacific/Auckland';
call pipeline.rebuild();
select results_eq(
    $$
    select f.invoice_id, f.fate, f.detail, f.issued_on
    from kpi.invoice_fate f
    where f.status in ('open', 'draft')
    order by f.invoice_id
    $$,
    $$
    values
    ('in_days' collate "C", 'not counted', 'open' collate "C", date '2024-01-10'),
    ('in_draft', 'not counted', 'draft', '2024-02-01'), ('in_next_day', 'not counted', 'open', '2024-03-21'),
    ('in_no_lines', 'not counted', 'draft', '2024-01-03'), ('in_setup', 'not counted', 'open', '2024-01-02')
    $$,
    'invoice_fate follows the setting of what counts, and the reporting time zone'
);
-- The credit finds nothing to take away any more.
select results_eq(
    $$ select u.mrr, u.unmatched from kpi.unmatched_credits u $$,
    $$ values (0.00, 30.00) $$,
    'unmatched_credits follows the setting of what counts'
);

select * from finish();
rollback;
