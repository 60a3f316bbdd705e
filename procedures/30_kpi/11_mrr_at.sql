-- What is a customer's MRR on a day? Rules R9, R11 and R13.
--
-- In the reporting currency, or in p_currency. 0 where the customer pays nothing that
-- day; NULL where it is unknown: outside coverage, or for an unknown customer; error MR005
-- where an exchange rate is missing. One descent of an index for each currency of the
-- company.
create or replace function kpi.mrr_at(p_customer text, p_date date, p_currency text default null)
returns numeric
language sql
stable
parallel safe
begin atomic
    select coalesce(
        (
            select sum(b.balance * case when p_currency is null then c.factor else kpi.conversion(c.currency, p_currency) end)
            from kpi.currency c
            cross join lateral (
                select l.balance
                from kpi.balance l
                where l.customer_id = p_customer
                    and l.currency = c.currency
                    and l.effective_on <= p_date
                order by l.effective_on desc
                limit 1
            ) b
        ),
        (select 0 from kpi.customer u where u.customer_id = p_customer)
    )
    from kpi.coverage v
    where p_date between v.observed_from and v.complete_through;
end;

comment on function kpi.mrr_at(text, date, text) is
    'A customer''s MRR on a day, a month, in the reporting currency or in p_currency. NULL outside coverage and for an unknown customer. Error MR005 where an exchange rate is missing. Example: select kpi.mrr_at(''abc_000001'', ''2024-06-30'').';
revoke all on function kpi.mrr_at(text, date, text) from public;
grant execute on function kpi.mrr_at(text, date, text) to pgmrr_reader, pgmrr_writer;
