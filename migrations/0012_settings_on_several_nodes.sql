-- depends: 0011_histories
-- The record of settings where the database is spread over several servers.
--
-- Citus keeps a copy of meta.setting and meta.exchange_rate on each server, with the triggers
-- of the table, and names the copy after it and the number of its shard. One change is one
-- change on every copy: it is written down once, where the record is.

set local role pgmrr_owner;

create or replace function meta.record_setting_change()
returns trigger
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_old jsonb := pg_catalog.to_jsonb(old);
    v_new jsonb := pg_catalog.to_jsonb(new);
    v_is_rate boolean := tg_table_name like 'exchange\_rate%';
begin
    if pg_catalog.to_regclass('meta.setting_change') is null then
        return null;
    end if;

    -- With the rights of its owner: a writer who could insert here could also forge.
    if v_is_rate then
        v_old := case
            when v_old is not null then pg_catalog.jsonb_build_object(v_old ->> 'currency', v_old - 'currency')
        end;
        v_new := case
            when v_new is not null then pg_catalog.jsonb_build_object(v_new ->> 'currency', v_new - 'currency')
        end;
    end if;

    insert into meta.setting_change (kind, name, old_value, new_value, acted_as)
    select
        case when v_is_rate then 'rate' else 'setting' end,
        coalesce(o.key, n.key),
        nullif(o.value, 'null'),
        nullif(n.value, 'null'),
        coalesce(nullif(pg_catalog.current_setting('role'), 'none'), session_user)
    from pg_catalog.jsonb_each(v_old - 'is_only_row') o
    full join pg_catalog.jsonb_each(v_new - 'is_only_row') n
        on n.key = o.key
    where nullif(o.value, 'null') is distinct from nullif(n.value, 'null')
    order by coalesce(o.key, n.key);

    return null;
end;
$$;

reset role;
