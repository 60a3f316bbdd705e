-- depends: 0002_batches_settings_rates_coverage
-- Every version of what was read. A version is in force from its batch until the
-- batch that superseded it: the current facts are those that nothing superseded,
-- and the facts as they were known after batch N are
--     batch_id <= N and (superseded_by is null or superseded_by > N).
-- Content never changes. Amounts are integer cents, times are UTC moments, and
-- text is ordered by code point. Keys start with the customer, so that the tables
-- can be distributed by customer.
--
-- The large tables name their batch without a foreign key: a check for each row costs
-- time and buys little, since batches are numbered by pipeline.begin_batch alone.

set local role pgmrr_owner;

create table raw.invoice (
    customer_id text collate "C" not null,
    invoice_id text collate "C" not null,
    batch_id bigint not null,
    superseded_by bigint,
    line_number bigint,
    of_invoice_id text collate "C",
    subscription_id text collate "C",
    currency text collate "C" not null,
    status text collate "C" not null,
    issued_at timestamptz not null,
    due_at timestamptz,
    finalized_at timestamptz,
    paid_at timestamptz,
    voided_at timestamptz,
    uncollectible_at timestamptz,
    period_start timestamptz,
    period_end timestamptz,
    line_period_start timestamptz,
    line_period_end timestamptz,
    subtotal bigint,
    discount bigint,
    tax bigint,
    exclusive_tax bigint,
    inclusive_tax bigint,
    total bigint not null,
    monthly bigint,
    amount_due bigint,
    amount_paid bigint,
    starting_balance bigint,
    ending_balance bigint,
    tax_percent numeric,
    coupons text,
    constraint invoice_pkey primary key (customer_id, invoice_id, batch_id),
    constraint invoice_is_superseded_later check (superseded_by > batch_id),
    constraint invoice_status_is_known check (status in ('paid', 'open', 'draft', 'void', 'uncollectible')),
    constraint invoice_currency_has_three_letters check (currency ~ '^[A-Z]{3}$')
);

comment on table raw.invoice is 'Versions of invoices, or of their lines where the source has lines: one row an invoice or line and batch that brought a new or changed version of it. Amounts in cents.';
comment on column raw.invoice.customer_id is 'The customer billed.';
comment on column raw.invoice.invoice_id is 'The invoice; of a line, the line''s own id.';
comment on column raw.invoice.batch_id is 'The batch that brought this version.';
comment on column raw.invoice.superseded_by is 'The batch that replaced or dropped this version; NULL for the current version.';
comment on column raw.invoice.line_number is 'Line of the file, the header being line 1; NULL where there was no file.';
comment on column raw.invoice.of_invoice_id is 'The invoice that this row is a line of; NULL where the row is an invoice as a whole.';
comment on column raw.invoice.subscription_id is 'The subscription billed; NULL for a one-off.';
comment on column raw.invoice.currency is 'ISO 4217 code, upper case.';
comment on column raw.invoice.status is 'paid, open, draft, void or uncollectible.';
comment on column raw.invoice.issued_at is 'Date of the invoice.';
comment on column raw.invoice.due_at is 'When payment is due.';
comment on column raw.invoice.finalized_at is 'When the draft was finalized.';
comment on column raw.invoice.paid_at is 'When it was paid.';
comment on column raw.invoice.voided_at is 'When it was voided.';
comment on column raw.invoice.uncollectible_at is 'When it was marked uncollectible.';
comment on column raw.invoice.period_start is 'Start of the invoice''s own period: the cycle that ends as it is issued.';
comment on column raw.invoice.period_end is 'End of the invoice''s own period.';
comment on column raw.invoice.line_period_start is 'Earliest start of service among its line items.';
comment on column raw.invoice.line_period_end is 'Latest end of service among its line items.';
comment on column raw.invoice.subtotal is 'Subtotal, in cents.';
comment on column raw.invoice.discount is 'Total discount, in cents; already taken off the total.';
comment on column raw.invoice.tax is 'Tax, in cents, where the source has only one figure.';
comment on column raw.invoice.exclusive_tax is 'Tax on top of the prices, in cents.';
comment on column raw.invoice.inclusive_tax is 'Tax within the prices, in cents.';
comment on column raw.invoice.total is 'Total after discounts, taxes included, in cents.';
comment on column raw.invoice.monthly is 'Amount a month, in cents, where the source states it (periods); NULL where it follows from the total and the period.';
comment on column raw.invoice.amount_due is 'Amount due, in cents.';
comment on column raw.invoice.amount_paid is 'Amount paid, in cents.';
comment on column raw.invoice.starting_balance is 'Customer''s credit balance before, in cents.';
comment on column raw.invoice.ending_balance is 'Customer''s credit balance after, in cents.';
comment on column raw.invoice.tax_percent is 'Rate of tax, in percent.';
comment on column raw.invoice.coupons is 'Coupons applied, as the source names them.';

create table raw.customer (
    customer_id text collate "C" not null,
    batch_id bigint not null,
    superseded_by bigint,
    line_number bigint,
    is_listed boolean not null,
    name text,
    created_at timestamptz,
    payment_count integer,
    total_spend bigint,
    attributes jsonb not null default '{}',
    constraint customer_pkey primary key (customer_id, batch_id),
    constraint customer_is_superseded_later check (superseded_by > batch_id),
    constraint customer_attributes_are_an_object check (jsonb_typeof(attributes) = 'object')
);

comment on table raw.customer is 'Versions of customers: one row a customer and batch that brought a new or changed version.';
comment on column raw.customer.customer_id is 'The customer.';
comment on column raw.customer.batch_id is 'The batch that brought this version.';
comment on column raw.customer.superseded_by is 'The batch that replaced this version; NULL for the current version.';
comment on column raw.customer.line_number is 'Line of the file, the header being line 1; NULL where there was no file.';
comment on column raw.customer.is_listed is 'False for a customer known from invoices alone, missing from the customer file.';
comment on column raw.customer.name is 'Name, where the source has one.';
comment on column raw.customer.created_at is 'When the customer was created.';
comment on column raw.customer.payment_count is 'Payments that the source counts over the customer''s whole life.';
comment on column raw.customer.total_spend is 'Spend over the customer''s whole life as the source counts it, in cents.';
comment on column raw.customer.attributes is 'Every further column of the source, by its name.';

create table raw.rejected_row (
    batch_id bigint not null,
    file_role text not null,
    line_number bigint not null,
    column_name text,
    value text,
    reason text not null,
    content jsonb not null,
    superseded_by bigint,
    constraint rejected_row_pkey primary key (batch_id, file_role, line_number),
    constraint rejected_row_comes_from_a_batch foreign key (batch_id) references meta.batch (batch_id),
    constraint rejected_row_file_role_is_known check (file_role in ('invoices', 'customers', 'lines', 'periods'))
);

comment on table raw.rejected_row is 'Rows that could not be read: one row a rejected row of a file. The rest of the file went on.';
comment on column raw.rejected_row.batch_id is 'The import.';
comment on column raw.rejected_row.file_role is 'Which file: invoices, customers, lines or periods. Its name stands in meta.batch.files.';
comment on column raw.rejected_row.line_number is 'Line of the file, the header being line 1.';
comment on column raw.rejected_row.column_name is 'The first column that could not be read; NULL where the row as a whole could not.';
comment on column raw.rejected_row.value is 'What stood there.';
comment on column raw.rejected_row.reason is 'Why it was rejected.';
comment on column raw.rejected_row.content is 'The whole row, by column name.';
comment on column raw.rejected_row.superseded_by is 'The import that brought the row corrected; NULL while it is still missing.';

create table raw.absent_invoice (
    batch_id bigint not null,
    customer_id text collate "C" not null,
    invoice_id text collate "C" not null,
    is_dropped boolean not null,
    constraint absent_invoice_pkey primary key (batch_id, customer_id, invoice_id),
    constraint absent_invoice_is_missed_by_a_batch foreign key (batch_id) references meta.batch (batch_id)
);

comment on table raw.absent_invoice is 'Known invoices that a newer file''s date range should hold and does not (deleted drafts): one row an import and invoice.';
comment on column raw.absent_invoice.batch_id is 'The import whose file lacks the invoice.';
comment on column raw.absent_invoice.customer_id is 'The customer billed.';
comment on column raw.absent_invoice.invoice_id is 'The invoice.';
comment on column raw.absent_invoice.is_dropped is 'True where the import was told to drop such invoices.';

grant select, insert, update, delete on raw.invoice, raw.customer, raw.rejected_row, raw.absent_invoice to pgmrr_writer;

reset role;
