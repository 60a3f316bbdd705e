-- depends: 0013_fates_by_customer
-- One-offs, and invoices that are not paid, each by an index of their own: a reader of the one
-- came by twice as many of the other.

set local role pgmrr_owner;

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

reset role;
