-- Units of the reporting currency for one unit of p_currency, also where the ledger no
-- longer holds that currency, as after an import that changed it. Rule R13. Error MR005
-- where an exchange rate is missing.
create or replace function pipeline.factor(p_currency text)
returns numeric
language plpgsql
stable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return coalesce(
        (select c.factor from ledger.currency c where c.currency = p_currency),
        kpi.conversion(
            p_currency,
            coalesce(
                (select min(c.reporting_currency) from ledger.currency c),
                (select s.reporting_currency from meta.setting s),
                'EUR'
            )
        )
    );
end;
$$;

comment on function pipeline.factor(text) is
    'R13: units of the reporting currency for one unit of a currency, whether or not the ledger holds it. Error MR005 where an exchange rate is missing.';
revoke all on function pipeline.factor(text) from public;
grant execute on function pipeline.factor(text) to pgmrr_writer;
