-- Changes one of the settings of the rules, and what depends on it in the same
-- transaction. The settings and their defaults are described in meta.setting.
--
--     call pipeline.set_setting('time_zone', 'Europe/Berlin');
--     call pipeline.set_setting('counted_statuses', 'paid,open');
--     call pipeline.set_setting('observed_from', null);             -- the default again
--
-- A batch of its own, with the old and the new value; the same value again changes
-- nothing. p_rates are exchange rates that a new reporting currency needs and that nobody
-- has set, as [{"currency": "USD", "per_euro": 1.0834, "rate_on": "2025-02-28"}]: they are a
-- part of the batch, so that one undo takes both back. NULL or 'default' stand for the default. Error MR004 where the setting is
-- unknown or the value is none that it can take.
create or replace procedure pipeline.set_setting(p_name text, p_value text, p_rates jsonb default '[]')
language plpgsql
set search_path = ''
as $$
declare
    v_value text := nullif(nullif(trim(p_value), ''), 'default');
    v_allowed text;
    v_is_allowed boolean;
    v_old meta.setting;
    v_new meta.setting;
    v_batch bigint;
    v_rate record;
begin
    perform pipeline.lock();
    select s.* into v_old from meta.setting s;
    v_new := v_old;

    case p_name
        when 'time_zone' then
            v_allowed := 'the name of a time zone, such as Europe/Berlin';
            select max(z.name) into v_new.time_zone
            from pg_catalog.pg_timezone_names z
            where lower(z.name) = lower(coalesce(v_value, 'UTC'));
            v_is_allowed := v_new.time_zone is not null;

        when 'counted_statuses' then
            v_allowed := 'one or more of paid, open and draft, with commas between them';
            v_value := lower(replace(coalesce(v_value, 'paid,open,draft'), ' ', ''));
            v_new.counted_statuses := array(
                select s.status
                from unnest(array['paid', 'open', 'draft']) with ordinality as s (status, place)
                where s.status = any(pg_catalog.string_to_array(v_value, ','))
                order by s.place
            );
            v_is_allowed := v_value ~ '^(paid|open|draft)(,(paid|open|draft))*$';

        when 'rounding_tolerance' then
            v_allowed := 'an amount a month from 0 to 1, such as 0.05';
            v_value := replace(coalesce(v_value, '0.05'), ',', '.');
            v_is_allowed := v_value ~ '^(0(\.[0-9]{1,4})?|1(\.0{1,4})?)$';
            if v_is_allowed then
                v_new.rounding_tolerance := v_value::numeric;
            end if;

        when 'implied_cycles' then
            v_allowed := 'true or false';
            v_value := lower(coalesce(v_value, 'true'));
            v_is_allowed := v_value in ('true', 'false', 'on', 'off', 'yes', 'no');
            v_new.implied_cycles := v_value in ('true', 'on', 'yes');

        when 'observed_from' then
            v_allowed := 'a day such as 2025-01-02';
            v_new.observed_from := (pipeline.parse_time(v_value) at time zone 'UTC')::date;
            v_is_allowed := v_value is null or (v_new.observed_from is not null and v_value !~ ':');
            -- Before the first whole day of the export nothing is known, whatever one knows oneself.
            if v_is_allowed and exists (
                select
                from meta.coverage c
                where c.is_truncated
                    and v_new.observed_from not between
                        (c.first_invoice_at at time zone v_old.time_zone)::date + 1 and c.complete_through
            ) then
                v_is_allowed := false;
                select format(
                    'a day from %s, the first that the export holds whole, to %s',
                    pg_catalog.to_char((c.first_invoice_at at time zone v_old.time_zone)::date + 1, 'YYYY-MM-DD'),
                    pg_catalog.to_char(c.complete_through, 'YYYY-MM-DD')
                )
                into v_allowed
                from meta.coverage c;
            end if;

        when 'reporting_currency' then
            v_allowed := 'a currency of three letters, such as EUR';
            v_new.reporting_currency := upper(v_value);
            v_is_allowed := v_value is null or v_new.reporting_currency ~ '^[A-Z]{3}$';

        else
            raise exception using
                errcode = 'MR004',
                message = format('unknown setting: %s', coalesce(p_name, 'NULL')),
                hint = 'The settings are time_zone, counted_statuses, rounding_tolerance, implied_cycles, '
                    'observed_from and reporting_currency.';
    end case;

    if not v_is_allowed then
        raise exception using
            errcode = 'MR004',
            message = format('%s cannot be %s', p_name, p_value),
            hint = format('It is %s.', v_allowed);
    end if;

    if v_new is distinct from v_old then
        v_batch := pipeline.begin_batch(
            'settings',
            p_details => pg_catalog.jsonb_build_object(
                'setting', p_name,
                'old', pg_catalog.to_jsonb(v_old) -> p_name,
                'new', pg_catalog.to_jsonb(v_new) -> p_name
            )
        );

        update meta.setting s
        set time_zone = v_new.time_zone,
            counted_statuses = v_new.counted_statuses,
            rounding_tolerance = v_new.rounding_tolerance,
            implied_cycles = v_new.implied_cycles,
            observed_from = v_new.observed_from,
            reporting_currency = v_new.reporting_currency;

        if p_name = 'reporting_currency' then
            for v_rate in
                select r.currency, r.per_euro, r.rate_on
                from pg_catalog.jsonb_to_recordset(p_rates) as r (currency text, per_euro numeric, rate_on date)
            loop
                call pipeline.add_rate(v_batch, v_rate.currency, v_rate.per_euro, v_rate.rate_on);
            end loop;
            call pipeline.update_currencies();
        else
            -- A complete history begins and ends on days in the reporting time zone.
            if p_name in ('time_zone', 'counted_statuses') then
                call pipeline.cover_complete_histories();
            end if;
            call pipeline.rebuild();
        end if;
    end if;
end;
$$;

comment on procedure pipeline.set_setting(text, text, jsonb) is
    'Changes a setting of the rules (NULL: its default) and what depends on it, with the exchange rates that it needs, as a batch of its own. Error MR004 where setting or value is unknown.';
revoke all on procedure pipeline.set_setting(text, text, jsonb) from public;
grant execute on procedure pipeline.set_setting(text, text, jsonb) to pgmrr_writer;
