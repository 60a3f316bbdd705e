-- In which period do terms longer than a month begin, renew and end? Rules R5 and R6.
--
-- p_boundaries are the first days of consecutive periods and, at the end, the day after the
-- last one; periods count from 1, 0 is before them, and one more than there are is after
-- them. One row a period in which terms begin, length, and cycle: `renewals` 0 is the term
-- itself, 1 what follows where it renews once, and so on for a year.
create or replace function kpi.term_calendar(p_boundaries date[])
returns table (
    starts_in integer,
    first_ends_in integer,
    renewals integer,
    renews_in integer,
    ends_in integer,
    mrr numeric
)
language sql
stable
parallel safe
begin atomic
    select
        width_bucket(t.starts_on, p_boundaries),
        width_bucket((t.starts_on + make_interval(months => t.months))::date, p_boundaries),
        n.renewals,
        width_bucket((t.starts_on + make_interval(months => n.renewals * t.months))::date, p_boundaries),
        width_bucket((t.starts_on + make_interval(months => (n.renewals + 1) * t.months))::date, p_boundaries),
        sum(t.mrr)
    from kpi.term_start t
    cross join lateral generate_series(0, 1 + 12 / t.months) n (renewals)
    where t.months > 1
        and t.starts_on + make_interval(months => t.months) > p_boundaries[1]
    group by 1, 2, 3, 4, 5;
end;

comment on function kpi.term_calendar(date[]) is
    'In which of the given consecutive periods (0 before, one more than there are after them) terms longer than a month begin, renew and end: one row a start, end and cycle; MRR in the reporting currency.';
revoke all on function kpi.term_calendar(date[]) from public;
grant execute on function kpi.term_calendar(date[]) to pgmrr_reader, pgmrr_writer;
