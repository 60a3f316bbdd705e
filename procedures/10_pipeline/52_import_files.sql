-- Turns the staged files of an import into versions of facts, as batch p_batch: rows are
-- read, those that cannot be are kept aside, the others stored. What kind of files they are,
-- the batch's source says; only the reading differs.
--
-- The first half of an import; pipeline.finish_import is the second. Returns the currencies
-- that need an exchange rate and have none, with the day whose rate is wanted: the caller
-- brings them by pipeline.add_rate in between. By hand, all in one transaction:
--
--     begin;
--     select pipeline.begin_batch('import', 'stripe', true);
--     select pipeline.stage_file('invoices', 'invoices.csv', array['id', 'Amount Due', …]);
--     -- run the COPY statement that it returned, the same for customers, then
--     select currency, rate_on from pipeline.import_files(1);
--     select pipeline.finish_import(1);
--     commit;
--
-- p_files describes the files: an array of role (invoices, lines, periods or customers), name,
-- bytes and sha256; where it is known which files these were, they can be recognized. With
-- p_replace, known invoices that the file's range of dates should hold and doesn't are dropped.
-- p_options are those of pipeline.read_lines, and for periods `as_of`: the day through which
-- the list is complete.
--
-- Error MR002 where lines or periods have no currency, or where every row was rejected: such a
-- file was read in the wrong way, and leaves nothing. MR004 where an option is none.
create or replace function pipeline.import_files(
    p_batch bigint,
    p_files jsonb default '[]',
    p_replace boolean default false,
    p_options jsonb default '{}'
)
returns table (
    currency text,
    rate_on date
)
language plpgsql
volatile
parallel unsafe
set search_path = ''
as $$
declare
    v_source text := (select b.source from meta.batch b where b.batch_id = p_batch);
    v_role text := case v_source when 'stripe' then 'invoices' else v_source end;
    v_has_customers boolean := pg_catalog.to_regclass('raw.staged_customers') is not null;
    v_facts jsonb;
    v_customers jsonb;
    v_reasons text;
    v_files jsonb;
    v_details jsonb;
begin
    call pipeline.check_import_options(v_source, p_options);

    case v_source
        when 'stripe' then call pipeline.read_stripe_invoices();
        when 'lines' then call pipeline.read_lines(p_options);
        when 'periods' then call pipeline.read_periods(p_options);
    end case;
    call pipeline.reject_ids_of_other_sources(v_source);

    -- Rejected rows are told by the role of their file.
    if v_role <> 'invoices' then
        execute format('create temp view %I as table pg_temp.read_invoices', 'read_' || v_role);
    end if;
    call pipeline.keep_rejected_rows(p_batch, v_role);
    if v_role <> 'invoices' then
        -- By its bare name: temporary ones come first, and Citus knows no schema pg_temp.
        execute format('drop view %I', 'read_' || v_role);
    end if;
    perform pipeline.drop_staging_table(v_role);

    call pipeline.group_read_rows();
    select pg_catalog.jsonb_build_object('role', v_role, 'rows', coalesce(sum(g.rows), 0))
    into v_facts
    from pg_temp.read_groups g;

    if v_has_customers then
        call pipeline.read_customers(p_options);
        call pipeline.keep_rejected_rows(p_batch, 'customers');
        perform pipeline.drop_staging_table('customers');

        select pg_catalog.jsonb_build_object(
            'role', 'customers',
            'rows', count(*),
            'first_created_at', min(r.created_at) filter (where r.state <> 'rejected'),
            'last_created_at', max(r.created_at) filter (where r.state <> 'rejected')
        )
        into v_customers
        from pg_temp.read_customers r;
    end if;

    if (v_facts ->> 'rows')::bigint + coalesce((v_customers ->> 'rows')::bigint, 0) = (
        select count(*) from raw.rejected_row r where r.batch_id = p_batch
    ) then
        select string_agg(format('%s: %s', t.reason, t.rows), ', ' order by t.rows desc, t.reason)
        into v_reasons
        from (
            select
                r.reason,
                count(*) as rows
            from raw.rejected_row r
            where r.batch_id = p_batch
            group by r.reason
        ) t;

        raise exception using
            errcode = 'MR002',
            message = format('no row could be read (%s)', v_reasons),
            hint = case v_source
                when 'stripe' then 'Is it the file that Stripe exported? What reasons mean: pgmrr rejected --reasons'
                else 'Is the map right, and are the options? What reasons mean: pgmrr rejected --reasons'
            end;
    end if;

    v_files := (
        select pg_catalog.jsonb_agg(coalesce(d.file, '{}') || k.file)
        from unnest(array[v_facts, v_customers]) as k (file)
        left join pg_catalog.jsonb_array_elements(p_files) as d (file)
            on d.file ->> 'role' = k.file ->> 'role'
        where k.file is not null
    );

    v_details := pg_catalog.jsonb_build_object('replace', p_replace);
    if p_options <> '{}' then
        v_details := v_details || pg_catalog.jsonb_build_object('options', p_options);
    end if;

    update meta.batch b
    set details = b.details || v_details,
        files = v_files
    where b.batch_id = p_batch;

    call pipeline.store_invoices(p_batch, p_replace);
    call pipeline.store_customers(p_batch);

    v_details := (
        select pg_catalog.jsonb_build_object('absent', count(*), 'dropped', count(*) filter (where a.is_dropped))
        from raw.absent_invoice a
        where a.batch_id = p_batch
    );
    v_details := pg_catalog.jsonb_build_object('invoices', pipeline.counts_of_file(v_role) || v_details);
    if v_has_customers then
        v_details := v_details || pg_catalog.jsonb_build_object('customers', pipeline.counts_of_file('customers'));
    end if;
    v_details := v_details || (
        select pg_catalog.jsonb_build_object('unlisted_customers', count(*))
        from raw.customer c
        where c.batch_id = p_batch
            and not c.is_listed
    );

    update meta.batch b
    set details = b.details || v_details
    where b.batch_id = p_batch;

    if v_source <> 'stripe' then
        call pipeline.note_service(p_batch, p_options);
    end if;
    call pipeline.cover_complete_histories();

    return query
    select w.currency, w.rate_on
    from pipeline.currencies_without_rate(array(
        select distinct g.currency
        from pg_temp.read_groups g
        where g.state in ('new', 'changed')
    )) w;
end;
$$;

comment on function pipeline.import_files(bigint, jsonb, boolean, jsonb) is
    'Turns the staged files of an import into versions of facts, as a batch; returns the currencies that need an exchange rate and have none. pipeline.finish_import completes it.';
revoke all on function pipeline.import_files(bigint, jsonb, boolean, jsonb) from public;
grant execute on function pipeline.import_files(bigint, jsonb, boolean, jsonb) to pgmrr_writer;
