-- In which price band is an MRR? The bands are fixed, so that figures of different days can
-- be compared; each includes its lower bound and leaves out its upper one. NULL where the
-- MRR is.
create or replace function kpi.price_band(p_mrr numeric)
returns text
language sql
immutable
parallel safe
return case
    when p_mrr < 10 then 'under 10'
    when p_mrr < 50 then '10 to 50'
    when p_mrr < 100 then '50 to 100'
    when p_mrr < 500 then '100 to 500'
    when p_mrr < 1000 then '500 to 1,000'
    when p_mrr < 5000 then '1,000 to 5,000'
    when p_mrr < 10000 then '5,000 to 10,000'
    when p_mrr >= 10000 then '10,000 and more'
end;

comment on function kpi.price_band(numeric) is
    'The price band of an MRR, a month, in the reporting currency; each band includes its lower bound. NULL where the MRR is. Example: select kpi.price_band(99).';
revoke all on function kpi.price_band(numeric) from public;
grant execute on function kpi.price_band(numeric) to pgmrr_reader, pgmrr_writer;
