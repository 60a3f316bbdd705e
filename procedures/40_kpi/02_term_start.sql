-- How much MRR begins a term on a day, by the term's length? Rules R5 and R6.
--
-- One row a day and length, in the reporting currency, from totals by day. It says when money
-- that is paid for a longer time can leave: at the end of its term.
create or replace view kpi.term_start as
select
    d.starts_on,
    d.months,
    sum(d.mrr * 0.01 * c.factor) as mrr
from ledger.daily_term_cents d
join ledger.currency c
    on c.currency = d.currency
group by d.starts_on, d.months
having sum(d.mrr) > 0;

comment on view kpi.term_start is 'R5 and R6: MRR of the terms that begin, one row a day and length of the term, in the reporting currency.';
comment on column kpi.term_start.starts_on is 'First day of the term.';
comment on column kpi.term_start.months is 'Its length in months.';
comment on column kpi.term_start.mrr is 'MRR, a month, of the terms of that length that begin that day.';
grant select on kpi.term_start to pgmrr_reader, pgmrr_writer;
