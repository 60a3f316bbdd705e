-- How many invoices met which fate? Rules R1 and R2.
--
-- One row a fate, detail and currency: what kpi.invoice_fate says of each invoice, counted, as
-- the refresh keeps it for each customer.
create or replace view kpi.invoice_fates as
select
    m.fate,
    m.detail,
    m.currency,
    sum(m.invoices)::bigint as invoices,
    sum(m.total) * 0.01 as total
from (
    select
        f.fate,
        case
            when f.fate = 'not counted' then k.status
            else k.became
        end as detail,
        k.currency,
        k.invoices,
        k.total
    from (
        select
            c.status,
            c.became,
            c.currency,
            sum(c.invoices) as invoices,
            sum(c.total) as total
        from billing.fate_cents c
        group by c.status, c.became, c.currency
    ) k
    cross join meta.setting s
    cross join lateral (
        select case
            when k.status <> all(s.counted_statuses) then 'not counted'
            when k.became in ('no subscription', 'no service period', 'empty service period') then 'one-off'
            else 'charge'
        end as fate
    ) f
) m
group by m.fate, m.detail, m.currency;

comment on view kpi.invoice_fates is 'R1 and R2: what became of the invoices, one row a fate, detail and currency, in that currency.';
comment on column kpi.invoice_fates.fate is 'charge, one-off or not counted.';
comment on column kpi.invoice_fates.detail is 'Basis of the charges (term, proration, days, listed), or why there are none.';
comment on column kpi.invoice_fates.currency is 'ISO 4217 code.';
comment on column kpi.invoice_fates.invoices is 'How many invoices.';
comment on column kpi.invoice_fates.total is 'Sum of what they were billed, with taxes.';
grant select on kpi.invoice_fates to pgmrr_reader, pgmrr_writer;
