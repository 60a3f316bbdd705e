-- Which known column is each column of a file, where a map names them? One name a column of
-- the header, in its order; empty where the map does not speak of it.
--
-- The map is {"customer": "Account", …}: the name in the code, the name in the file. Capitals
-- and blanks around a name do not matter.
--
-- Error MR004 for a name that the code does not know, or a column that is given two of them;
-- MR002 where the file has no such column, or more than one.
create or replace function pipeline.names_by_map(
    p_source text,
    p_role text,
    p_name text,
    p_header text[],
    p_map jsonb
)
returns text[]
language plpgsql
stable
parallel safe
set search_path = ''
as $$
declare
    v_problem text;
begin
    select string_agg(m.name, ', ' order by m.name)
    into v_problem
    from pg_catalog.jsonb_each_text(p_map) as m (name, header)
    where not exists (
        select
        from pipeline.file_columns() c
        where c.source = p_source
            and c.file_role = p_role
            and c.column_name = m.name
    );

    if v_problem is not null then
        raise exception using
            errcode = 'MR004',
            message = format('a map of %s knows no %s', p_role, v_problem),
            hint = (
                select 'It knows ' || string_agg(c.column_name, ', ' order by c.is_required desc, c.column_name)
                from pipeline.file_columns() c
                where c.source = p_source
                    and c.file_role = p_role
            );
    end if;

    select format('%s is given to %s', min(m.header), string_agg(m.name, ' and ' order by m.name))
    into v_problem
    from pg_catalog.jsonb_each_text(p_map) as m (name, header)
    group by lower(trim(m.header))
    having count(*) > 1
    limit 1;

    if v_problem is not null then
        raise exception using
            errcode = 'MR004',
            message = format('a column has one meaning, but %s', v_problem),
            hint = 'Leave one of them out of the map.';
    end if;

    select format('%s has %s column %s', p_name, case m.times when 0 then 'no' else 'more than one' end, m.header)
    into v_problem
    from (
        select
            e.header,
            (
                select count(*)
                from unnest(p_header) as h (header)
                where lower(trim(h.header)) = lower(trim(e.header))
            ) as times
        from pg_catalog.jsonb_each_text(p_map) as e (name, header)
    ) m
    where m.times <> 1
    order by m.header
    limit 1;

    if v_problem is not null then
        raise exception using
            errcode = 'MR002',
            message = v_problem,
            hint = 'It has ' || left(array_to_string(p_header, ', '), 300);
    end if;

    return array(
        select coalesce(m.name, '')
        from unnest(p_header) with ordinality as h (header, place)
        left join pg_catalog.jsonb_each_text(p_map) as m (name, header)
            on lower(trim(m.header)) = lower(trim(h.header))
        order by h.place
    );
end;
$$;

comment on function pipeline.names_by_map(text, text, text, text[], jsonb) is
    'The known column that each column of a header is, by a map {"customer": "Account", …}; empty for the others. Error MR002 or MR004 where map and header do not fit.';
revoke all on function pipeline.names_by_map(text, text, text, text[], jsonb) from public;
grant execute on function pipeline.names_by_map(text, text, text, text[], jsonb) to pgmrr_writer;
