-- What is a customer's MRR on a day? Rules R9, R11 and R13.
--
-- In the reporting currency, or in p_currency. 0 where the customer pays nothing that
-- day; NULL where it is unknown: outside coverage, or for an unknown customer; error MR005
-- where an exchange rate is missing. One look-up by the key of the customer, whatever the
-- number of currencies. What is computed here is little on purpose: the expression is
-- prepared anew by every call.
create or replace function kpi.mrr_at(p_customer text, p_date date, p_currency text default null)
returns numeric
language sql
stable
parallel safe
begin atomic
    select case
        when p_currency is null then h.mrr[width_bucket(p_date, h.days)]
        else kpi.mrr_in_currency(p_customer, p_date, p_currency)
    end
    from kpi.history h
    where h.customer_id = p_customer
        and p_date between h.observed_from and h.complete_through;
end;

comment on function kpi.mrr_at(text, date, text) is
    'A customer''s MRR on a day, a month, in the reporting currency or in p_currency. NULL outside coverage and for an unknown customer. Error MR005 where an exchange rate is missing. Example: select kpi.mrr_at(''abc_000001'', ''2024-06-30'').';
revoke all on function kpi.mrr_at(text, date, text) from public;
grant execute on function kpi.mrr_at(text, date, text) to pgmrr_reader, pgmrr_writer;
