-- A company whose whole life is known: from 2024-01-01 to the day before its last invoice, of
-- 05-01, which is left out. Six customers pay in two currencies; gus never paid. 1 EUR = 1.25
-- USD, so 1 USD = 0.80 EUR. The reporting currency is EUR.
--
-- Every invoice is one charge of whole months. The movements, in EUR (USD in brackets):
--
--     01-01  ann +100 new     ben +60 new     cat +40 (50) new     dan +30 new
--     01-10  fay  +20 new                                     closing 250.00, 5 customers
--     02-01  ben  +30 expansion     dan -30 churn
--     02-15  eve +100 new: 1,200 for a year                   closing 350.00, 5 customers
--     03-01  ann +0.04 rounding     cat -20 (25) contraction     dan +30 reactivation
--     03-10  fay   +8 (10) expansion: a second currency, unpaid
--                                                             closing 368.04, 6 customers
--     04-01  ben  -90 churn     ann: all her 100.04 become unpaid
--     04-10  fay  -28 churn, in both currencies: 20 and 8     closing 250.04, 4 customers
insert into meta.batch (
    batch_id, kind, source, is_truncated, covered_from, first_invoice_at, last_invoice_at, files
)
values (
    1, 'import', 'stripe', false, '2024-01-01', '2024-01-01 00:00 UTC', '2024-05-01 12:00 UTC',
    '[{"role": "invoices", "name": "invoices.csv"}]'
);

insert into meta.exchange_rate (currency, per_euro, rate_on, source)
values ('USD', 1.25, '2024-04-30', 'user');

insert into raw.customer (customer_id, batch_id, is_listed, name, created_at)
values
('ann', 1, true, 'Ann & Co', '2024-01-01 00:00 UTC'),
('ben', 1, true, 'Ben Ltd', '2024-01-01 00:00 UTC'),
('cat', 1, true, null, '2024-01-01 00:00 UTC'),
('dan', 1, true, null, '2024-01-01 00:00 UTC'),
('eve', 1, true, null, '2024-02-15 00:00 UTC'),
('fay', 1, false, null, null),
('gus', 1, true, null, '2024-01-31 23:30 UTC');

insert into raw.invoice (
    customer_id, invoice_id, batch_id, line_number, subscription_id, currency, status, issued_at,
    period_start, period_end, line_period_start, line_period_end, total
)
select
    i.customer_id,
    format('in_%s_%s%s', i.customer_id, i.place, nullif(i.currency, 'EUR')),
    1,
    i.line_number,
    format('sub_%s_%s', i.customer_id, i.currency),
    i.currency,
    i.status,
    i.starts_on at time zone 'UTC',
    i.starts_on at time zone 'UTC',
    i.starts_on at time zone 'UTC',
    i.starts_on at time zone 'UTC',
    i.ends_on at time zone 'UTC',
    i.total * 100
from (
    values
    (2, 'ann', 1, 'EUR', 'paid', '2024-01-01'::timestamp, '2024-02-01'::timestamp, 100),
    (3, 'ann', 2, 'EUR', 'paid', '2024-02-01', '2024-03-01', 100),
    (4, 'ann', 3, 'EUR', 'paid', '2024-03-01', '2024-04-01', 100.04),
    (5, 'ann', 4, 'EUR', 'open', '2024-04-01', '2024-05-01', 100.04),
    (6, 'ben', 1, 'EUR', 'paid', '2024-01-01', '2024-02-01', 60),
    (7, 'ben', 2, 'EUR', 'paid', '2024-02-01', '2024-03-01', 90),
    (8, 'ben', 3, 'EUR', 'paid', '2024-03-01', '2024-04-01', 90),
    (9, 'cat', 1, 'USD', 'paid', '2024-01-01', '2024-02-01', 50),
    (10, 'cat', 2, 'USD', 'paid', '2024-02-01', '2024-03-01', 50),
    (11, 'cat', 3, 'USD', 'paid', '2024-03-01', '2024-05-01', 50),
    (12, 'dan', 1, 'EUR', 'paid', '2024-01-01', '2024-02-01', 30),
    (13, 'dan', 2, 'EUR', 'paid', '2024-03-01', '2024-05-01', 60),
    (14, 'eve', 1, 'EUR', 'paid', '2024-02-15', '2025-02-15', 1200),
    (15, 'fay', 1, 'EUR', 'paid', '2024-01-10', '2024-02-10', 20),
    (16, 'fay', 2, 'EUR', 'paid', '2024-02-10', '2024-04-10', 40),
    (17, 'fay', 2, 'USD', 'open', '2024-03-10', '2024-04-10', 10)
) i (line_number, customer_id, place, currency, status, starts_on, ends_on, total);

call pipeline.refresh(null);
