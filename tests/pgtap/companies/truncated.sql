-- An export that starts in the middle of a company's life.
--
-- First invoice 2025-01-01 18:00, last one 2025-03-31 12:00: known from 01-02 to 03-30.
--
--     kim  50 a month, renewed on 01-01 and 02-01: there since 12-01, gone on 03-01
--     leo  1,200 a year, renewed on 01-15: 100 a month, there since 2024-01-15
--     max  30 a month, new on 02-10
--     oda  40 a month, renewed on 03-05: there before, but not before the export: preexisting
--     ned  20 a month, new on 03-31, the day after coverage
--
-- MRR: 150 at first; 180 from 02-10; 130 from 03-01; 170 from 03-05.
insert into meta.batch (batch_id, kind, source, is_truncated, first_invoice_at, last_invoice_at)
values (1, 'import', 'stripe', true, '2025-01-01 18:00 UTC', '2025-03-31 12:00 UTC');

insert into raw.customer (customer_id, batch_id, is_listed, created_at)
select c.customer_id, 1, true, '2023-01-01 00:00 UTC'
from unnest('{kim,leo,max,oda,ned}'::text[]) c (customer_id);

insert into raw.invoice (
    customer_id, invoice_id, batch_id, subscription_id, currency, status, issued_at, period_start, period_end,
    line_period_start, line_period_end, total, amount_paid
)
select
    i.customer_id,
    'in_' || i.customer_id || i.place,
    1,
    'sub_' || i.customer_id,
    'EUR',
    'paid',
    i.starts_at at time zone 'UTC',
    i.period_start at time zone 'UTC',
    i.starts_at at time zone 'UTC',
    i.starts_at at time zone 'UTC',
    i.ends_at at time zone 'UTC',
    i.total * 100,
    i.total * 100
from (
    values
    ('kim', 1, timestamp '2024-12-01 18:00', timestamp '2025-01-01 18:00', timestamp '2025-02-01 18:00', 50),
    ('kim', 2, '2025-01-01 18:00', '2025-02-01 18:00', '2025-03-01 18:00', 50),
    ('leo', 1, '2024-01-15 10:00', '2025-01-15 10:00', '2026-01-15 10:00', 1200),
    ('max', 1, '2025-02-10 00:00', '2025-02-10 00:00', '2025-03-10 00:00', 30),
    ('max', 2, '2025-02-10 00:00', '2025-03-10 00:00', '2025-04-10 00:00', 30),
    ('oda', 1, '2025-02-05 00:00', '2025-03-05 00:00', '2025-04-05 00:00', 40),
    ('ned', 1, '2025-03-31 12:00', '2025-03-31 12:00', '2025-04-30 12:00', 20)
) i (customer_id, place, period_start, starts_at, ends_at, total);

call pipeline.refresh(null);
