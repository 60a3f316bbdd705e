-- Money that was billed and did not come: what became of invoices, who never paid, forgotten drafts, and
-- what may replace void invoices.
begin;
select plan(16);

\ir companies/complete.sql

-- Beside the company's own: gus gets a void invoice and a one-off of the same total two days
-- later, late since 03-20; one that was given up; a draft of a subscription that is forgotten,
-- and one that is three days old when coverage ends. And a credit, a free invoice, a cancelled
-- credit, and one that is due in 1970.
insert into raw.invoice (
    customer_id, invoice_id, batch_id, line_number, subscription_id, currency, status, issued_at, due_at,
    period_start, period_end, line_period_start, line_period_end, total
)
select
    i.customer_id, format('in_%s', i.name), 1, i.line_number, i.subscription_id, i.currency, i.status, i.issued_on at time zone 'UTC',
    i.due_on at time zone 'UTC', i.issued_on at time zone 'UTC', i.issued_on at time zone 'UTC', i.issued_on at time zone 'UTC',
    (i.issued_on + interval '1 month') at time zone 'UTC', i.total * 100
from (
    values
    (18, 'gus', 'void', 'sub_gus', 'EUR', 'void', '2024-03-10'::timestamp, null::timestamp, 70),
    (19, 'gus', 'again', null, 'EUR', 'open', '2024-03-12', '2024-03-20', 70),
    (20, 'gus', 'lost', 'sub_gus', 'EUR', 'uncollectible', '2024-04-05', '2024-04-06', 25),
    (21, 'gus', 'forgotten', 'sub_gus', 'EUR', 'draft', '2024-04-20', null, 30),
    (22, 'gus', 'fresh', null, 'EUR', 'draft', '2024-04-27', null, 5),
    (23, 'ann', 'credit', null, 'EUR', 'paid', '2024-04-02', null, -12),
    (24, 'ben', 'free', null, 'EUR', 'paid', '2024-04-03', null, 0),
    (25, 'cat', 'undone', null, 'USD', 'void', '2024-04-04', null, -3),
    (26, 'dan', 'seventies', null, 'USD', 'open', '2024-04-06', '1970-01-01', 15)
) i (line_number, customer_id, name, subscription_id, currency, status, issued_on, due_on, total);
call pipeline.refresh(null);

-- kpi.billing_health_monthly -------------------------------------------------------------------
--
-- In EUR, 1 USD being 0.80. March: 100.04 + 90 + 40 + 60 are paid, 70 and 8 are open. April:
-- 100.04 and 12 are open.
select results_eq(
    $$
    select
        h.month, h.invoices, h.invoices_billed, h.invoices_paid, h.invoices_open, h.invoices_late, h.invoices_uncollectible,
        h.invoices_void, h.invoices_draft, h.invoices_credited, h.invoices_free, h.is_whole
    from kpi.billing_health_monthly h
    $$,
    $$
    values
    (date '2024-01-01', 5::bigint, 5::bigint, 5::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, true),
    ('2024-02-01', 5, 5, 5, 0, 0, 0, 0, 0, 0, 0, true),
    ('2024-03-01', 7, 6, 4, 2, 1, 0, 1, 0, 0, 0, true),
    ('2024-04-01', 8, 3, 0, 2, 0, 1, 1, 2, 1, 1, true)
    $$,
    'billing_health_monthly counts what became of invoices'
);
select results_eq(
    $$
    select h.month, h.billed, h.paid, h.open, h.late, h.uncollectible, h.void, h.draft, h.credited
    from kpi.billing_health_monthly h
    $$,
    $$
    values
    (date '2024-01-01', 250.00, 250.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00),
    ('2024-02-01', 1470.00, 1470.00, 0, 0, 0, 0, 0, 0),
    ('2024-03-01', 368.04, 290.04, 78.00, 70.00, 0, 70.00, 0, 0),
    ('2024-04-01', 137.04, 0, 112.04, 0, 25.00, 0, 35.00, -12.00)
    $$,
    'its amounts are in the reporting currency; a due date in 1970 is none'
);
select results_eq(
    $$
    select
        h.month, round(h.paid_share, 6), round(h.open_share, 6), round(h.late_share, 6), round(h.uncollectible_share, 6),
        round(h.void_share, 6), round(h.draft_share, 6)
    from kpi.billing_health_monthly h
    where h.month >= '2024-03-01'
    $$,
    $$
    values
    (date '2024-03-01', 0.788067, 0.211933, 0.190197, 0.000000, 0.159803, 0.000000),  -- 290.04, 78, 70 / 368.04; 70 / 438.04
    ('2024-04-01', 0.000000, 0.817572, 0.000000, 0.182428, 0.000000, 0.203441)  -- 112.04, 25 / 137.04; 35 / 172.04
    $$,
    'its shares are those of what was billed'
);
select results_eq(
    $$
    select
        count(*),
        count(*) filter (where h.paid_share + h.open_share + h.uncollectible_share between 1 - 1e-15 and 1 + 1e-15),
        count(*) filter (where h.billed = h.paid + h.open + h.uncollectible),
        count(*) filter (
            where h.invoices = h.invoices_billed + h.invoices_void + h.invoices_draft + h.invoices_credited + h.invoices_free
                and h.invoices_billed = h.invoices_paid + h.invoices_open + h.invoices_uncollectible
        ),
        (select count(*) from kpi.invoice_fate f) = sum(h.invoices)
    from kpi.billing_health_monthly h
    $$,
    $$ values (4::bigint, 4::bigint, 4::bigint, 4::bigint, true) $$,
    'every invoice has one place, and the shares of what was billed add up to 1'
);

-- kpi.never_paid -------------------------------------------------------------------------------

select results_eq(
    $$
    select
        n.customer_id, n.name, n.mrr, round(n.share, 6), n.open, n.draft, n.uncollectible, n.invoices_open, n.since,
        n.may_have_paid_before
    from kpi.never_paid n
    $$,
    $$
    values ('gus' collate "C", 'gus' collate "C", 30.00, 0.107128, 70.00, 35.00, 25.00, 1::bigint, date '2024-04-20', false)
    $$,  -- 30 / 280.04
    'never_paid lists who has MRR and no paid invoice'
);
-- Whoever paid once is not there, however much is open: ann owes all of her 100.04.
update raw.invoice set status = 'open' where invoice_id = 'in_eve_1';
call pipeline.refresh(null);
select results_eq(
    $$ select n.customer_id, n.mrr, n.open from kpi.never_paid n $$,
    $$ values ('eve' collate "C", 100.00, 1200.00), ('gus', 30.00, 70.00) $$,
    'never_paid has the largest MRR first'
);
-- An invoice over nothing is marked as paid, and is no payment.
savepoint before_free;
insert into raw.invoice (customer_id, invoice_id, batch_id, currency, status, issued_at, total)
values ('gus', 'in_gus_free', 1, 'EUR', 'paid', '2024-04-21 00:00 UTC', 0);
call pipeline.refresh('{gus}');
select results_eq(
    $$ select n.customer_id from kpi.never_paid n $$,
    $$ values ('eve' collate "C"), ('gus') $$,
    'who was billed nothing has not paid'
);
rollback to before_free;
update raw.customer set payment_count = 2 where customer_id = 'gus';
update meta.batch set is_truncated = true;
call pipeline.rebuild();
select results_eq(
    $$ select n.customer_id, n.may_have_paid_before from kpi.never_paid n $$,
    $$ values ('eve' collate "C", true) $$,
    'a payment that the source counts is one; where it counts none, a truncated history may hide it'
);
update raw.customer set payment_count = 0 where customer_id = 'eve';
select results_eq(
    $$ select n.customer_id, n.may_have_paid_before from kpi.never_paid n $$,
    $$ values ('eve' collate "C", false) $$,
    'where it counts 0, nothing was paid before either'
);
update meta.batch set is_truncated = false;
call pipeline.rebuild();

-- kpi.stale_drafts -----------------------------------------------------------------------------

select results_eq(
    $$
    select
        d.invoice_id, d.customer_id, d.name, d.subscription_id, d.issued_on, d.age_days, d.currency, d.total, d.mrr, d.batch_id,
        d.line_number
    from kpi.stale_drafts d
    $$,
    $$
    values (
        'in_forgotten' collate "C", 'gus' collate "C", 'gus' collate "C", 'sub_gus' collate "C", date '2024-04-20', 10,
        'EUR' collate "C", 30.00, 30.00, 1::bigint, 21::bigint
    )
    $$,
    'stale_drafts lists drafts more than three days old, with the MRR that rests on them'
);
update raw.invoice set issued_at = issued_at - interval '1 second' where invoice_id = 'in_fresh';
select results_eq(
    $$ select d.invoice_id, d.age_days, d.mrr from kpi.stale_drafts d $$,
    $$ values ('in_forgotten' collate "C", 10, 30.00), ('in_fresh', 4, 0.00) $$,
    'on the fourth day a draft is stale; a one-off carries no MRR'
);

-- kpi.possible_replacements --------------------------------------------------------------------

select results_eq(
    $$
    select
        p.invoice_id, p.customer_id, p.issued_on, p.status, p.currency, p.total, p.net, p.replaced_invoice_id,
        p.replaced_subscription_id, p.replaced_issued_on, p.replaced_status, p.replaced_total, p.is_same_total, p.days_after
    from kpi.possible_replacements p
    $$,
    $$
    values
    (
        'in_fresh' collate "C", 'gus' collate "C", date '2024-04-26', 'draft' collate "C", 'EUR' collate "C", 5.00, 5.00,
        'in_lost' collate "C", 'sub_gus' collate "C", date '2024-04-05', 'uncollectible' collate "C", 25.00, false, 21
    ),
    ('in_again', 'gus', '2024-03-12', 'open', 'EUR', 70.00, 70.00, 'in_void', 'sub_gus', '2024-03-10', 'void', 70.00, true, 2),
    ('in_again', 'gus', '2024-03-12', 'open', 'EUR', 70.00, 70.00, 'in_lost', 'sub_gus', '2024-04-05', 'uncollectible', 25.00, false, -24)
    $$,
    'possible_replacements pairs one-offs with void and uncollectible invoices within 31 days'
);
select results_eq(
    $$
    select count(distinct p.invoice_id), (select count(*) from kpi.one_off_revenue r where r.is_possible_replacement)
    from kpi.possible_replacements p
    $$,
    $$ values (2::bigint, 2::bigint) $$,
    'its one-offs are those that one_off_revenue marks'
);
savepoint before_dollars;
update raw.invoice set currency = 'USD' where invoice_id = 'in_again';
select results_eq(
    $$ select p.currency, p.total, p.replaced_currency, p.replaced_total, p.is_same_total from kpi.possible_replacements p where p.replaced_invoice_id = 'in_void' $$,
    $$ values ('USD' collate "C", 70.00, 'EUR' collate "C", 70.00, false) $$,
    '70 dollars are not the same total as 70 euros'
);
rollback to before_dollars;

-- Currencies, and months without billing ---------------------------------------------------------
--
-- Only a one-off in USD is left: the company bills in USD, and reports in it.
delete from raw.invoice where invoice_id not in ('in_seventies', 'in_undone');
call pipeline.rebuild();
select results_eq(
    $$ select h.month, h.billed, h.open, h.void, h.invoices, h.paid_share, h.void_share from kpi.billing_health_monthly h $$,
    $$ values (date '2024-04-01', 15.00, 15.00, 0.00, 2::bigint, 0.0, 0.0) $$,
    'the only currency that is billed is the reporting currency, although nothing recurs in it'
);
update raw.invoice set status = 'draft' where invoice_id = 'in_seventies';
call pipeline.rebuild();
select results_eq(
    $$ select h.billed, h.draft, h.paid_share, h.open_share, h.late_share, h.uncollectible_share, h.void_share, h.draft_share from kpi.billing_health_monthly h $$,
    $$ values (0.0, 15.00, null::numeric, null::numeric, null::numeric, null::numeric, null::numeric, 1.0) $$,
    'where nothing was billed, its shares are NULL'
);

select * from finish();
rollback;
