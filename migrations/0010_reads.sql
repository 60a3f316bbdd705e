-- depends: 0009_charges_by_key_alone
-- What people wait for most, kept ready: what each customer pays on the last covered day, and
-- what became of each cohort in each month. And indexes for the few invoices and charges that a reader looks for among many.

set local role pgmrr_owner;

create table ledger.paying_cents (
    customer_id text collate "C" not null,
    currency text collate "C" not null,
    mrr bigint not null,
    unpaid bigint not null,
    by_month bigint not null,
    by_year bigint not null,
    by_other bigint not null,
    is_only_currency boolean not null,
    next_on date not null,
    constraint paying_pkey primary key (customer_id, currency),
    constraint paying_leaves_no_negative_mrr check (mrr >= 0),
    constraint paying_is_unpaid_at_most_as_a_whole check (unpaid between 0 and mrr)
);

comment on table ledger.paying_cents is 'R9 on the last covered day: one row a customer and currency of which a charge with MRR is in force that day or begins later. Kept by pipeline.refresh. Amounts in cents a month.';
comment on column ledger.paying_cents.customer_id is 'The customer.';
comment on column ledger.paying_cents.currency is 'ISO 4217 code.';
comment on column ledger.paying_cents.mrr is 'MRR: the balance of the ledger that day.';
comment on column ledger.paying_cents.unpaid is 'The part of it whose invoices are open or drafts.';
comment on column ledger.paying_cents.by_month is 'Sum of the charges in force whose term is a month.';
comment on column ledger.paying_cents.by_year is 'Sum of the charges in force whose term is a year.';
comment on column ledger.paying_cents.by_other is 'Sum of the charges in force with another term.';
comment on column ledger.paying_cents.is_only_currency is 'True where the customer has no row in another currency: its MRR is that of this row alone.';
comment on column ledger.paying_cents.next_on is 'The next day on which one of these charges begins or ends.';

alter table meta.coverage add column paying_on date;
comment on column meta.coverage.paying_on is 'The day that ledger.paying_cents and ledger.cohort_month_cents reach to: complete_through, where a day is covered.';

create table ledger.cohort_month_cents (
    cohort date not null,
    is_new boolean not null,
    month date not null,
    currency text collate "C" not null,
    customer_id text collate "C" not null,
    members bigint not null,
    arrived bigint not null,
    customers bigint not null,
    change bigint not null,
    lost bigint not null,
    net_change bigint not null,
    losses bigint not null,
    constraint cohort_month_pkey primary key (cohort, is_new, month, currency, customer_id)
);

comment on table ledger.cohort_month_cents is 'R12: what became of each cohort in each covered month, one row a cohort, month and currency, up to the last covered day; a customer with several currencies has rows of its own. Kept by pipeline.refresh. Amounts in cents a month.';
comment on column ledger.cohort_month_cents.cohort is 'The month of the first movement, by its first day.';
comment on column ledger.cohort_month_cents.is_new is 'True where that movement is of the kind new.';
comment on column ledger.cohort_month_cents.month is 'The month, by its first day; what came before coverage stands in the month before the first.';
comment on column ledger.cohort_month_cents.currency is 'ISO 4217 code.';
comment on column ledger.cohort_month_cents.customer_id is 'The customer, where it has movements in several currencies: what it keeps is judged over all of them. Else empty, for all who have one.';
comment on column ledger.cohort_month_cents.members is 'How many customers moved in this month and currency.';
comment on column ledger.cohort_month_cents.arrived is 'How many of them had their first movement in it.';
comment on column ledger.cohort_month_cents.customers is 'Customers gained less customers lost by the movements.';
comment on column ledger.cohort_month_cents.change is 'Change of MRR.';
comment on column ledger.cohort_month_cents.lost is 'Customers with MRR at the opening of the month and none at its closing.';
comment on column ledger.cohort_month_cents.net_change is 'Change of MRR of those with MRR at the opening.';
comment on column ledger.cohort_month_cents.losses is 'The same of those among them whose MRR fell.';

-- Of many invoices and charges a reader looks for the few that are not what most are. A query
-- that asks by one of these conditions finds them here; where the conditions of a view become
-- others, it reads the table instead, and is right all the same. (That a period is empty is
-- written as an equation: the planner takes those for rare, and inequalities for frequent.)
-- squawk-ignore require-concurrent-index-creation
create index invoice_out_of_the_ordinary on raw.invoice (customer_id, invoice_id)
where superseded_by is null
    and (
        status <> 'paid'
        or subscription_id is null
        or line_period_start is null
        or greatest(line_period_start, line_period_end) = line_period_start
    );

-- A name of a time zone is looked up for each row that is stored; UTC is `interval '0'`.
-- squawk-ignore require-concurrent-index-creation
create index invoice_that_looks_wrong on raw.invoice (customer_id, invoice_id)
where superseded_by is null
    and (
        status = 'draft'
        or (due_at at time zone interval '0')::date < (issued_at at time zone interval '0')::date
        or (
            exclusive_tax is null
            and inclusive_tax is null
            and subtotal - coalesce(discount, 0) + coalesce(tax, 0) <> total
        )
        or (
            (exclusive_tax is not null or inclusive_tax is not null)
            and subtotal - coalesce(discount, 0) + coalesce(exclusive_tax, 0) <> total
        )
        or total + (starting_balance - ending_balance) <> amount_due
        or (
            monthly is null
            and line_period_end < 'infinity'
            and line_period_end at time zone interval '0'
            > line_period_start at time zone interval '0' + interval '3 years'
        )
    );

-- squawk-ignore require-concurrent-index-creation
create index charge_of_no_term on billing.charge_cents (customer_id, invoice_id) include (basis) where basis <> 'term';

-- squawk-ignore require-concurrent-index-creation
create index charge_to_be_explained on billing.charge_cents (customer_id, invoice_id)
where carries_arrears
    or unmatched > 0;

grant select, insert, update, delete on ledger.paying_cents, ledger.cohort_month_cents to pgmrr_writer;

reset role;
