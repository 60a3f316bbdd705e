alter table meta.coverage drop column factors;
drop table ledger.history;
