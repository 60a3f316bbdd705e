-- depends: 0011_histories
-- A history holds MRR as it is asked for, in the reporting currency, so that a look-up
-- reads a number and computes none: preparing the arithmetic took longer than finding the row.

set local role pgmrr_owner;

-- No release has the view; where it is, the code that is loaded next makes it anew with what reads it.
drop view if exists kpi.history cascade;
drop table ledger.history_cents;

create table ledger.history (
    customer_id text collate "C" not null,
    days date[] not null,
    mrr numeric[] not null,
    constraint history_pkey primary key (customer_id),
    constraint history_has_mrr_for_each_day check (cardinality(days) = cardinality(mrr)),
    constraint history_begins_before_all_days check (days[1] = '-infinity')
);

comment on table ledger.history is 'R9 and R13: MRR by ledger.movement_cents in the reporting currency, one row a customer, those without movements included. Kept by pipeline.keep_histories.';
comment on column ledger.history.customer_id is 'The customer.';
comment on column ledger.history.days is 'The days on which MRR changes, in order, behind -infinity.';
comment on column ledger.history.mrr is 'MRR from each of them on, a month, in the reporting currency; 0 from -infinity on.';

grant select, insert, update, delete on ledger.history to pgmrr_writer;

reset role;
