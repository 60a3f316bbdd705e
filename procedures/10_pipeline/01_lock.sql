-- Waits until this transaction is the only writer of the database.
--
-- Import, simulation, refresh, rebuild, settings, rates and migrations all take
-- this lock, so that facts and ledger always fit together. Readers never wait.
-- The key is the word `pgmrr` read as an integer.
--
-- Where Citus has divided the tables, what this transaction writes goes to each worker over
-- one connection: so that a later step sees there what an earlier one wrote.
create or replace function pipeline.lock()
returns void
language sql
volatile
parallel unsafe
begin atomic
    select pg_catalog.set_config('citus.multi_shard_modify_mode', 'sequential', true);
    select pg_catalog.pg_advisory_xact_lock(482804232818);
end;

comment on function pipeline.lock() is
    'Takes the writer lock of this database until the transaction ends.';
revoke all on function pipeline.lock() from public;
grant execute on function pipeline.lock() to pgmrr_writer;
