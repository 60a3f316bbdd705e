-- Takes the last batch back, whatever its kind, as if it had never been: an import or a
-- simulation with all that followed from it, a setting, an exchange rate. Returns the batch
-- as jsonb, NULL where there is none.
--
--     select pipeline.undo();        -- the last batch
--     select pipeline.undo(7);       -- only if the last batch is 7
--
-- Facts: the versions that the batch brought go, those that it superseded are current
-- again, and so with rejected rows and with what it found absent, even in the files of
-- others. Rates that an import or a new reporting currency added go with it; none of the others used them. Then the
-- customers whose facts moved are refreshed, all of them where coverage moved: refresh =
-- rebuild, so that the ledger is what it was. Days of complete histories depend on settings
-- alone, and are made anew with these.
--
-- Error MR004 where p_batch is not the last batch.
create or replace function pipeline.undo(p_batch bigint default null)
returns jsonb
language plpgsql
volatile
parallel unsafe
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
    v_last meta.batch;
    v_customers text[];
    v_listed text[];
    v_setting meta.setting;
begin
    perform pipeline.lock();
    select b.* into v_last from meta.batch b order by b.batch_id desc limit 1;

    if p_batch <> v_last.batch_id or p_batch is not null and v_last.batch_id is null then
        raise exception using
            errcode = 'MR004',
            message = format('batch %s is not the last one', p_batch),
            hint = 'Only the last batch can be taken back, then the one before: see pgmrr batches.';
    end if;
    if v_last.batch_id is null then
        return null;
    end if;

    case v_last.kind
        when 'settings' then
            select s.* into v_setting from meta.setting s;
            v_setting := pg_catalog.jsonb_populate_record(
                v_setting,
                pg_catalog.jsonb_build_object(v_last.details ->> 'setting', v_last.details -> 'old')
            );

            update meta.setting s
            set time_zone = v_setting.time_zone,
                counted_statuses = v_setting.counted_statuses,
                rounding_tolerance = v_setting.rounding_tolerance,
                implied_cycles = v_setting.implied_cycles,
                observed_from = v_setting.observed_from,
                reporting_currency = v_setting.reporting_currency;

            delete from meta.exchange_rate e where v_last.details -> 'rates' ? e.currency;
            delete from meta.batch b where b.batch_id = v_last.batch_id;
            if v_last.details ->> 'setting' = 'reporting_currency' then
                call pipeline.update_currencies();
            else
                if v_last.details ->> 'setting' in ('time_zone', 'counted_statuses') then
                    call pipeline.cover_complete_histories();
                end if;
                call pipeline.rebuild();
            end if;

        when 'rates' then
            delete from meta.exchange_rate e where e.currency = v_last.details ->> 'currency';

            if v_last.details ->> 'old' is not null then
                insert into meta.exchange_rate (currency, per_euro, rate_on, source)
                select v_last.details ->> 'currency', o.per_euro, o.rate_on, o.source
                from pg_catalog.jsonb_to_record(v_last.details -> 'old')
                    as o (per_euro numeric, rate_on date, source text);
            end if;

            delete from meta.batch b where b.batch_id = v_last.batch_id;
            call pipeline.update_currencies();

        else
            v_customers := array(
                select i.customer_id
                from raw.invoice i
                where v_last.batch_id in (i.batch_id, i.superseded_by)
                union
                select c.customer_id
                from raw.customer c
                where v_last.batch_id in (c.batch_id, c.superseded_by)
                    and exists (
                        select
                        from raw.invoice i
                        where i.customer_id = c.customer_id
                            and i.superseded_by is null
                    )
            );

            v_listed := array(select c.customer_id from raw.customer c where c.batch_id = v_last.batch_id);

            delete from raw.invoice i where i.batch_id = v_last.batch_id;
            update raw.invoice i set superseded_by = null where i.superseded_by = v_last.batch_id;
            delete from raw.customer c where c.batch_id = v_last.batch_id;
            update raw.customer c set superseded_by = null where c.superseded_by = v_last.batch_id;
            delete from raw.rejected_row r where r.batch_id = v_last.batch_id;
            update raw.rejected_row r set superseded_by = null where r.superseded_by = v_last.batch_id;
            delete from raw.absent_invoice a where a.noted_by = v_last.batch_id;
            if v_last.kind = 'simulation' then
                delete from usage.session s where s.batch_id = v_last.batch_id;
                delete from ledger.true_mrr_cents;
            end if;

            delete from meta.exchange_rate e where v_last.details -> 'rates' ? e.currency;
            delete from meta.batch b where b.batch_id = v_last.batch_id;
            call pipeline.refresh_touched(v_customers);

            -- Who was known from the batch alone is unknown again, and so without a history.
            v_listed := array(
                select h.customer_id
                from ledger.history h
                where h.customer_id = any(v_listed)
                    and not exists (select from raw.customer c where c.customer_id = h.customer_id)
            );
            call pipeline.keep_histories(v_listed);
    end case;

    return pg_catalog.to_jsonb(v_last);
end;
$$;

comment on function pipeline.undo(bigint) is
    'Takes the last batch back (p_batch: only if it is this one), as if it had never been, and returns it as jsonb; NULL where there is none. Error MR004 where another batch is the last.';
revoke all on function pipeline.undo(bigint) from public;
grant execute on function pipeline.undo(bigint) to pgmrr_writer;
