drop table usage.session;
drop view billing.charge;
drop table billing.charge_cents;
drop type billing.charge_basis;
drop view billing.subscription;
drop view billing.invoice;
drop view billing.customer;
