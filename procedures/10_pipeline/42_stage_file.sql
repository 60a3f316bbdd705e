-- Makes a place for one file that is to be imported, and returns the COPY statement that
-- fills it.
--
-- The place is a table of pipeline.make_staging_table, raw.staged_invoices, staged_lines,
-- staged_periods or staged_customers, which pipeline.import_files drops. It has a text column
-- for each column that is known, whether the file has it or not, extra_N for each further
-- column of the file, and line_number. Columns may stand in any order. The temporary table
-- staged_header says which header each came from.
--
-- p_header is the file's header, p_name the file's name for messages, and p_first_line
-- the line on which the first row stands. The statement reads CSV as it is; with
-- p_by_row it takes rows that were split before, each with its line number, what is
-- wrong with it as a whole, and then its text.
--
-- p_map gives the columns that are known the names that they have in this file. Where it
-- is given, no other column is taken for a known one: a column called `id` may be anything.
-- Without it they go by their own names.
--
-- Error MR002 where the header is not that of the file, MR004 where the map is none.
create or replace function pipeline.stage_file(
    p_role text,
    p_name text,
    p_header text[],
    p_delimiter text default ',',
    p_first_line integer default 2,
    p_by_row boolean default false,
    p_source text default 'stripe',
    p_map jsonb default '{}'
)
returns text
language plpgsql
volatile
parallel unsafe
set search_path = ''
as $$
declare
    v_table text := 'staged_' || p_role;
    v_other_role text := case p_role when 'invoices' then 'customers' else 'invoices' end;
    v_names text[];
    v_missing text;
    v_twice text;
    v_columns text;
begin
    if cardinality(p_header) > 1000 then
        raise exception using
            errcode = 'MR002',
            message = format('%s has %s columns; up to 1,000 can be read', p_name, cardinality(p_header)),
            hint = 'Export it again with the columns that are needed.';
    end if;

    if p_map <> '{}' then
        v_names := pipeline.names_by_map(p_source, p_role, p_name, p_header, p_map);
    else
        select array_agg(pipeline.column_name(h.header) order by h.place)
        into v_names
        from unnest(p_header) with ordinality as h (header, place);
    end if;

    select string_agg(c.header, ', ')
    into v_missing
    from pipeline.file_columns() c
    where c.source = p_source
        and c.file_role = p_role
        and c.is_required
        and c.column_name <> all(v_names);

    if v_missing is not null and p_source = 'stripe' then
        raise exception using
            errcode = 'MR002',
            message = case
                when (
                    select bool_and(c.column_name = any(v_names))
                    from pipeline.file_columns() c
                    where c.source = p_source
                        and c.file_role = v_other_role
                        and c.is_required
                )
                    then format('%s is the %s file of a Stripe export, not the %s file', p_name, v_other_role, p_role)
                else format('%s is no %s file of a Stripe export: it lacks %s', p_name, p_role, v_missing)
            end,
            hint = 'Export it again with all columns, and give each file its place: '
                'pgmrr import stripe --invoices FILE --customers FILE';
    elsif v_missing is not null then
        raise exception using
            errcode = 'MR002',
            message = format('%s does not say which of its columns is %s', p_name, v_missing),
            hint = format(
                'Name them by %s %s=COLUMN,…; it has: %s',
                case p_role when 'customers' then '--map-customers' else '--map' end,
                split_part(v_missing, ', ', 1),
                left(array_to_string(p_header, ', '), 300)
            );
    end if;

    select string_agg(distinct n.name, ', ')
    into v_twice
    from (
        select
            u.name,
            count(*) over (partition by u.name) as times
        from unnest(v_names) as u (name)
        join pipeline.file_columns() c
            on c.source = p_source
            and c.file_role = p_role
            and c.column_name = u.name
    ) n
    where n.times > 1;

    if v_twice is not null then
        raise exception using
            errcode = 'MR002',
            message = format('%s has more than one column %s', p_name, v_twice),
            hint = 'Delete the column that does not belong there.';
    end if;

    if pg_catalog.to_regclass('pg_temp.staged_header') is null then
        create temp table staged_header (
            file_role text not null,
            place integer not null,
            header text not null,
            column_name text not null
        ) on commit drop;
    end if;

    -- Further columns keep their own names; one without a name, or with another's, gets its place.
    insert into pg_temp.staged_header (file_role, place, header, column_name)
    select
        p_role,
        h.place,
        case
            when h.header = '' then format('column %s', h.place)
            when count(*) over (partition by h.header) > 1 then format('%s (column %s)', h.header, h.place)
            else h.header
        end,
        coalesce(c.column_name, 'extra_' || h.place)
    from unnest(p_header) with ordinality as h (header, place)
    left join pipeline.file_columns() c
        on c.source = p_source
        and c.file_role = p_role
        and c.column_name = v_names[h.place];

    perform pipeline.make_staging_table(
        p_role,
        p_first_line,
        array(
            select k.column_name
            from pipeline.file_columns() k
            where k.source = p_source
                and k.file_role = p_role
            union
            select h.column_name
            from pg_temp.staged_header h
            where h.file_role = p_role
        )
    );


    select string_agg(format('%I', h.column_name), ', ' order by h.place)
    into v_columns
    from pg_temp.staged_header h
    where h.file_role = p_role;

    return case
        when p_by_row then format('copy raw.%I (line_number, problem, row_text, %s) from stdin', v_table, v_columns)
        else format(
            'copy raw.%I (%s) from stdin (format csv, delimiter %L, force_null (%s), encoding ''UTF8'')',
            v_table, v_columns, p_delimiter, v_columns
        )
    end;
end;
$$;

comment on function pipeline.stage_file(text, text, text[], text, integer, boolean, text, jsonb) is
    'Makes a table for a file that is to be imported, by its role, header and map of columns, and returns the COPY statement that fills it. Error MR002 where the header is not that of the file, MR004 where the map is none.';
revoke all on function pipeline.stage_file(text, text, text[], text, integer, boolean, text, jsonb) from public;
grant execute on function pipeline.stage_file(text, text, text[], text, integer, boolean, text, jsonb) to pgmrr_writer;
