-- What is a customer's MRR on a day in a currency that was asked for? Rules R9 and R13.
--
-- The uncommon part of kpi.mrr_at: where it is not called it costs nothing. 0 before the
-- first day; error MR005 where the rate of a currency is missing that the customer had MRR
-- in by then. Asks nothing of coverage, nor whether the customer is known.
create or replace function kpi.mrr_in_currency(p_customer text, p_date date, p_currency text)
returns numeric
language sql
stable
parallel safe
begin atomic
    select coalesce(sum(b.balance * kpi.conversion(b.currency, p_currency)), 0)
    from (
        select distinct on (l.currency)
            l.currency,
            l.balance
        from kpi.balance l
        where l.customer_id = p_customer
            and l.effective_on <= p_date
        order by l.currency, l.effective_on desc
    ) b;
end;

comment on function kpi.mrr_in_currency(text, date, text) is
    'A customer''s MRR on a day by the ledger, a month, in p_currency; 0 also where it is unknown, which kpi.mrr_at tells apart. Error MR005 where an exchange rate is missing.';
revoke all on function kpi.mrr_in_currency(text, date, text) from public;
grant execute on function kpi.mrr_in_currency(text, date, text) to pgmrr_reader, pgmrr_writer;
