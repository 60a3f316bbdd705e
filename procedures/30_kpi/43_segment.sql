-- How is MRR spread over segments on a day? Rules R9, R11 and R13.
--
-- One row a segment with MRR (kpi.segment_history says who is in which), in the reporting
-- currency; the largest first, price bands from the lowest. MRR adds up to the company's.
-- The segment is NULL for customers without a value. By currency, a customer who pays in two
-- counts in both; by every other attribute customers add up too. Without a day it is the last
-- covered one; no row outside coverage. Error MR004 where the attribute is unknown.
create or replace function kpi.segment(p_attribute text, p_date date default null)
returns table (
    segment text,
    customers bigint,
    mrr numeric,
    share numeric,
    arpa numeric
)
language sql
stable
parallel safe
begin atomic
    select kpi.check_attribute(p_attribute);

    select
        w.segment,
        w.customers,
        w.closing,
        w.closing / sum(w.closing) over (),
        w.closing / w.customers
    from kpi.coverage v
    cross join lateral kpi.covered_range(coalesce(p_date, v.complete_through), coalesce(p_date, v.complete_through)) r
    cross join lateral kpi.waterfall_by(p_attribute, array[r.last_on, r.last_on + 1]) w
    where w.customers > 0
    order by
        case when p_attribute = 'price_band' then w.closing / w.customers end,
        w.closing desc,
        w.segment collate "C";
end;

comment on function kpi.segment(text, date) is
    'MRR of each segment on a day (NULL: the last covered one), a month, in the reporting currency, with customers and share (0 to 1); one row a segment. Error MR004 where the attribute is unknown. Example: select * from kpi.segment(''term'', ''2024-03-31'').';
revoke all on function kpi.segment(text, date) from public;
grant execute on function kpi.segment(text, date) to pgmrr_reader, pgmrr_writer;
