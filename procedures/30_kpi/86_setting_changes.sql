-- Who changed which setting or exchange rate, when, and from what to what?
--
-- One row a value that changed, in the order of the changes. The first rows are the values
-- that stood when the recording began (`is_starting_point`). An undo is a change like any
-- other: it takes the batch back, and adds rows here.
create or replace view kpi.setting_changes as
select
    c.change_id,
    c.changed_at,
    c.kind,
    c.name,
    case c.kind
        when 'rate' then (c.old_value ->> 'per_euro') || ' of ' || (c.old_value ->> 'rate_on')
        -- A list as its values with commas between them, a text without its quotes.
        else translate(c.old_value::text, '[]" ', '')
    end as old_value,
    case c.kind
        when 'rate' then (c.new_value ->> 'per_euro') || ' of ' || (c.new_value ->> 'rate_on')
        else translate(c.new_value::text, '[]" ', '')
    end as new_value,
    c.changed_by,
    c.acted_as,
    c.is_starting_point
from meta.setting_change c;

comment on view kpi.setting_changes is 'Changes of settings and exchange rates, one row a value that changed: what it was, what it became, when, and by which role.';
comment on column kpi.setting_changes.change_id is 'Number of the change, in their order.';
comment on column kpi.setting_changes.changed_at is 'When it was changed.';
comment on column kpi.setting_changes.kind is 'setting or rate.';
comment on column kpi.setting_changes.name is 'Name of the setting, as in kpi.settings, or currency of the rate.';
comment on column kpi.setting_changes.old_value is 'Value before; of a rate, units for one euro and the day of the rate. NULL where there was none.';
comment on column kpi.setting_changes.new_value is 'Value after; NULL where a setting follows its default rule, or a rate was taken away.';
comment on column kpi.setting_changes.changed_by is 'The role that was logged in.';
comment on column kpi.setting_changes.acted_as is 'The role that it acted as (set role); itself where it did not.';
comment on column kpi.setting_changes.is_starting_point is 'True where nothing was changed: the value that stood when the recording began.';
grant select on kpi.setting_changes to pgmrr_reader, pgmrr_writer;
