-- Who carries the revenue on a day.
begin;
select plan(13);

\ir companies/complete.sql

-- Of 350 on 02-29: ann 100, eve 100, ben 90, cat 40, fay 20.
select results_eq(
    $$
    select
        b.rank, b.customer_id, b.name, b.mrr, round(b.share, 6), round(b.cumulative_share, 6), b.unpaid, b.customer_since
    from kpi.biggest_customers('2024-02-29') b
    $$,
    $$
    values
    (1::bigint, 'ann', 'Ann & Co', 100.00, 0.285714, 0.285714, 0.00, date '2024-01-01'),
    (2, 'eve', 'eve', 100.00, 0.285714, 0.571429, 0, '2024-02-15'),
    (3, 'ben', 'Ben Ltd', 90.00, 0.257143, 0.828571, 0, '2024-01-01'),
    (4, 'cat', 'cat', 40.00, 0.114286, 0.942857, 0, '2024-01-01'),
    (5, 'fay', 'fay', 20.00, 0.057143, 1.000000, 0, '2024-01-10')
    $$,
    'biggest_customers orders by MRR, ties by id, and leaves out who pays nothing that day'
);
-- Of 250.04 on 04-30, 100.04 from an open invoice. dan was gone in February.
select results_eq(
    $$ select b.customer_id, b.mrr, b.unpaid, b.customer_since from kpi.biggest_customers() b $$,
    $$
    values
    ('ann', 100.04, 100.04, date '2024-01-01'), ('eve', 100.00, 0.00, '2024-02-15'), ('dan', 30.00, 0, '2024-01-01'),
    ('cat', 20.00, 0, '2024-01-01')
    $$,
    'biggest_customers without a day is about the last covered one, and shows what is unpaid'
);
-- Shares are of the whole company, not of those shown: 100 / 350 and 200 / 350.
select results_eq(
    $$
    select b.customer_id, round(b.share, 6), round(b.cumulative_share, 6)
    from kpi.biggest_customers('2024-02-29', 2) b
    $$,
    $$ values ('ann', 0.285714, 0.285714), ('eve', 0.285714, 0.571429) $$,
    'biggest_customers shows as many as asked for, with their shares of the whole company'
);
select results_eq(
    $$
    select
        (select count(*) from kpi.biggest_customers('2024-02-29', 0) b),
        (select count(*) from kpi.biggest_customers('2024-02-29', -1) b),
        (select count(*) from kpi.biggest_customers('2024-02-29', 1000) b),
        (select count(*) from kpi.biggest_customers('2024-02-29', null) b)
    $$,
    $$ values (0::bigint, 0::bigint, 5::bigint, 5::bigint) $$,
    'biggest_customers shows none for 0, and all where the limit is NULL'
);
select is_empty(
    $$
    select b.rank from kpi.biggest_customers('2023-12-31') b
    union all
    select b.rank from kpi.biggest_customers('2024-05-01') b
    $$,
    'biggest_customers has no row outside coverage'
);
-- All seven are known; gus never paid; ben and fay have left.
select results_eq(
    $$ select c.known, c.ever_with_mrr, c.with_mrr, c.counted_on from kpi.customer_count c $$,
    $$ values (7::bigint, 6::bigint, 4::bigint, date '2024-04-30') $$,
    'customer_count tells acquired, paying and present customers apart'
);
-- On 03-31 dan is back and fay ahead of cat; on 02-29 the order was ann, eve, ben, cat, fay.
select results_eq(
    $$ select b.rank, b.customer_id, b.rank_before, b.rank_change from kpi.biggest_customers('2024-03-31') b $$,
    $$
    values
    (1::bigint, 'ann', 1::bigint, 0::bigint), (2, 'eve', 2, 0), (3, 'ben', 3, 0), (4, 'dan', null, null), (5, 'fay', 5, 0),
    (6, 'cat', 4, -2)
    $$,
    'biggest_customers tells how many places a customer rose or fell in a month'
);
select results_eq(
    $$ select count(*), count(b.rank_before) from kpi.biggest_customers('2024-01-31') b $$,
    $$ values (5::bigint, 0::bigint) $$,
    'where the day a month earlier is not covered, no rank is known'
);
-- A credit of 30 for ann, from the middle of April to its end, is worth 60 a month:
-- of her 40.04, at most 40.04 are unpaid.
insert into raw.invoice (
    customer_id, invoice_id, batch_id, subscription_id, currency, status, issued_at, period_start, period_end,
    line_period_start, line_period_end, total
)
values (
    'ann', 'in_ann_credit', 1, 'sub_ann_EUR', 'EUR', 'paid', '2024-04-16 00:00 UTC', '2024-04-01 00:00 UTC',
    '2024-04-16 00:00 UTC', '2024-04-16 00:00 UTC', '2024-05-01 00:00 UTC', -3000
);
-- cat did not pay for February.
update raw.invoice set status = 'open' where invoice_id = 'in_cat_2USD';
call pipeline.refresh('{ann,cat}');

select results_eq(
    $$ select b.customer_id, b.mrr, b.unpaid from kpi.biggest_customers('2024-04-30') b where b.unpaid <> 0 $$,
    $$ values ('ann', 40.04, 40.04) $$,
    'what is unpaid of a customer''s MRR is never more than the MRR'
);

-- Identities -----------------------------------------------------------------------------
-- With a rate that leaves fractions without end, every figure must still add up exactly.

update meta.exchange_rate set per_euro = 1.0411;
call pipeline.update_currencies();

-- January 9 x 4 + 22 x 5 customers, February 14 x 4 + 15 x 5, March 31 x 6, April 9 x 5 + 21 x 4.
create temp table ranked as
select d.day, d.closing, d.unpaid as unpaid_of_all, d.customers, b.*
from kpi.mrr_daily d
cross join lateral kpi.biggest_customers(d.day, null) b;

select results_eq(
    $$ select count(*), count(*) filter (where r.mrr = kpi.mrr_at(r.customer_id, r.day)) from ranked r $$,
    $$ values (592::bigint, 592::bigint) $$,
    'the MRR of biggest_customers is that of mrr_at, for every customer and day'
);
select results_eq(
    $$
    select
        count(*),
        count(*) filter (where t.mrr = t.closing),
        count(*) filter (where t.unpaid = t.unpaid_of_all),
        count(*) filter (where t.found = t.customers),
        count(*) filter (where round(t.share, 15) = 1 and t.last_cumulative_share = 1)
    from (
        select
            r.day,
            r.closing,
            r.unpaid_of_all,
            r.customers,
            sum(r.mrr) as mrr,
            sum(r.unpaid) as unpaid,
            count(*) as found,
            sum(r.share) as share,
            max(r.cumulative_share) as last_cumulative_share
        from ranked r
        group by r.day, r.closing, r.unpaid_of_all, r.customers
    ) t
    $$,
    $$ values (121::bigint, 121::bigint, 121::bigint, 121::bigint, 121::bigint) $$,
    'on every day, biggest_customers adds up to the MRR, its unpaid part and the customers of mrr_daily'
);
select results_eq(
    $$
    select count(*), count(*) filter (where r.rank = r.place and r.mrr <= r.mrr_before)
    from (
        select
            b.rank,
            b.mrr,
            row_number() over (partition by b.day order by b.mrr desc, b.customer_id) as place,
            lag(b.mrr, 1, 'infinity') over (partition by b.day order by b.rank) as mrr_before
        from ranked b
    ) r
    $$,
    $$ values (592::bigint, 592::bigint) $$,
    'the ranks of a day count from 1 without gaps, the largest MRR first'
);
select results_eq(
    $$
    select count(*), count(*) filter (where r.customer_since = f.first_on)
    from ranked r
    join (select l.customer_id, min(l.effective_on) as first_on from kpi.ledger l group by l.customer_id) f
        on f.customer_id = r.customer_id
    $$,
    $$ values (592::bigint, 592::bigint) $$,
    'a customer is one since the first day of its first charge'
);

select * from finish();
rollback;
