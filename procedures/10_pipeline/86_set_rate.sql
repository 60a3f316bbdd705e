-- Sets the exchange rate of a currency, in units for one euro. Rule R13.
--
--     call pipeline.set_rate('USD', 1.0834);
--
-- A batch of its own, with the old and the new rate; the ledger stays, since it is in the
-- customers' own currencies. The same rate again changes nothing.
--
-- p_rate_on is the day of the rate (NULL: today, UTC), p_source says who set it: user or
-- ECB. Error MR004 where it is no rate.
create or replace procedure pipeline.set_rate(
    p_currency text,
    p_per_euro numeric,
    p_rate_on date default null,
    p_source text default 'user'
)
language plpgsql
set search_path = ''
as $$
declare
    v_currency text := upper(p_currency);
    v_rate_on date := coalesce(p_rate_on, (now() at time zone 'UTC')::date);
    v_old jsonb;
    v_new jsonb;
begin
    if v_currency is null or v_currency !~ '^[A-Z]{3}$' or v_currency = 'EUR' then
        raise exception using
            errcode = 'MR004',
            message = format('no currency to set a rate for: %s', coalesce(p_currency, 'NULL')),
            hint = 'A currency has three letters, such as USD; rates are units for one euro, so EUR has none.';
    end if;
    if p_per_euro is null or p_per_euro <= 0 or p_per_euro >= 'Infinity' then
        raise exception using
            errcode = 'MR004',
            message = format('no exchange rate for %s: %s', v_currency, coalesce(p_per_euro::text, 'NULL')),
            hint = format('A rate is above 0, in units for one euro: pgmrr fx --set %s=1.0834', v_currency);
    end if;
    if p_source is null or p_source not in ('user', 'ECB') then
        raise exception using
            errcode = 'MR004',
            message = format('unknown source of an exchange rate: %s', coalesce(p_source, 'NULL')),
            hint = 'The source is user or ECB.';
    end if;

    perform pipeline.lock();

    v_new := pg_catalog.jsonb_build_object('per_euro', p_per_euro, 'rate_on', v_rate_on, 'source', p_source);
    select pg_catalog.jsonb_build_object('per_euro', e.per_euro, 'rate_on', e.rate_on, 'source', e.source)
    into v_old
    from meta.exchange_rate e
    where e.currency = v_currency;

    if v_old is distinct from v_new then
        perform pipeline.begin_batch(
            'rates',
            p_details => pg_catalog.jsonb_build_object('currency', v_currency, 'old', v_old, 'new', v_new)
        );

        insert into meta.exchange_rate as e (currency, per_euro, rate_on, source)
        values (v_currency, p_per_euro, v_rate_on, p_source)
        on conflict on constraint exchange_rate_pkey do update
        set per_euro = excluded.per_euro,
            rate_on = excluded.rate_on,
            source = excluded.source;

        call pipeline.update_currencies();
    end if;
end;
$$;

comment on procedure pipeline.set_rate(text, numeric, date, text) is
    'R13: sets the exchange rate of a currency, in units for one euro, as a batch of its own. Error MR004 where it is no rate.';
revoke all on procedure pipeline.set_rate(text, numeric, date, text) from public;
grant execute on procedure pipeline.set_rate(text, numeric, date, text) to pgmrr_writer;
