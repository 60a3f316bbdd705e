-- Settings and exchange rates leave a trace of who changed them, whichever way they are changed.
begin;
select plan(11);

create function pg_temp.changes(p_after bigint default 0)
returns table (kind text, name text, old_value text, new_value text, acted_as text)
language sql
as $$
    select c.kind, c.name, c.old_value, c.new_value, c.acted_as
    from kpi.setting_changes c
    where c.change_id > p_after
        and not c.is_starting_point
    order by c.change_id;
$$;

select results_eq(
    $$
    select c.name, c.old_value, c.new_value
    from kpi.setting_changes c
    where c.is_starting_point
    order by c.name collate "C"
    $$,
    $$
    select s.name collate "C", null::text, s.value collate "default"
    from kpi.settings s
    order by s.name collate "C"
    $$,
    'the record begins with the settings that stood then'
);

set local role pgmrr_writer;
call pipeline.set_setting('counted_statuses', 'paid');
call pipeline.set_setting('counted_statuses', 'paid');
call pipeline.set_setting('observed_from', '2025-01-02');
call pipeline.set_setting('observed_from', null);
call pipeline.set_rate('USD', 1.05, '2025-01-31');
call pipeline.set_rate('USD', 1.06, '2025-02-28');
reset role;
select results_eq(
    $$ select * from pg_temp.changes() $$,
    $$
    values
    ('setting', 'counted_statuses', 'paid,open,draft', 'paid', 'pgmrr_writer'),
    ('setting', 'observed_from', null, '2025-01-02', 'pgmrr_writer'),
    ('setting', 'observed_from', '2025-01-02', null, 'pgmrr_writer'),
    ('rate', 'USD', null, '1.05 of 2025-01-31', 'pgmrr_writer'),
    ('rate', 'USD', '1.05 of 2025-01-31', '1.06 of 2025-02-28', 'pgmrr_writer')
    $$,
    'a change of a setting or a rate is recorded with the old and the new value; the same value again is none'
);
select results_eq(
    $$ select distinct c.changed_by::text from kpi.setting_changes c $$,
    $$ select session_user::text $$,
    'and so is who was logged in'
);
select ok(
    (select bool_and(c.changed_at between now() and clock_timestamp()) from kpi.setting_changes c where not c.is_starting_point),
    'and when it was'
);

create temp table mark as
select max(c.change_id) as change_id
from kpi.setting_changes c;
select pipeline.undo();
select results_eq(
    $$ select * from pg_temp.changes((select m.change_id from mark m)) $$,
    $$ values ('rate', 'USD', '1.06 of 2025-02-28', null, current_user::text collate "default"),
        ('rate', 'USD', null, '1.05 of 2025-01-31', current_user) $$,
    'an undo removes its batch, and is itself recorded'
);

-- Past the functions ---------------------------------------------------------------------------

truncate mark;
insert into mark select max(c.change_id) from kpi.setting_changes c;
set local role pgmrr_owner;
update meta.setting set rounding_tolerance = 0.04, time_zone = 'Europe/Berlin';
update meta.exchange_rate set currency = 'GBP';
delete from meta.exchange_rate;
delete from meta.setting;
reset role;
select results_eq(
    $$ select * from pg_temp.changes((select m.change_id from mark m)) $$,
    $$
    values
    ('setting', 'rounding_tolerance', '0.05', '0.04', 'pgmrr_owner'),
    ('setting', 'time_zone', 'UTC', 'Europe/Berlin', 'pgmrr_owner'),
    ('rate', 'GBP', null, '1.05 of 2025-01-31', 'pgmrr_owner'),
    ('rate', 'USD', '1.05 of 2025-01-31', null, 'pgmrr_owner'),
    ('rate', 'GBP', '1.05 of 2025-01-31', null, 'pgmrr_owner'),
    ('setting', 'counted_statuses', 'paid', null, 'pgmrr_owner'),
    ('setting', 'implied_cycles', 'true', null, 'pgmrr_owner'),
    ('setting', 'rounding_tolerance', '0.04', null, 'pgmrr_owner'),
    ('setting', 'time_zone', 'Europe/Berlin', null, 'pgmrr_owner')
    $$,
    'what the owner writes into the tables by hand is recorded as well'
);

-- What was recorded stays ----------------------------------------------------------------------

select throws_ok(
    $$ update meta.setting_change set acted_as = 'somebody else' $$, '42501', null, 'nobody rewrites the record'
);
select throws_ok($$ delete from meta.setting_change $$, '42501', null, 'nobody shortens it');
select throws_ok($$ truncate meta.setting_change $$, '42501', null, 'nobody empties it');
select throws_ok(
    $$ truncate meta.exchange_rate $$, '42501', null, 'and nobody empties the rates without a record'
);
set local role pgmrr_writer;
select throws_ok(
    $$
    insert into meta.setting_change (kind, name, new_value, acted_as)
    values ('setting', 'time_zone', '"UTC"', 'somebody else')
    $$,
    '42501',
    null,
    'a writer can add nothing to it'
);
reset role;

select * from finish();
rollback;
