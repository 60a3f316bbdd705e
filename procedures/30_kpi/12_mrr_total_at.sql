-- What is the company's MRR on a day? Rules R9, R11 and R13.
--
-- In the reporting currency, or in p_currency. NULL outside coverage; error MR005 where an
-- exchange rate is missing. Adds up totals by day: it never touches the customers.
create or replace function kpi.mrr_total_at(p_date date, p_currency text default null)
returns numeric
language sql
stable
parallel safe
begin atomic
    select coalesce(
        (
            select sum(
                t.change * case when p_currency is null then c.factor else kpi.conversion(c.currency, p_currency) end
            )
            from (
                select
                    d.currency,
                    sum(d.change_in_currency) as change
                from kpi.daily_change d
                where d.effective_on <= p_date
                group by d.currency
            ) t
            join kpi.currency c
                on c.currency = t.currency
        ),
        0
    )
    from kpi.coverage v
    where p_date between v.observed_from and v.complete_through;
end;

comment on function kpi.mrr_total_at(date, text) is
    'The company''s MRR on a day, a month, in the reporting currency or in p_currency. NULL outside coverage. Error MR005 where an exchange rate is missing. Example: select kpi.mrr_total_at(''2024-06-30'').';
revoke all on function kpi.mrr_total_at(date, text) from public;
grant execute on function kpi.mrr_total_at(date, text) to pgmrr_reader, pgmrr_writer;
