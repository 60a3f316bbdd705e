-- What does a look-up of a customer's MRR need to know? Rules R9, R11 and R13.
--
-- One row a customer, those who never paid included, with the bounds of coverage on every
-- row: kpi.mrr_at reads this view alone, two rows of two tables. Each table and view that a
-- statement names costs it a lock and a check of rights, as much as finding the row.
create or replace view kpi.history as
select
    h.customer_id,
    h.days,
    h.mrr,
    v.observed_from,
    v.complete_through
from ledger.history h
cross join meta.coverage v;

comment on view kpi.history is 'R9, R11 and R13: the history of MRR in the reporting currency, one row a customer, with coverage.';
comment on column kpi.history.customer_id is 'The customer.';
comment on column kpi.history.days is 'The days on which MRR changes, in order, in the reporting time zone, behind 0001-01-01.';
comment on column kpi.history.mrr is 'MRR from each of them on, a month, in the reporting currency; 0 from 0001-01-01 on.';
comment on column kpi.history.observed_from is 'First day on which MRR is known; the same on every row.';
comment on column kpi.history.complete_through is 'Last day on which MRR is known; the same on every row.';
grant select on kpi.history to pgmrr_reader, pgmrr_writer;
