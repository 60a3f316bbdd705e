-- Batches whose facts go, go with them.
drop table raw.absent_invoice;
drop table raw.rejected_row;
drop table raw.customer;
drop table raw.invoice;

delete from meta.batch where source is not null;
update meta.coverage
set is_truncated = false,
    first_invoice_at = null,
    observed_from = null,
    complete_through = null,
    longest_term_months = null;
