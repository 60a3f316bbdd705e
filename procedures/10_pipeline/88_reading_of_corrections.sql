-- How is a file of corrections to be read? As the files whose rows it corrects: a row goes
-- out as its file had it, so days, amounts, currency and columns mean what they meant there.
--
-- p_options and p_maps (role of a file: its map of columns) are those that were given. The
-- result is jsonb with what is to be taken, {"options": {…}, "maps": {"lines": {…}}}. What was
-- not given is taken as it was recorded. What was not recorded may be given where it only
-- settles what could not be told: the order of dates, the decimal sign, the currency.
--
-- Error MR004 where no row of that source is waiting that was read as given, and where rows
-- are that were read in several ways, all of which fit.
create or replace function pipeline.reading_of_corrections(p_source text, p_options jsonb, p_maps jsonb)
returns jsonb
language plpgsql
stable
parallel safe
set search_path = ''
as $$
declare
    v_ways jsonb;
    v_fitting jsonb;
begin
    with recorded as (
        select distinct
            coalesce(b.details -> 'options', '{}') as options,
            (
                select coalesce(pg_catalog.jsonb_object_agg(f.file ->> 'role', f.file -> 'map'), '{}')
                from pg_catalog.jsonb_array_elements(b.files) as f (file)
                where f.file ? 'map'
            ) as maps
        from meta.batch b
        where b.source = p_source
            and exists (
                select
                from raw.rejected_row r
                where r.batch_id = b.batch_id
                    and r.superseded_by is null
            )
    ),
    compared as (
        select
            r.options || r.maps as way,
            pg_catalog.jsonb_build_object('options', r.options || p_options, 'maps', p_maps || r.maps) as reading,
            not exists (
                select
                from pg_catalog.jsonb_each_text(p_options) as g (name, value)
                where lower(g.value) <> lower(coalesce(
                    r.options ->> g.name,
                    case when g.name in ('dates', 'decimal', 'currency') then g.value else '' end
                ))
            )
            and not exists (
                select
                from pg_catalog.jsonb_each(p_maps) as g (role, map)
                where g.map <> coalesce(r.maps -> g.role, g.map)
            ) as fits
        from recorded r
    )
    select
        pg_catalog.jsonb_agg(c.way),
        pg_catalog.jsonb_agg(c.reading) filter (where c.fits)
    into v_ways, v_fitting
    from compared c;

    if v_fitting is null then
        raise exception using
            errcode = 'MR004',
            message = format('the rejected rows of %s were read with other options or another map', p_source),
            hint = format('Leave them out, and those are taken that were recorded: %s', v_ways);
    end if;
    if pg_catalog.jsonb_array_length(v_fitting) > 1 then
        raise exception using
            errcode = 'MR004',
            message = format('rejected rows of %s are waiting that were read in different ways', p_source),
            hint = format('Give the options and the map of the file whose rows these are, one of: %s', v_ways);
    end if;

    return v_fitting -> 0;
end;
$$;

comment on function pipeline.reading_of_corrections(text, jsonb, jsonb) is
    'The options and maps by which a file of corrections is read: those recorded with the rejected rows. Error MR004 where others were given, or where it cannot be told which.';
revoke all on function pipeline.reading_of_corrections(text, jsonb, jsonb) from public;
grant execute on function pipeline.reading_of_corrections(text, jsonb, jsonb) to pgmrr_writer;
