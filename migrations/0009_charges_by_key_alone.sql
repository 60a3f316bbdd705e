-- depends: 0008_setting_changes
-- Charges are found by their key, which begins with the customer, or read as a whole. The
-- two further indexes, by start and by end, took as long to keep as everything else that
-- a rebuild writes, and no query needs them: the ledger adds the days up by hash.

set local role pgmrr_owner;

-- squawk-ignore require-concurrent-index-deletion
drop index billing.charge_by_start;
-- squawk-ignore require-concurrent-index-deletion
drop index billing.charge_by_end;

reset role;
