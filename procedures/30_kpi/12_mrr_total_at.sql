-- What is the company's MRR on a day? Rules R9, R11 and R13.
--
-- In the reporting currency, or in p_currency. NULL outside coverage. Adds up totals by
-- day: it never touches the customers.
create or replace function kpi.mrr_total_at(p_date date, p_currency text default null)
returns numeric
language sql
stable
parallel safe
begin atomic
    select coalesce(
        (
            select sum(
                case
                    when p_currency is null then d.change
                    else d.change_in_currency * kpi.conversion(d.currency, p_currency)
                end
            )
            from kpi.daily_change d
            where d.effective_on <= p_date
        ),
        0
    )
    from kpi.coverage v
    where p_date between v.observed_from and v.complete_through;
end;

comment on function kpi.mrr_total_at(date, text) is
    'The company''s MRR on a day, a month, in the reporting currency or in p_currency. NULL outside coverage. Example: select kpi.mrr_total_at(''2024-06-30'').';
revoke all on function kpi.mrr_total_at(date, text) from public;
grant execute on function kpi.mrr_total_at(date, text) to pgmrr_reader, pgmrr_writer;
