drop index billing.charge_to_be_explained;
drop index billing.charge_of_no_term;
drop index raw.invoice_that_looks_wrong;
drop index raw.invoice_out_of_the_ordinary;
alter table meta.coverage drop column paying_on;
drop table ledger.cohort_month_cents;
drop table ledger.paying_cents;
