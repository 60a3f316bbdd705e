set local role pgmrr_owner;

create index charge_by_start on billing.charge_cents (customer_id, currency, starts_on) include (mrr, is_unpaid, ends_on);
create index charge_by_end on billing.charge_cents (customer_id, currency, ends_on) include (mrr, is_unpaid, starts_on);

reset role;
