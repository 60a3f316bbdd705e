-- Drops the table that pipeline.make_staging_table made for the files of a role, where there
-- is one. It runs with the rights of its owner, to whom that table belongs.
--
-- Error MR004 where there is no such role.
create or replace function pipeline.drop_staging_table(p_role text)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_role not in ('invoices', 'lines', 'periods', 'customers') then
        raise exception using
            errcode = 'MR004',
            message = format('no file of an import is one of %s', p_role),
            hint = 'Files are invoices, lines, periods or customers.';
    end if;

    if to_regclass(format('raw.%I', 'staged_' || p_role)) is not null then
        execute format('drop table raw.%I', 'staged_' || p_role);
    end if;
end;
$$;

comment on function pipeline.drop_staging_table(text) is
    'Drops the table that took the rows of a file of an import, by its role; with the rights of its owner. Error MR004 where there is no such role.';
revoke all on function pipeline.drop_staging_table(text) from public;
grant execute on function pipeline.drop_staging_table(text) to pgmrr_writer;
