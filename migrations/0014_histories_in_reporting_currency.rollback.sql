drop table ledger.history;

set local role pgmrr_owner;

create table ledger.history_cents (
    customer_id text collate "C" not null,
    currency text collate "C",
    days date[] not null,
    currencies text[] collate "C" not null,
    balances bigint[] not null,
    constraint history_pkey primary key (customer_id),
    constraint history_has_a_currency_and_a_balance_a_day check (
        cardinality(days) = cardinality(currencies) and cardinality(days) = cardinality(balances)
    ),
    constraint history_of_no_day_has_no_currency check (cardinality(days) > 0 or currency is null)
);

comment on table ledger.history_cents is 'R9: the balances of ledger.movement_cents, one row a customer, those without movements included. Kept by pipeline.keep_histories. Amounts in cents a month.';
comment on column ledger.history_cents.customer_id is 'The customer.';
comment on column ledger.history_cents.currency is 'ISO 4217 code of all balances; NULL where there are several, or none.';
comment on column ledger.history_cents.days is 'The days on which a balance changes, in order.';
comment on column ledger.history_cents.currencies is 'The currency that changes on each of them.';
comment on column ledger.history_cents.balances is 'MRR in that currency from each of them on.';

grant select, insert, update, delete on ledger.history_cents to pgmrr_writer;

reset role;
