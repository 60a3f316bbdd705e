-- Which settings do the rules follow? One row a setting, with its meaning.
create or replace view kpi.settings as
select
    a.attname::text as name,
    case
        when jsonb_typeof(s.settings -> a.attname) = 'array' then (
            select string_agg(v.value, ',' order by v.place)
            from jsonb_array_elements_text(s.settings -> a.attname) with ordinality as v (value, place)
        )
        else s.settings ->> a.attname
    end as value,
    col_description(a.attrelid, a.attnum) as meaning
from pg_attribute a
cross join (select to_jsonb(t) as settings from meta.setting t) s
where a.attrelid = 'meta.setting'::regclass
    and a.attnum > 0
    and not a.attisdropped
    and a.attname <> 'is_only_row';

comment on view kpi.settings is 'The settings of the rules, one row each.';
comment on column kpi.settings.name is 'Name of the setting.';
comment on column kpi.settings.value is 'Its value; NULL where the default rule applies.';
comment on column kpi.settings.meaning is 'What it does.';
grant select on kpi.settings to pgmrr_reader, pgmrr_writer;
