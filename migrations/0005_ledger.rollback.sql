drop view ledger.daily_change;
drop view ledger.movement;
drop table ledger.currency;
drop table ledger.daily_term_cents;
drop table ledger.daily_change_cents;
drop table ledger.movement_cents;
drop type ledger.movement_kind;
