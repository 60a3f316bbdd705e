-- How the tables are laid over the servers of Citus: one row a table, in the order in which
-- that is done.
--
-- What grows with the customers is divided by customer, all of it in the same way: a
-- customer's rows are on one server, and every join of them is made there. What these are
-- joined with is small, and each server has a copy; and so it is with totals, those of the
-- cohorts included, which name a customer only where it has several currencies. The rest stays
-- on the coordinator: the record of settings, and the books of the migrations.
select
    r.name,
    r.is_by_customer,
    exists (select from pg_catalog.pg_dist_partition p where p.logicalrelid = r.oid) as is_done
from (
    select
        c.oid,
        n.nspname || '.' || c.relname as name,
        c.relname <> 'cohort_month_cents'
        and exists (
            select from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attname = 'customer_id'
        ) as is_by_customer
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n
        on n.oid = c.relnamespace
    where n.nspname = any (%(schemas)s)
        and c.relkind = 'r'
        and c.relowner = 'pgmrr_owner'::regrole
        -- Not the parts themselves, which have the table's name and a number.
        and c.relname !~ '_[0-9]+$'
) r
where r.is_by_customer
    or r.name like 'ledger.%%'
    or r.name in ('raw.rejected_row', 'meta.batch', 'meta.setting', 'meta.exchange_rate', 'meta.coverage')
-- The others are divided like the customers, and rejected rows refer to batches.
order by r.is_by_customer, r.name <> 'meta.batch', r.name <> 'raw.customer', r.name
