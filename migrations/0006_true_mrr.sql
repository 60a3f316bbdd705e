-- depends: 0005_ledger
-- What a simulation knows and a real company does not: the true MRR of each customer,
-- kept beside the ledger that the rules make of the invoices, in the ledger's own form,
-- so that the two can be compared.

set local role pgmrr_owner;

create table ledger.true_mrr_cents (
    customer_id text collate "C" not null,
    currency text collate "C" not null,
    effective_on date not null,
    balance bigint not null,
    constraint true_mrr_pkey primary key (customer_id, currency, effective_on) include (balance),
    constraint true_mrr_is_not_negative check (balance >= 0)
);

comment on table ledger.true_mrr_cents is 'The true MRR of simulated customers, made from their subscriptions and not from their invoices: one row a customer, currency and day on which it changes. Empty for imported data.';
comment on column ledger.true_mrr_cents.customer_id is 'The customer.';
comment on column ledger.true_mrr_cents.currency is 'Currency of the balance.';
comment on column ledger.true_mrr_cents.effective_on is 'Day (UTC) from which the balance holds.';
comment on column ledger.true_mrr_cents.balance is 'True MRR at the end of the day and until the next change, in cents a month.';

grant select, insert, update, delete on ledger.true_mrr_cents to pgmrr_writer;

reset role;
