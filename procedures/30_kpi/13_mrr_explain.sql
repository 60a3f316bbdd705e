-- Why is a customer's MRR what it is on a day? Rules R1 to R9 and R11.
--
-- One row a charge in force on that day, in the customer's currency, with the invoice,
-- file and line it comes from. Their sum by currency, never below zero, is the MRR of
-- kpi.mrr_at. No row outside coverage.
create or replace function kpi.mrr_explain(p_customer text, p_date date)
returns table (
    subscription_id text,
    invoice_id text,
    currency text,
    mrr numeric,
    basis text,
    starts_on date,
    ends_on date,
    net numeric,
    amount numeric,
    months integer,
    status text,
    file text,
    line_number bigint,
    batch_id bigint,
    note text
)
language sql
stable
parallel safe
begin atomic
    select
        c.subscription_id,
        c.invoice_id,
        c.currency,
        c.mrr,
        c.basis,
        c.starts_on,
        c.ends_on,
        c.net,
        c.amount,
        c.months,
        c.status,
        c.file,
        c.line_number,
        c.batch_id,
        c.note
    from kpi.charge c
    join kpi.coverage v
        on p_date between v.observed_from and v.complete_through
    where c.customer_id = p_customer
        and c.starts_on <= p_date
        and (c.ends_on > p_date or c.ends_on is null)
    order by c.mrr desc, c.starts_on, c.invoice_id;
end;

comment on function kpi.mrr_explain(text, date) is
    'The charges behind a customer''s MRR on a day, one row each, in the customer''s currency, with invoice, file and line. No row outside coverage. Example: select * from kpi.mrr_explain(''abc_000001'', ''2024-06-30'').';
revoke all on function kpi.mrr_explain(text, date) from public;
grant execute on function kpi.mrr_explain(text, date) to pgmrr_reader, pgmrr_writer;
