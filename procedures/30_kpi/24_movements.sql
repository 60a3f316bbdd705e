-- Which customers changed their MRR in a range of days, and how? Rule R10.
--
-- One row a customer, currency and day, in the reporting currency, clipped to coverage.
-- Their sums by day and kind are those of kpi.mrr_daily. NULL bounds are those of
-- coverage. Error MR006 where the range is upside down.
create or replace function kpi.movements(p_from date default null, p_to date default null)
returns table (
    effective_on date,
    customer_id text,
    name text,
    kind text,
    change numeric,
    mrr_after numeric,
    currency text,
    change_in_currency numeric
)
language sql
stable
parallel safe
begin atomic
    select
        l.effective_on,
        l.customer_id,
        u.name,
        l.kind,
        l.change * c.factor,
        l.balance * c.factor,
        l.currency,
        l.change
    from kpi.covered_range(p_from, p_to) r
    join kpi.ledger l
        on l.effective_on between r.first_on and r.last_on
    join kpi.currency c
        on c.currency = l.currency
    left join kpi.customer u
        on u.customer_id = l.customer_id
    order by l.effective_on, l.customer_id collate "C", l.currency collate "C";
end;

comment on function kpi.movements(date, date) is
    'The movements of a range of days, both included and clipped to coverage: one row a customer, currency and day, in the reporting currency. Error MR006 where the range is upside down. Example: select * from kpi.movements(''2024-02-01'', ''2024-02-29'').';
revoke all on function kpi.movements(date, date) from public;
grant execute on function kpi.movements(date, date) to pgmrr_reader, pgmrr_writer;
