-- Do the options of an import fit its source and the files that were staged for it? Error
-- MR004 for an option that is none, MR002 where nothing says the currency of the amounts.
create or replace procedure pipeline.check_import_options(p_source text, p_options jsonb)
language plpgsql
set search_path = ''
as $$
declare
    v_wrong text;
begin
    select format('%s = %s', o.name, o.value)
    into v_wrong
    from pg_catalog.jsonb_each_text(p_options) as o (name, value)
    where not coalesce(
        p_source <> 'stripe'
        and case o.name
            when 'currency' then o.value ~ '^[A-Za-z]{3}$'
            when 'dates' then o.value in ('dmy', 'mdy')
            when 'decimal' then o.value in ('comma', 'point', 'plain')
            when 'end_inclusive' then o.value in ('true', 'false')
            when 'as_of' then p_source = 'periods' and o.value ~ '^[0-9]{4}-' and pipeline.parse_time(o.value) is not null
        end,
        false
    )
    order by o.name
    limit 1;

    if v_wrong is not null then
        raise exception using
            errcode = 'MR004',
            message = format('%s is no option of an import of %s', v_wrong, p_source),
            hint = case p_source
                when 'stripe' then 'The files of a Stripe export need none.'
                else 'Options are currency (three letters), dates (dmy or mdy), decimal (comma, point or plain), '
                    'end_inclusive, and for periods as_of (a day).'
            end;
    end if;

    if p_source <> 'stripe'
        and not p_options ? 'currency'
        and not exists (
            select
            from pg_temp.staged_header h
            where h.file_role = p_source
                and h.column_name = 'currency'
        )
    then
        raise exception using
            errcode = 'MR002',
            message = format('nothing says the currency of the %s', p_source),
            hint = 'Name it by --currency EUR, or its column by --map currency=COLUMN,…';
    end if;
end;
$$;

comment on procedure pipeline.check_import_options(text, jsonb) is
    'Raises MR004 where an option of an import is none, MR002 where nothing says the currency of its amounts.';
revoke all on procedure pipeline.check_import_options(text, jsonb) from public;
grant execute on procedure pipeline.check_import_options(text, jsonb) to pgmrr_writer;
