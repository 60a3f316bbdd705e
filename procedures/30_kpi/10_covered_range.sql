-- Clips a range of days to coverage. Rule R11.
--
-- One row with the first and last covered day of the range, both included; no row where
-- none is covered. A NULL bound is the bound of coverage. Error MR006 where the range is
-- upside down.
create or replace function kpi.covered_range(p_from date, p_to date)
returns table (
    first_on date,
    last_on date
)
language plpgsql
stable
parallel safe
set search_path = ''
set datestyle = 'ISO'
as $$
begin
    if p_from > p_to then
        raise exception using
            errcode = 'MR006',
            message = 'the range of days is upside down',
            detail = format('It begins on %s and ends on %s.', p_from, p_to),
            hint = 'Give the earlier day first.';
    end if;

    return query
    select greatest(p_from, c.observed_from), least(p_to, c.complete_through)
    from kpi.coverage c
    -- Without data the bounds of coverage are NULL, which greatest and least pass over.
    where c.observed_from <= c.complete_through
        and greatest(p_from, c.observed_from) <= least(p_to, c.complete_through);
end;
$$;

comment on function kpi.covered_range(date, date) is
    'R11: the range clipped to coverage, both days included; no row where none is covered. Error MR006 where the range is upside down.';
revoke all on function kpi.covered_range(date, date) from public;
grant execute on function kpi.covered_range(date, date) to pgmrr_reader, pgmrr_writer;
