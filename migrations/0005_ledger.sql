-- depends: 0004_current_facts_and_charges
-- The ledger: changes of MRR by customer, and their totals by day, so that
-- company-wide series never touch the customers.

set local role pgmrr_owner;

create type ledger.movement_kind as enum (
    'preexisting', 'new', 'reactivation', 'expansion', 'contraction', 'rounding', 'churn', 'unpaid'
);
comment on type ledger.movement_kind is 'R10: the kinds of movements. `unpaid` marks days on which MRR stays and only its unpaid part changes.';

create table ledger.movement_cents (
    customer_id text collate "C" not null,
    currency text collate "C" not null,
    effective_on date not null,
    kind ledger.movement_kind not null,
    customers smallint not null,
    change bigint not null,
    balance bigint not null,
    unpaid_change bigint not null,
    constraint movement_pkey primary key (customer_id, currency, effective_on) include (balance),
    constraint movement_leaves_no_negative_balance check (balance >= 0),
    constraint movement_changes_something check (change <> 0 or unpaid_change <> 0),
    constraint movement_is_unpaid_where_mrr_stays check ((kind = 'unpaid') = (change = 0)),
    constraint movement_gains_or_loses_one_customer check (customers between -1 and 1)
);

comment on table ledger.movement_cents is 'R9 and R10: one row a customer, currency and day on which the balance, or its unpaid part, changes. Kept by pipeline.refresh. Amounts in cents a month; ledger.movement shows them in units.';
comment on column ledger.movement_cents.customer_id is 'The customer.';
comment on column ledger.movement_cents.currency is 'ISO 4217 code.';
comment on column ledger.movement_cents.effective_on is 'The day, in the reporting time zone.';
comment on column ledger.movement_cents.kind is 'R10: what kind of movement it is, by the customer over all currencies.';
comment on column ledger.movement_cents.customers is '1 where the customer is gained, -1 where lost, on one row of that day; else 0.';
comment on column ledger.movement_cents.change is 'Change of MRR.';
comment on column ledger.movement_cents.balance is 'MRR after it.';
comment on column ledger.movement_cents.unpaid_change is 'Change of that part of MRR whose invoices are open or drafts.';

create table ledger.daily_change_cents (
    effective_on date not null,
    currency text collate "C" not null,
    kind ledger.movement_kind not null,
    movements bigint not null,
    customers bigint not null,
    change bigint not null,
    unpaid_change bigint not null,
    constraint daily_change_pkey primary key (effective_on, currency, kind)
);

comment on table ledger.daily_change_cents is 'Totals of the movements: one row a day, currency and kind. Kept by pipeline.refresh. Amounts in cents a month.';
comment on column ledger.daily_change_cents.effective_on is 'The day.';
comment on column ledger.daily_change_cents.currency is 'ISO 4217 code.';
comment on column ledger.daily_change_cents.kind is 'Kind of the movements.';
comment on column ledger.daily_change_cents.movements is 'How many movements.';
comment on column ledger.daily_change_cents.customers is 'Customers gained less customers lost by them; summed over currencies, each customer counts once.';
comment on column ledger.daily_change_cents.change is 'Change of MRR.';
comment on column ledger.daily_change_cents.unpaid_change is 'Change of the unpaid part of MRR.';

create table ledger.daily_term_cents (
    starts_on date not null,
    currency text collate "C" not null,
    months integer not null,
    is_renewal boolean not null,
    charges bigint not null,
    mrr bigint not null,
    constraint daily_term_pkey primary key (starts_on, currency, months, is_renewal)
);

comment on table ledger.daily_term_cents is 'Terms that begin: one row a day, currency, length of the term, and whether it renews. Kept by pipeline.refresh. Amounts in cents a month.';
comment on column ledger.daily_term_cents.starts_on is 'The day.';
comment on column ledger.daily_term_cents.currency is 'ISO 4217 code.';
comment on column ledger.daily_term_cents.months is 'Length of the term in months.';
comment on column ledger.daily_term_cents.is_renewal is 'True for renewals, false for first terms.';
comment on column ledger.daily_term_cents.charges is 'How many charges with basis term.';
comment on column ledger.daily_term_cents.mrr is 'MRR of those above 0.';

create table ledger.currency (
    currency text collate "C" not null,
    reporting_currency text collate "C" not null,
    factor numeric not null,
    constraint currency_pkey primary key (currency),
    constraint currency_factor_is_positive check (factor > 0)
);

comment on table ledger.currency is 'R13: one row a currency of the ledger, with its factor to the reporting currency. Kept by pipeline.refresh.';
comment on column ledger.currency.currency is 'ISO 4217 code.';
comment on column ledger.currency.reporting_currency is 'Currency of the reports; the same on every row.';
comment on column ledger.currency.factor is 'Units of the reporting currency for one unit.';

create view ledger.movement as
select
    m.customer_id,
    m.currency,
    m.effective_on,
    m.change * 0.01 as change,
    m.balance * 0.01 as balance,
    m.kind
from ledger.movement_cents m
where m.change <> 0;

comment on view ledger.movement is 'R9 and R10: one row a customer, currency and day on which MRR changes, in units of the currency.';
comment on column ledger.movement.customer_id is 'The customer.';
comment on column ledger.movement.currency is 'ISO 4217 code.';
comment on column ledger.movement.effective_on is 'The day, in the reporting time zone.';
comment on column ledger.movement.change is 'Change of MRR.';
comment on column ledger.movement.balance is 'MRR after it.';
comment on column ledger.movement.kind is 'Kind of the movement.';

create view ledger.daily_change as
select
    d.effective_on,
    d.currency,
    d.kind,
    d.movements,
    d.customers,
    d.change * 0.01 as change
from ledger.daily_change_cents d
where d.kind <> 'unpaid';

comment on view ledger.daily_change is 'Totals of the movements: one row a day, currency and kind, in units of the currency.';
comment on column ledger.daily_change.effective_on is 'The day.';
comment on column ledger.daily_change.currency is 'ISO 4217 code.';
comment on column ledger.daily_change.kind is 'Kind of the movements.';
comment on column ledger.daily_change.movements is 'How many movements.';
comment on column ledger.daily_change.customers is 'Customers gained less customers lost by them.';
comment on column ledger.daily_change.change is 'Change of MRR.';

grant select on ledger.movement, ledger.daily_change to pgmrr_writer;
grant select, insert, update, delete
    on ledger.movement_cents, ledger.daily_change_cents, ledger.daily_term_cents, ledger.currency
    to pgmrr_writer;

reset role;
