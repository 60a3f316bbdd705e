-- depends: 0012_settings_on_several_nodes
-- What became of each customer's invoices, counted: what is asked of all invoices alike is
-- answered from a few rows a customer.

set local role pgmrr_owner;

create table billing.fate_cents (
    customer_id text collate "C" not null,
    currency text collate "C" not null,
    status text collate "C" not null,
    became text collate "C" not null,
    invoices bigint not null,
    above_zero bigint not null,
    total bigint not null,
    last_batch_id bigint not null,
    constraint fate_pkey primary key (customer_id, currency, status, became),
    constraint fate_is_met_by_an_invoice check (invoices > 0 and above_zero between 0 and invoices)
);

comment on table billing.fate_cents is 'R1 and R2: what became of the current invoices of each customer, one row a customer, currency, status and fate. Kept by pipeline.refresh. Amounts in cents.';
comment on column billing.fate_cents.customer_id is 'The customer.';
comment on column billing.fate_cents.currency is 'ISO 4217 code.';
comment on column billing.fate_cents.status is 'Status of the invoices.';
comment on column billing.fate_cents.became is 'Basis of the charges that they made (term, proration, days, listed), or why they made none: no subscription, no service period, empty service period, or not counted.';
comment on column billing.fate_cents.invoices is 'How many invoices.';
comment on column billing.fate_cents.above_zero is 'How many of them have a total above 0.';
comment on column billing.fate_cents.total is 'Sum of their totals, taxes included.';
comment on column billing.fate_cents.last_batch_id is 'The last batch that brought one of them.';

grant select, insert, update, delete on billing.fate_cents to pgmrr_writer;

reset role;
