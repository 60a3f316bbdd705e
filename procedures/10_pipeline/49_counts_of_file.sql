-- What became of the rows of a file that was read? As jsonb:
--
--     {"rows": 8075, "new": 12, "changed": 3, "unchanged": 8058, "older": 0, "rejected": 2,
--      "reasons": {"not an amount": 2}, "lacks_taxes": false, "further_columns": ["Closed"]}
--
-- Further columns are those of the file that are not known: those of the customers become
-- attributes, the others are left out.
create or replace function pipeline.counts_of_file(p_role text)
returns jsonb
language plpgsql
volatile
parallel unsafe
set search_path = ''
as $$
declare
    v_counts jsonb;
begin
    execute format(
        $count$
        select pg_catalog.jsonb_build_object(
            'rows', coalesce(sum(s.rows), 0),
            'new', coalesce(sum(s.rows) filter (where s.state = 'new'), 0),
            'changed', coalesce(sum(s.rows) filter (where s.state = 'changed'), 0),
            'unchanged', coalesce(sum(s.rows) filter (where s.state = 'unchanged'), 0),
            'older', coalesce(sum(s.rows) filter (where s.state = 'older'), 0),
            'rejected', coalesce(sum(s.rows) filter (where s.state = 'rejected'), 0),
            'reasons', coalesce(
                pg_catalog.jsonb_object_agg(s.reason, s.rows) filter (where s.state = 'rejected'), '{}'
            ),
            'lacks_taxes', $1 in ('invoices', 'lines') and not exists (
                select
                from pg_temp.staged_header h
                where h.file_role = $1
                    and h.column_name in ('tax', 'exclusive_tax_amount', 'inclusive_tax_amount')
            ),
            'further_columns', (
                select coalesce(pg_catalog.jsonb_agg(h.header order by h.place), '[]')
                from pg_temp.staged_header h
                where h.file_role = $1
                    and h.column_name like 'extra\_%%'
            )
        )
        from (%s) s
        $count$,
        case p_role
            when 'customers' then
                'select r.state, r.problem[2] as reason, count(*) as rows from pg_temp.read_customers r '
                'group by r.state, r.problem[2]'
            else
                'select g.state, g.reason, sum(g.rows) as rows from pg_temp.read_groups g group by g.state, g.reason'
        end
    )
    into v_counts
    using p_role;

    return v_counts;
end;
$$;

comment on function pipeline.counts_of_file(text) is
    'What became of the rows of a file that was read: counts by state, reasons of rejection, further columns.';
revoke all on function pipeline.counts_of_file(text) from public;
grant execute on function pipeline.counts_of_file(text) to pgmrr_writer;
