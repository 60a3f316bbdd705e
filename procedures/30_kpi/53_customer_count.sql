-- How many customers are there? One row.
--
-- Acquired and paying are two figures: who signed up and never paid is known, but never
-- had MRR. The refresh keeps who arrived in each month (kpi.cohort_month).
create or replace view kpi.customer_count as
select
    (select count(*) from kpi.customer) as known,
    coalesce(
        (select sum(m.arrived) from kpi.cohort_month m)::bigint,
        (
            select count(distinct l.customer_id)
            from kpi.ledger l
            where l.effective_on <= (select k.complete_through from kpi.coverage k)
        )
    ) as ever_with_mrr,
    (
        select coalesce(sum(d.customers), 0)::bigint
        from kpi.daily_change d
        where d.effective_on <= v.complete_through
    ) as with_mrr,
    v.complete_through as counted_on
from kpi.coverage v;

comment on view kpi.customer_count is 'How many customers there are, one row: known (acquired), ever with MRR (paying), and with MRR on the last covered day.';
comment on column kpi.customer_count.known is 'Customers known, those who never paid included.';
comment on column kpi.customer_count.ever_with_mrr is 'Customers who had MRR above 0 at any time until the last covered day.';
comment on column kpi.customer_count.with_mrr is 'Customers with MRR above 0 on the last covered day.';
comment on column kpi.customer_count.counted_on is 'The last covered day.';
grant select on kpi.customer_count to pgmrr_reader, pgmrr_writer;
