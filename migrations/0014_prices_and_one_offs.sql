-- depends: 0013_fates_by_customer
-- How many customers pay which price, kept ready: prices are few where customers are many. And
-- one-offs, and invoices that are not paid, each by an index of their own: a reader of the one
-- came by twice as many of the other.

set local role pgmrr_owner;

create table ledger.price_cents (
    currency text collate "C" not null,
    is_only_currency boolean not null,
    by_month bigint not null,
    by_year bigint not null,
    by_other bigint not null,
    mrr bigint not null,
    customers bigint not null,
    constraint price_pkey primary key (currency, is_only_currency, by_month, by_year, by_other, mrr),
    constraint price_is_above_zero check (mrr > 0)
);

comment on table ledger.price_cents is 'R9 on the last covered day: ledger.paying_cents counted, one row a currency, MRR above 0, and MRR by term. Kept by pipeline.refresh. Amounts in cents a month.';
comment on column ledger.price_cents.currency is 'ISO 4217 code.';
comment on column ledger.price_cents.is_only_currency is 'True for customers who have no row of ledger.paying_cents in another currency.';
comment on column ledger.price_cents.by_month is 'Sum of the charges in force whose term is a month.';
comment on column ledger.price_cents.by_year is 'Sum of the charges in force whose term is a year.';
comment on column ledger.price_cents.by_other is 'Sum of the charges in force with another term.';
comment on column ledger.price_cents.mrr is 'MRR: the balance of the ledger that day.';
comment on column ledger.price_cents.customers is 'How many customers.';

grant select, insert, update, delete on ledger.price_cents to pgmrr_writer;

-- Whose MRR is a sum over currencies, at rates that may be set anew, is looked at one by one.
-- squawk-ignore require-concurrent-index-creation
create index paying_in_currencies on ledger.paying_cents (customer_id) where not is_only_currency;

-- squawk-ignore require-concurrent-index-deletion
drop index raw.invoice_out_of_the_ordinary;

-- squawk-ignore require-concurrent-index-creation
create index invoice_not_paid on raw.invoice (customer_id, invoice_id)
where superseded_by is null
    and status <> 'paid';

-- (That a period is empty is written as an equation: the planner takes those for rare.)
-- squawk-ignore require-concurrent-index-creation
create index invoice_without_service on raw.invoice (customer_id, invoice_id)
where superseded_by is null
    and (
        subscription_id is null
        or line_period_start is null
        or greatest(line_period_start, line_period_end) = line_period_start
    );

-- The rule is the same. The usual currencies come first: what is asked for each row that is
-- stored should not be a regular expression.
alter table raw.invoice
-- squawk-ignore ban-drop-constraint
drop constraint invoice_currency_has_three_letters,
-- squawk-ignore constraint-missing-not-valid
add constraint invoice_currency_has_three_letters check (
    currency in ('EUR', 'USD', 'GBP') or currency ~ '^[A-Z]{3}$'
);

reset role;
