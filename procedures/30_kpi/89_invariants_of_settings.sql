-- Are settings, exchange rates and coverage such as the rules can follow? Rules R11, R13.
--
-- One row a check, described in kpi.checks: how many things were compared, how many of
-- them are wrong, and one of these as an example.
create or replace view kpi.invariants_of_settings as
with setting as (
    select
        s.name,
        case s.name
            -- The names of all zones are read from files, and that takes longer than all else here.
            when 'time_zone' then s.value is distinct from 'UTC'
                and not exists (select from pg_catalog.pg_timezone_names z where z.name = s.value)
            when 'observed_from' then coalesce(
                v.is_truncated and s.value::date <> v.observed_from or s.value::date > v.complete_through, false
            )
            when 'reporting_currency' then coalesce(
                s.value <> any(select c.reporting_currency from ledger.currency c), false
            )
            else s.value is null
        end as is_wrong
    from kpi.settings s
    cross join meta.coverage v
    union all
    select
        'settings have one row',
        (select count(*) from meta.setting) <> 1
),
-- Every currency in which something was ever in force, and the factor that its rate gives.
rate as (
    select
        coalesce(u.currency, c.currency) as currency,
        (
            u.currency is null
            or c.factor is distinct from case
                when u.currency = c.reporting_currency then 1
                else r.per_euro / e.per_euro
            end
            or c.reporting_currency <> (select min(o.reporting_currency) from ledger.currency o)
        ) is not false as is_wrong
    from (select distinct d.currency from ledger.daily_change_cents d) u
    full join ledger.currency c
        on c.currency = u.currency
    left join kpi.exchange_rate e
        on e.currency = u.currency
    left join kpi.exchange_rate r
        on r.currency = c.reporting_currency
),
-- The last change that was recorded left the value that stands now.
recorded as (
    select
        coalesce(n.name, l.name) as name,
        (l.new_value = n.value or l.new_value is null and n.value is null) is not true as is_wrong
    from (
        select
            'setting' as kind,
            v.key collate "C" as name,
            nullif(v.value, 'null') as value
        from meta.setting s
        cross join lateral jsonb_each(to_jsonb(s) - 'is_only_row') v
        union all
        select
            'rate',
            e.currency,
            to_jsonb(e) - 'currency'
        from meta.exchange_rate e
    ) n
    full join (
        select distinct on (c.kind, c.name)
            c.kind,
            c.name,
            c.new_value
        from meta.setting_change c
        order by c.kind, c.name, c.change_id desc
    ) l
        on l.kind = n.kind
        and l.name = n.name
)
select
    'settings' as check_name,
    count(*) as compared,
    count(*) filter (where s.is_wrong) as wrong,
    min(s.name) filter (where s.is_wrong) as example
from setting s
union all
select
    'record of settings',
    count(*),
    count(*) filter (where r.is_wrong),
    min(r.name) filter (where r.is_wrong)
from recorded r
union all
select
    'exchange rates',
    count(*),
    count(*) filter (where r.is_wrong),
    min(r.currency) filter (where r.is_wrong)
from rate r;

comment on view kpi.invariants_of_settings is 'Checks of settings, their record, and exchange rates, one row a check; kpi.invariants has all.';
comment on column kpi.invariants_of_settings.check_name is 'The check, described in kpi.checks.';
comment on column kpi.invariants_of_settings.compared is 'How many things were compared.';
comment on column kpi.invariants_of_settings.wrong is 'How many of them are wrong.';
comment on column kpi.invariants_of_settings.example is 'One of those; NULL where none is wrong.';
grant select on kpi.invariants_of_settings to pgmrr_reader, pgmrr_writer;
