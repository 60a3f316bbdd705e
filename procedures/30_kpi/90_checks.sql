-- What does `pgmrr doctor` check, and what is to be done where a check fails?
--
-- One row a check, in the order in which they are told. `asked_of` says where its result
-- comes from: kpi.invariants, or one of the functions pipeline.check_recomputed,
-- pipeline.check_storage and pipeline.check_privileges. Where `is_note` is true, no figure is wrong and nobody may do what
-- he should not: it is worth a look.
create or replace view kpi.checks as
select
    c.place,
    c.check_name,
    c.asked_of,
    c.is_note,
    c.meaning,
    c.hint
from (
    values
    (
        1, 'customers of invoices', 'invariants', false,
        'Each current invoice has a current customer.',
        'A row was deleted by hand: pgmrr undo and import again, or restore a backup.'
    ),
    (
        2, 'customers of the ledger', 'invariants', false,
        'Whoever has movements or sessions is a current customer.',
        'A row was deleted by hand: pgmrr undo and import again, or restore a backup.'
    ),
    (
        3, 'invoices of charges', 'invariants', false,
        'Each charge has a current invoice, of the same subscription and currency.',
        'Make the charges anew from the facts: call pipeline.rebuild().'
    ),
    (
        4, 'fates of invoices', 'invariants', false,
        'Each current invoice made exactly one charge if it counts and recurs (R1, R2), else none.',
        'Make the charges anew from the facts: call pipeline.rebuild().'
    ),
    (
        5, 'versions in order', 'invariants', false,
        'Each version of an invoice or a customer is current, or replaced by the next one, or dropped by a batch.',
        'Versions were written by hand: pgmrr undo and import again, or restore a backup.'
    ),
    (
        6, 'batches of facts', 'invariants', false,
        'The batch that brought or replaced a fact is there.',
        'A batch was deleted by hand, not by pgmrr undo: restore a backup.'
    ),
    (
        7, 'batches are whole', 'invariants', false,
        'Each import and simulation was finished, names its files, and stored as many rows as it says.',
        'Facts were written by hand: pgmrr undo and import again, or restore a backup.'
    ),
    (
        8, 'rejected rows', 'invariants', true,
        'No row of an imported file still waits to be corrected.',
        'See them with pgmrr rejected, correct them with pgmrr rejected --csv FILE, import FILE with --corrections.'
    ),
    (
        9, 'settings', 'invariants', false,
        'There is one row of settings, and the rules can follow each: a time zone that exists, a first day within coverage, a currency that reports are in.',
        'Set it again: pgmrr settings NAME VALUE.'
    ),
    (
        10, 'record of settings', 'invariants', false,
        'The last recorded change of each setting and exchange rate left the value that stands.',
        'It was changed while its trigger was switched off. Enable the triggers of meta.setting and meta.exchange_rate, and set the value again.'
    ),
    (
        11, 'exchange rates', 'invariants', false,
        'Each currency of the ledger has a factor, all of them to one reporting currency, and as the rates say (R13).',
        'Set the rate: pgmrr fx --set CUR=RATE. If there is one, call pipeline.update_currencies().'
    ),
    (
        12, 'balances', 'invariants', false,
        'Each balance of the ledger is the one before it and the change (R9).',
        'Make the ledger anew from the facts: call pipeline.rebuild().'
    ),
    (
        13, 'charges in force', 'invariants', false,
        'On the last covered day, the balance of each customer and currency is the sum of the charges in force, and not below zero (R9).',
        'Make the ledger anew from the facts: call pipeline.rebuild().'
    ),
    (
        14, 'customers gained and lost', 'invariants', false,
        'Who was gained and not lost has MRR at the end, and nobody else.',
        'Make the ledger anew from the facts: call pipeline.rebuild().'
    ),
    (
        15, 'totals by day', 'invariants', false,
        'The totals of each day, currency and kind are the sums of the ledger.',
        'Make the ledger anew from the facts: call pipeline.rebuild().'
    ),
    (
        16, 'terms by day', 'invariants', false,
        'The terms that begin on each day are those of the charges.',
        'Make the ledger anew from the facts: call pipeline.rebuild().'
    ),
    (
        17, 'customers paying', 'invariants', false,
        'What is kept of each customer on the last covered day, and counted by price, is what ledger and charges say of it.',
        'Make it anew from the facts: call pipeline.rebuild().'
    ),
    (
        18, 'cohorts by month', 'invariants', false,
        'What is kept of each cohort in each covered month is what its customers did in it, by the ledger.',
        'Make it anew from the facts: call pipeline.rebuild().'
    ),
    (
        19, 'fates by customer', 'invariants', false,
        'What is kept of the invoices of each customer is what became of them, one by one (R1, R2).',
        'Make it anew from the facts: call pipeline.rebuild().'
    ),
    (
        20, 'histories', 'invariants', false,
        'Each known customer has a history, and it tells the MRR in the reporting currency that the ledger has after each change.',
        'Make it anew from the facts: call pipeline.rebuild().'
    ),
    (
        21, 'waterfall by day', 'invariants', false,
        'Opening and all kinds make closing, each day opens as the one before closed, and MRR and customers change by what the ledger says.',
        'Make the ledger anew from the facts: call pipeline.rebuild().'
    ),
    (
        22, 'waterfall by month', 'invariants', false,
        'Opening and all kinds make closing, each month opens as the one before closed, and ends as its last day.',
        'Make the ledger anew from the facts: call pipeline.rebuild().'
    ),
    (
        23, 'coverage', 'recomputed', false,
        'The stored days on which MRR is known are those that the batches and settings give (R11).',
        'Make it anew: call pipeline.rebuild().'
    ),
    (
        24, 'charges as the rules make them', 'recomputed', false,
        'The rules (R1 to R8), evaluated again, give the charges that are stored.',
        'Make them anew from the facts: call pipeline.rebuild().'
    ),
    (
        25, 'ledger as the rules make it', 'recomputed', false,
        'The rules (R9, R10), evaluated again, give the ledger that is stored.',
        'Make it anew from the facts: call pipeline.rebuild().'
    ),
    (
        26, 'indexes, constraints, triggers', 'storage', false,
        'Each index and constraint of ours is valid, and each trigger is enabled.',
        'reindex index NAME, alter table … validate constraint NAME, or alter table … enable trigger NAME.'
    ),
    (
        27, 'server', 'storage', false,
        'PostgreSQL is of version 15 to 18, and the database is in UTF-8.',
        'Move to such a server with pg_dump and pg_restore.'
    ),
    (
        28, 'server settings', 'storage', true,
        'autovacuum, track_counts, fsync, full_page_writes and data_checksums are on; jit is off.',
        'alter system set NAME = VALUE, then select pg_reload_conf(). Checksums: pg_checksums --enable while the server is stopped.'
    ),
    (
        29, 'statistics', 'storage', true,
        'The planner knows each large table: it was analyzed, and not a fifth of it changed since.',
        'analyze TABLE; and look whether autovacuum is on.'
    ),
    (
        30, 'dead rows', 'storage', true,
        'No large table consists of dead rows by half or more.',
        'vacuum (analyze) TABLE; and look whether an old transaction holds it up: select * from pg_stat_activity order by xact_start.'
    ),
    (
        31, 'owner', 'privileges', false,
        'Every schema, table, view and routine of ours belongs to pgmrr_owner.',
        'alter … owner to pgmrr_owner. What is not ours belongs into another schema.'
    ),
    (
        32, 'roles', 'privileges', false,
        'pgmrr_owner, pgmrr_writer and pgmrr_reader exist and cannot log in, and none of them is a superuser, may make roles or databases, or is a member of a stronger one.',
        'alter role NAME nologin nosuperuser nobypassrls nocreaterole nocreatedb noreplication, or revoke the membership. Users get a role by grant pgmrr_reader to NAME.'
    ),
    (
        33, 'privileges', 'privileges', false,
        'PUBLIC may do nothing here, a reader read and call kpi alone, and a writer change data and no object.',
        'revoke what is too much. What lacks in our code comes back so: delete from meta.procedure_checksum, then pgmrr migrate.'
    )
) c (place, check_name, asked_of, is_note, meaning, hint);

comment on view kpi.checks is 'The checks of pgmrr doctor, one row each: what must hold, and what to do where it does not.';
comment on column kpi.checks.place is 'Place in the order in which they are told.';
comment on column kpi.checks.check_name is 'Name of the check.';
comment on column kpi.checks.asked_of is 'Where its result comes from: invariants (the view of that name), or recomputed, storage, privileges (functions pipeline.check_…).';
comment on column kpi.checks.is_note is 'True where a failure makes no figure wrong, and is worth a look.';
comment on column kpi.checks.meaning is 'What must hold.';
comment on column kpi.checks.hint is 'What to do where it does not.';
grant select on kpi.checks to pgmrr_reader, pgmrr_writer;
