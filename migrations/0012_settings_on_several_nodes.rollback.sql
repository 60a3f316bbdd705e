-- The record as 0008 wrote it: for one server.
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
begin
    -- With the rights of its owner: a writer who could insert here could also forge.
    if tg_table_name = 'exchange_rate' then
        v_old := case
            when v_old is not null then pg_catalog.jsonb_build_object(v_old ->> 'currency', v_old - 'currency')
        end;
        v_new := case
            when v_new is not null then pg_catalog.jsonb_build_object(v_new ->> 'currency', v_new - 'currency')
        end;
    end if;

    insert into meta.setting_change (kind, name, old_value, new_value, acted_as)
    select
        case tg_table_name when 'exchange_rate' then 'rate' else 'setting' end,
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
