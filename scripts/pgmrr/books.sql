-- The books of migrations and code: what was applied, and from which content.
--
-- Made before the first migration, in the schema in which yoyo keeps its own
-- tables. Running it again changes nothing.
create schema if not exists meta;

comment on schema meta is 'pgmrr: batches, settings, exchange rates, coverage, and the books of the migrations.';

create table if not exists meta.migration_checksum (
    migration_id text collate "C" not null,
    checksum text not null,
    recorded_at timestamptz not null default now(),
    constraint migration_checksum_pkey primary key (migration_id)
);

comment on table meta.migration_checksum is 'The content of each applied migration. An applied migration whose file differs from it is refused.';
comment on column meta.migration_checksum.migration_id is 'Name of the migration''s file, without .sql.';
comment on column meta.migration_checksum.checksum is 'SHA-256 of the file, its line ends taken as \n, in hexadecimal.';
comment on column meta.migration_checksum.recorded_at is 'When pgmrr applied the migration, or first saw it where yoyo applied it by hand.';

create table if not exists meta.procedure_checksum (
    is_only_row boolean not null default true,
    files_checksum text not null,
    code_checksum text not null,
    loaded_at timestamptz not null default now(),
    constraint procedure_checksum_pkey primary key (is_only_row),
    constraint procedure_checksum_has_one_row check (is_only_row)
);

comment on table meta.procedure_checksum is 'Which code is loaded, in one row. The code is loaded again where either checksum differs.';
comment on column meta.procedure_checksum.is_only_row is 'Always true: there is one row.';
comment on column meta.procedure_checksum.files_checksum is 'SHA-256 of all files in procedures/ with their paths, in hexadecimal.';
comment on column meta.procedure_checksum.code_checksum is 'SHA-256 of the functions, procedures and views that they made, as PostgreSQL shows them.';
comment on column meta.procedure_checksum.loaded_at is 'When they were loaded.';
