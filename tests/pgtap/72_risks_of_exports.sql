-- What could break the forecast of an export that starts in the middle of a company's life: hand-computed.
begin;
select plan(5);

\ir companies/truncated.sql

-- On 03-30 MRR is 170: leo 100, a year from 01-15 on; oda 40; max 30. In the 88 covered days annual
-- terms of 100 were renewed: 100 * 365 / 88 - 100 = 314.77 may be hidden, 185.2 % of what is known.
select results_eq(
    $$ select r.severity, r.evidence, r.mrr, round(r.share, 4), r.see from kpi.risks() r where r.risk = 'hidden annual MRR' $$,
    $$
    values (
        'high', 'Annual customers not billed yet may hide about 315 of MRR: 185.2 % of what is known.',
        314.77, 1.8516, 'kpi.coverage'
    )
    $$,
    'hidden annual MRR: one renewal of 100 in 88 days'
);
select is_empty(
    $$ select r.evidence from kpi.risks() r where r.risk = 'implied' $$,
    'all that runs on the last day has an invoice'
);

-- From 02-02 on kim's 50 were lost and max's 30 won. oda's 40, which became visible, were there before.
select results_eq(
    $$ select r.severity, r.evidence, r.mrr, r.see from kpi.risks() r where r.risk = 'shrinking' $$,
    $$
    values (
        'high', 'From 2025-02-02 on 50 of MRR was lost and 30 won; 1 new customers came.', 50.00,
        'kpi.movements(''2025-02-02'', ''2025-03-30'')'
    )
    $$,
    'shrinking: who only becomes visible is not won'
);

-- On 01-10 leo's year before is known by the renewal of 01-15 alone; kim's month is billed.
update meta.coverage
set complete_through = '2025-01-10';
select results_eq(
    $$ select r.severity, r.evidence, r.mrr, round(r.share, 4), r.see from kpi.risks() r where r.risk = 'implied' $$,
    $$
    values (
        'high', '66.7 % of MRR has no invoice of its own: the next renewal proves it.', 100.00, 0.6667, 'kpi.charge_running'
    )
    $$,
    'implied: 100 of 150'
);
select is(
    (select string_agg(format('%s %s %s', c.customer_id, c.basis, c.mrr), ', ' order by c.mrr) from kpi.charge_running c),
    'kim term 50.00, leo implied 100.00',
    'and kpi.charge_running says whose'
);

select * from finish();
rollback;
