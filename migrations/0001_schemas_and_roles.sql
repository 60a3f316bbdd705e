-- The schemas of pgmrr, the three roles, and who may enter what.
--
-- Roles belong to the cluster, so they are made only where they are missing and
-- no rollback drops them. A database in which one of our schemas exists and was
-- not made by pgmrr is refused before anything is changed.

do $refuse$
declare
    v_foreign text;
begin
    -- The runner makes `meta` beforehand, for the tables in which yoyo keeps its
    -- books; its comment marks it as ours.
    select string_agg(n.nspname, ', ' order by n.nspname)
    into v_foreign
    from pg_catalog.pg_namespace n
    where n.nspname in ('raw', 'billing', 'usage', 'ledger', 'meta', 'pipeline', 'simulation', 'kpi')
        and coalesce(pg_catalog.obj_description(n.oid, 'pg_namespace'), '') not like 'pgmrr: %';

    if v_foreign is not null then
        raise exception using
            errcode = 'MR001',
            message = format('this database already has schemas that pgmrr did not make: %s', v_foreign),
            hint = 'Give pgmrr a database of its own: create database pgmrr.';
    end if;
end
$refuse$;

do $roles$
declare
    v_role text;
begin
    foreach v_role in array array['pgmrr_owner', 'pgmrr_writer', 'pgmrr_reader'] loop
        begin
            if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
                execute format('create role %I nologin', v_role);
            end if;
        exception
            -- A migration of another database on this cluster made it meanwhile.
            when duplicate_object or unique_violation then
                null;
        end;
    end loop;

    -- Whoever migrates acts as the owner. From PostgreSQL 16 on, who made a role may
    -- give it away, but not act as it before giving it to himself.
    if not pg_catalog.pg_has_role(
        'pgmrr_owner',
        case when current_setting('server_version_num')::integer < 160000 then 'member' else 'set' end
    ) then
        begin
            execute format('grant pgmrr_owner to %I', current_user);
        exception
            -- A migration of another database on this cluster gave it meanwhile.
            when unique_violation then
                null;
        end;
    end if;

    execute format('grant create on database %I to pgmrr_owner', current_database());
end
$roles$;

create schema if not exists meta;
alter schema meta owner to pgmrr_owner;
-- yoyo, which runs as whoever migrates, keeps its own tables here.
do $books$
begin
    execute format('grant usage, create on schema meta to %I', current_user);
end
$books$;

create schema raw authorization pgmrr_owner;
create schema billing authorization pgmrr_owner;
create schema usage authorization pgmrr_owner;
create schema ledger authorization pgmrr_owner;
create schema pipeline authorization pgmrr_owner;
create schema simulation authorization pgmrr_owner;
create schema kpi authorization pgmrr_owner;

set local role pgmrr_owner;

comment on schema meta is 'pgmrr: batches, settings, exchange rates, coverage, and the books of the migrations.';
comment on schema raw is 'pgmrr: every version of every invoice and customer that was read, and the rows that were rejected.';
comment on schema billing is 'pgmrr: the current customers, invoices and subscriptions, and the charges made from them (rules R1 to R8).';
comment on schema usage is 'pgmrr: what customers do with the product.';
comment on schema ledger is 'pgmrr: changes of MRR by customer, and their totals by day (rules R9 and R10).';
comment on schema pipeline is 'pgmrr: code that brings data in and keeps charges and ledger; for writers.';
comment on schema simulation is 'pgmrr: code that simulates ABC Enterprises; for writers.';
comment on schema kpi is 'pgmrr: the public surface: every metric as a view or a function; for readers.';

-- Nobody gets anything that was not granted on purpose.
alter default privileges for role pgmrr_owner revoke execute on functions from public;

grant usage on schema raw, billing, usage, ledger, meta, pipeline, simulation to pgmrr_writer;
grant usage on schema kpi to pgmrr_reader, pgmrr_writer;

reset role;
