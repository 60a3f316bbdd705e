-- Notes the currencies of the ledger and their factors to the reporting currency.
-- Rule R13.
--
-- The reporting currency is the setting, else the only currency of the company, else
-- EUR. A currency that must be converted and has no rate is an error. Histories are in the
-- reporting currency: where a factor changes, all are made anew.
create or replace procedure pipeline.update_currencies()
language plpgsql
set search_path = ''
as $$
declare
    v_currencies text[] := array(select distinct d.currency from ledger.daily_change_cents d);
    v_reporting text;
    v_missing text;
    v_used text;
    v_factor numeric;
    v_factors jsonb := jsonb '{}';
begin
    delete from ledger.currency;

    v_reporting := coalesce(
        (select s.reporting_currency from meta.setting s),
        case when cardinality(v_currencies) = 1 then v_currencies[1] end,
        'EUR'
    );

    select string_agg(distinct needed.currency, ', ')
    into v_missing
    from unnest(v_currencies) u (currency)
    cross join lateral (values (u.currency), (v_reporting)) needed (currency)
    where u.currency <> v_reporting
        and pipeline.rate(needed.currency) is null;

    if v_missing is not null then
        raise exception using
            errcode = 'MR005',
            message = format('no exchange rate for %s', v_missing),
            hint = format('Set it, in units for one euro: pgmrr fx --set %s=RATE', split_part(v_missing, ',', 1));
    end if;

    foreach v_used in array v_currencies loop
        v_factor := case when v_used = v_reporting then 1 else pipeline.rate(v_reporting) / pipeline.rate(v_used) end;

        insert into ledger.currency (currency, reporting_currency, factor)
        values (v_used, v_reporting, v_factor);
        v_factors := v_factors || pg_catalog.jsonb_build_object(v_used, v_factor);
    end loop;

    if v_factors is distinct from (select c.factors from meta.coverage c) then
        update meta.coverage c
        set factors = v_factors;
        call pipeline.keep_histories(null);
    end if;
end;
$$;

comment on procedure pipeline.update_currencies() is
    'R13: notes the currencies of the ledger with their factors to the reporting currency. Error MR005 where a rate is missing.';
revoke all on procedure pipeline.update_currencies() from public;
grant execute on procedure pipeline.update_currencies() to pgmrr_writer;
