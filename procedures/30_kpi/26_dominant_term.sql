-- Which term carries most of a customer's MRR? Rule R5.
--
-- Given its MRR by term: month, year or other; where two carry the same, the longer one
-- (other lies between them). NULL where none carries any.
create or replace function kpi.dominant_term(p_by_month numeric, p_by_year numeric, p_by_other numeric)
returns text
language sql
immutable
parallel safe
return case
    when p_by_year > 0 and p_by_year >= greatest(p_by_month, p_by_other) then 'year'
    when p_by_other > 0 and p_by_other >= p_by_month then 'other'
    when p_by_month > 0 then 'month'
end;

comment on function kpi.dominant_term(numeric, numeric, numeric) is
    'The term, month, year or other, that carries most of a customer''s MRR, given its MRR by term; the longer one where two carry the same, NULL where none carries any.';
revoke all on function kpi.dominant_term(numeric, numeric, numeric) from public;
grant execute on function kpi.dominant_term(numeric, numeric, numeric) to pgmrr_reader, pgmrr_writer;
