-- depends: 0010_reads
-- What a look-up of a customer's MRR needs, in two rows: the customer's history, and what
-- is known of the whole company. A history holds MRR as it is asked for, in the reporting
-- currency: preparing the arithmetic of a look-up took longer than finding its row.

set local role pgmrr_owner;

create table ledger.history (
    customer_id text collate "C" not null,
    days date[] not null,
    mrr numeric[] not null,
    constraint history_pkey primary key (customer_id),
    constraint history_has_mrr_for_each_day check (cardinality(days) = cardinality(mrr)),
    constraint history_begins_before_all_days check (days[1] = '0001-01-01')
);

comment on table ledger.history is 'R9 and R13: MRR by ledger.movement_cents in the reporting currency, one row a customer, those without movements included. Kept by pipeline.keep_histories.';
comment on column ledger.history.customer_id is 'The customer.';
comment on column ledger.history.days is 'The days on which MRR changes, in order, behind 0001-01-01.';
comment on column ledger.history.mrr is 'MRR from each of them on, a month, in the reporting currency; 0 from 0001-01-01 on.';

alter table meta.coverage add column factors jsonb not null default '{}';
comment on column meta.coverage.factors is 'R13: an object that gives each currency of the ledger its factor to the reporting currency, as ledger.currency does.';

grant select, insert, update, delete on ledger.history to pgmrr_writer;

reset role;
