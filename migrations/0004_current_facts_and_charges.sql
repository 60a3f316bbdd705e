-- depends: 0003_versions_of_facts
-- The current facts, as views with amounts in units of the currency; the charges
-- made from them; and sessions.

set local role pgmrr_owner;

create view billing.customer as
select
    c.customer_id,
    c.name,
    c.created_at,
    c.payment_count,
    c.total_spend * 0.01 as total_spend,
    c.attributes,
    c.is_listed,
    c.batch_id,
    c.line_number
from raw.customer c
where c.superseded_by is null;

comment on view billing.customer is 'Current customers: one row a customer.';
comment on column billing.customer.customer_id is 'The customer.';
comment on column billing.customer.name is 'Name, where the source has one.';
comment on column billing.customer.created_at is 'When the customer was created.';
comment on column billing.customer.payment_count is 'Payments that the source counts over the customer''s whole life.';
comment on column billing.customer.total_spend is 'Spend over the customer''s whole life as the source counts it.';
comment on column billing.customer.attributes is 'Every further column of the source, by its name.';
comment on column billing.customer.is_listed is 'False for a customer known from invoices alone.';
comment on column billing.customer.batch_id is 'The batch that brought this version.';
comment on column billing.customer.line_number is 'Line of the file.';

create view billing.invoice as
select
    i.invoice_id,
    i.of_invoice_id,
    i.customer_id,
    i.subscription_id,
    i.currency,
    i.status,
    i.issued_at,
    i.due_at,
    i.finalized_at,
    i.paid_at,
    i.voided_at,
    i.uncollectible_at,
    i.period_start,
    i.period_end,
    i.line_period_start,
    i.line_period_end,
    i.subtotal * 0.01 as subtotal,
    i.discount * 0.01 as discount,
    i.tax * 0.01 as tax,
    i.exclusive_tax * 0.01 as exclusive_tax,
    i.inclusive_tax * 0.01 as inclusive_tax,
    i.total * 0.01 as total,
    i.monthly * 0.01 as monthly,
    i.amount_due * 0.01 as amount_due,
    i.amount_paid * 0.01 as amount_paid,
    i.starting_balance * 0.01 as starting_balance,
    i.ending_balance * 0.01 as ending_balance,
    i.tax_percent,
    i.coupons,
    i.batch_id,
    i.line_number
from raw.invoice i
where i.superseded_by is null;

comment on view billing.invoice is 'Current invoices, or their lines where the source has lines: one row an invoice or line. Amounts in units of its currency.';
comment on column billing.invoice.invoice_id is 'The invoice; of a line, the line''s own id.';
comment on column billing.invoice.of_invoice_id is 'The invoice that this row is a line of; NULL where the row is an invoice as a whole.';
comment on column billing.invoice.customer_id is 'The customer billed.';
comment on column billing.invoice.subscription_id is 'The subscription billed; NULL for a one-off.';
comment on column billing.invoice.currency is 'ISO 4217 code.';
comment on column billing.invoice.status is 'paid, open, draft, void or uncollectible.';
comment on column billing.invoice.issued_at is 'Date of the invoice.';
comment on column billing.invoice.due_at is 'When payment is due.';
comment on column billing.invoice.finalized_at is 'When the draft was finalized.';
comment on column billing.invoice.paid_at is 'When it was paid.';
comment on column billing.invoice.voided_at is 'When it was voided.';
comment on column billing.invoice.uncollectible_at is 'When it was marked uncollectible.';
comment on column billing.invoice.period_start is 'Start of the invoice''s own period.';
comment on column billing.invoice.period_end is 'End of the invoice''s own period.';
comment on column billing.invoice.line_period_start is 'Earliest start of service among its line items.';
comment on column billing.invoice.line_period_end is 'Latest end of service among its line items.';
comment on column billing.invoice.subtotal is 'Subtotal.';
comment on column billing.invoice.discount is 'Total discount; already taken off the total.';
comment on column billing.invoice.tax is 'Tax, where the source has only one figure.';
comment on column billing.invoice.exclusive_tax is 'Tax on top of the prices.';
comment on column billing.invoice.inclusive_tax is 'Tax within the prices.';
comment on column billing.invoice.total is 'Total after discounts, taxes included.';
comment on column billing.invoice.monthly is 'Amount a month, where the source states it.';
comment on column billing.invoice.amount_due is 'Amount due.';
comment on column billing.invoice.amount_paid is 'Amount paid.';
comment on column billing.invoice.starting_balance is 'Customer''s credit balance before.';
comment on column billing.invoice.ending_balance is 'Customer''s credit balance after.';
comment on column billing.invoice.tax_percent is 'Rate of tax, in percent.';
comment on column billing.invoice.coupons is 'Coupons applied, as the source names them.';
comment on column billing.invoice.batch_id is 'The batch that brought this version.';
comment on column billing.invoice.line_number is 'Line of the file.';

create view billing.subscription as
select
    i.customer_id,
    i.subscription_id,
    i.currency,
    min(i.issued_at) as first_invoiced_at,
    max(i.issued_at) as last_invoiced_at,
    count(*) as invoices
from raw.invoice i
where i.superseded_by is null
    and i.subscription_id is not null
group by i.customer_id, i.subscription_id, i.currency;

comment on view billing.subscription is 'Subscriptions as their invoices show them: one row a subscription and currency.';
comment on column billing.subscription.customer_id is 'The customer.';
comment on column billing.subscription.subscription_id is 'The subscription.';
comment on column billing.subscription.currency is 'Currency it is billed in.';
comment on column billing.subscription.first_invoiced_at is 'Date of its first invoice that is known.';
comment on column billing.subscription.last_invoiced_at is 'Date of its last invoice that is known.';
comment on column billing.subscription.invoices is 'How many of its invoices are known.';

create type billing.charge_basis as enum ('term', 'proration', 'days', 'implied', 'listed');
comment on type billing.charge_basis is 'R6 and R8: how a charge''s MRR was found; `listed` where the source states it a month.';

create table billing.charge_cents (
    customer_id text collate "C" not null,
    invoice_id text collate "C" not null,
    subscription_id text collate "C" not null,
    currency text collate "C" not null,
    basis billing.charge_basis not null,
    is_unpaid boolean not null,
    is_renewal boolean not null,
    carries_arrears boolean not null,
    months integer,
    starts_on date not null,
    ends_on date not null,
    issued_at timestamptz not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    billed_until timestamptz not null,
    net bigint,
    amount bigint,
    mrr bigint not null,
    unmatched bigint not null,
    constraint charge_pkey primary key (customer_id, invoice_id, basis),
    constraint charge_ends_after_it_starts check (ends_at >= starts_at and billed_until >= ends_at),
    constraint charge_has_whole_months_where_it_is_a_term check (basis <> 'term' or months >= 1),
    constraint charge_leaves_no_negative_rest check (unmatched >= 0)
);

create index charge_by_start on billing.charge_cents (customer_id, currency, starts_on) include (mrr, is_unpaid, ends_on);
create index charge_by_end on billing.charge_cents (customer_id, currency, ends_on) include (mrr, is_unpaid, starts_on);

comment on table billing.charge_cents is 'Charges (R1 to R8): recurring money over a service period, one row an invoice and basis. Kept by pipeline.refresh. Amounts in cents; billing.charge shows them in units.';
comment on column billing.charge_cents.customer_id is 'The customer.';
comment on column billing.charge_cents.invoice_id is 'The invoice; for an implied charge, the renewal that proves it.';
comment on column billing.charge_cents.subscription_id is 'The subscription.';
comment on column billing.charge_cents.currency is 'ISO 4217 code.';
comment on column billing.charge_cents.basis is 'R6 and R8: term, proration, days, implied or listed.';
comment on column billing.charge_cents.is_unpaid is 'True where the invoice is open or a draft.';
comment on column billing.charge_cents.is_renewal is 'True where the invoice''s own period has a length: the customer was there before.';
comment on column billing.charge_cents.carries_arrears is 'R4: true where the invoice also carries lines in arrears.';
comment on column billing.charge_cents.months is 'Whole months: of the term, or of the cycle that a proration belongs to. NULL for days and implied.';
comment on column billing.charge_cents.starts_on is 'First day in force, in the reporting time zone.';
comment on column billing.charge_cents.ends_on is 'First day no longer in force. Where it equals starts_on, the charge is shorter than a day and has no effect.';
comment on column billing.charge_cents.issued_at is 'Date of the invoice.';
comment on column billing.charge_cents.starts_at is 'Start of service.';
comment on column billing.charge_cents.ends_at is 'End of service, however early a restart or a swap cut it (R7).';
comment on column billing.charge_cents.billed_until is 'End of service as billed.';
comment on column billing.charge_cents.net is 'R3: total less taxes, in cents. NULL for an implied charge.';
comment on column billing.charge_cents.amount is 'The money that MRR was computed from, in cents: net, and what R7 adds. NULL for an implied charge.';
comment on column billing.charge_cents.mrr is 'MRR, in cents a month; of a credit, what it really takes away.';
comment on column billing.charge_cents.unmatched is 'The rest of a credit that found nothing to take away, in cents a month.';

create view billing.charge as
select
    c.customer_id,
    c.subscription_id,
    c.currency,
    c.starts_on,
    c.ends_on,
    c.mrr * 0.01 as mrr,
    c.basis,
    c.invoice_id,
    c.months,
    c.net * 0.01 as net,
    c.amount * 0.01 as amount,
    c.unmatched * 0.01 as unmatched,
    c.is_unpaid,
    c.is_renewal,
    c.carries_arrears,
    c.issued_at,
    c.starts_at,
    c.ends_at,
    c.billed_until,
    case
        when c.ends_on <= c.starts_on then 'shorter than a day'
        when c.ends_at < c.billed_until then 'ended early by a new cycle'
        when c.carries_arrears then 'carries arrears'
    end as note
from billing.charge_cents c;

comment on view billing.charge is 'Charges (R1 to R8): one row an invoice and basis, amounts in units of the currency.';
comment on column billing.charge.customer_id is 'The customer.';
comment on column billing.charge.subscription_id is 'The subscription.';
comment on column billing.charge.currency is 'ISO 4217 code.';
comment on column billing.charge.starts_on is 'First day in force.';
comment on column billing.charge.ends_on is 'First day no longer in force.';
comment on column billing.charge.mrr is 'MRR a month; of a credit, what it really takes away.';
comment on column billing.charge.basis is 'term, proration, days, implied or listed.';
comment on column billing.charge.invoice_id is 'The invoice; for an implied charge, the renewal that proves it.';
comment on column billing.charge.months is 'Whole months of the term, or of the cycle that a proration belongs to.';
comment on column billing.charge.net is 'R3: total less taxes.';
comment on column billing.charge.amount is 'The money that MRR was computed from: net, and what R7 adds.';
comment on column billing.charge.unmatched is 'The rest of a credit that found nothing to take away, a month.';
comment on column billing.charge.is_unpaid is 'True where the invoice is open or a draft.';
comment on column billing.charge.is_renewal is 'True where the invoice''s own period has a length.';
comment on column billing.charge.carries_arrears is 'R4: true where the invoice also carries lines in arrears.';
comment on column billing.charge.issued_at is 'Date of the invoice.';
comment on column billing.charge.starts_at is 'Start of service.';
comment on column billing.charge.ends_at is 'End of service, however early a restart or a swap cut it.';
comment on column billing.charge.billed_until is 'End of service as billed.';
comment on column billing.charge.note is 'What is special about it: shorter than a day, ended early by a new cycle, carries arrears.';

create table usage.session (
    customer_id text collate "C" not null,
    session_number integer not null,
    created_at timestamptz not null,
    batch_id bigint not null,
    constraint session_pkey primary key (customer_id, session_number)
);

comment on table usage.session is 'Sessions: one row each time a customer used the product.';
comment on column usage.session.customer_id is 'The customer.';
comment on column usage.session.session_number is 'Number of the session, unique within the customer.';
comment on column usage.session.created_at is 'When the session began.';
comment on column usage.session.batch_id is 'The batch that brought it.';

grant select on billing.customer, billing.invoice, billing.subscription, billing.charge to pgmrr_writer;
grant select, insert, update, delete on billing.charge_cents, usage.session to pgmrr_writer;

reset role;
