-- depends: 0007_corrections_and_undo
-- Who changed which setting or exchange rate, when, from what to what.
--
-- Batches tell it too, but an undo takes them back, and a bare `update meta.setting` makes
-- none. So the two tables write it down themselves: by triggers, since whoever may write
-- them, the owner and a superuser included, then leaves a trace. They are tables of a few
-- rows; no trigger carries a rule. What was written stays: the table takes no update, no
-- delete and no truncate, and only the triggers, with the rights of the owner, can insert.

set local role pgmrr_owner;

create table meta.setting_change (
    change_id bigint generated always as identity,
    kind text not null,
    name text collate "C" not null,
    old_value jsonb,
    new_value jsonb,
    is_starting_point boolean not null default false,
    changed_at timestamptz not null default clock_timestamp(),
    changed_by text collate "C" not null default session_user,
    acted_as text collate "C" not null,
    constraint setting_change_pkey primary key (change_id),
    constraint setting_change_is_of_a_setting_or_a_rate check (kind in ('setting', 'rate')),
    constraint setting_change_changes_something check (is_starting_point or old_value is distinct from new_value),
    constraint setting_change_starts_from_nothing check (not is_starting_point or old_value is null)
);

comment on table meta.setting_change is 'Changes of settings and exchange rates: one row a value that changed. Kept by triggers; nothing in it is ever changed, and an undo adds rows.';
comment on column meta.setting_change.change_id is 'Number of the change, in the order in which they were made; a change that was rolled back leaves a gap.';
comment on column meta.setting_change.kind is 'setting or rate.';
comment on column meta.setting_change.name is 'Name of the setting, as in meta.setting, or currency of the rate.';
comment on column meta.setting_change.old_value is 'Value before: of a setting as JSON, of a rate an object of per_euro, rate_on and source. NULL where there was none.';
comment on column meta.setting_change.new_value is 'Value after; NULL where a setting follows its default rule again, or a rate was taken away.';
comment on column meta.setting_change.is_starting_point is 'True where nothing was changed: the value that stood when the recording began.';
comment on column meta.setting_change.changed_at is 'When it was changed.';
comment on column meta.setting_change.changed_by is 'The role that was logged in.';
comment on column meta.setting_change.acted_as is 'The role that it acted as (set role); itself where it did not.';

create function meta.record_setting_change()
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

comment on function meta.record_setting_change() is 'Writes down what changed in meta.setting and meta.exchange_rate. With the rights of its owner, so that nobody else can write there.';

create function meta.refuse_change()
returns trigger
language plpgsql
volatile
parallel unsafe
set search_path = ''
as $$
begin
    raise exception using
        errcode = 'insufficient_privilege',
        message = format('%s of %I.%I is refused', lower(tg_op), tg_table_schema, tg_table_name),
        hint = case tg_table_name
            when 'setting_change' then 'What was recorded stays as it is.'
            else 'Delete rows instead, so that it is recorded.'
        end;
end;
$$;

comment on function meta.refuse_change() is 'Refuses to rewrite what meta.setting_change recorded, and to empty a table without a record.';

create trigger setting_is_recorded
after insert or update or delete on meta.setting
for each row execute function meta.record_setting_change();

create trigger exchange_rate_is_recorded
after insert or update or delete on meta.exchange_rate
for each row execute function meta.record_setting_change();

create trigger setting_is_not_truncated
before truncate on meta.setting
for each statement execute function meta.refuse_change();

create trigger exchange_rate_is_not_truncated
before truncate on meta.exchange_rate
for each statement execute function meta.refuse_change();

create trigger setting_change_stays
before update or delete or truncate on meta.setting_change
for each statement execute function meta.refuse_change();

-- What stands now is where the record begins.
insert into meta.setting_change (kind, name, new_value, is_starting_point, acted_as)
select
    'setting',
    v.key,
    nullif(v.value, 'null'),
    true,
    current_user
from meta.setting s
cross join lateral jsonb_each(to_jsonb(s) - 'is_only_row') v
order by v.key;

insert into meta.setting_change (kind, name, new_value, is_starting_point, acted_as)
select
    'rate',
    e.currency,
    to_jsonb(e) - 'currency',
    true,
    current_user
from meta.exchange_rate e
order by e.currency;

grant select on meta.setting_change to pgmrr_writer;

reset role;
