drop table billing.fate_cents;
