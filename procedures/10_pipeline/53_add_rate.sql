-- Brings the exchange rate of a currency that has none, as a part of batch p_batch: of an
-- import, or of a change of the reporting currency.
-- Rule R13. A rate that is known stays.
create or replace procedure pipeline.add_rate(
    p_batch bigint,
    p_currency text,
    p_per_euro numeric,
    p_rate_on date,
    p_source text default 'ECB'
)
language plpgsql
set search_path = ''
as $$
begin
    insert into meta.exchange_rate (currency, per_euro, rate_on, source)
    values (p_currency, p_per_euro, p_rate_on, p_source)
    on conflict do nothing;

    if found then
        update meta.batch b
        set details = b.details || pg_catalog.jsonb_build_object(
            'rates',
            coalesce(b.details -> 'rates', '{}') || pg_catalog.jsonb_build_object(
                p_currency,
                pg_catalog.jsonb_build_object('per_euro', p_per_euro, 'rate_on', p_rate_on, 'source', p_source)
            )
        )
        where b.batch_id = p_batch;
    end if;
end;
$$;

comment on procedure pipeline.add_rate(bigint, text, numeric, date, text) is
    'R13: brings the exchange rate (units for one euro) of a currency that has none, as a part of an import or of a change of the reporting currency.';
revoke all on procedure pipeline.add_rate(bigint, text, numeric, date, text) from public;
grant execute on procedure pipeline.add_rate(bigint, text, numeric, date, text) to pgmrr_writer;
