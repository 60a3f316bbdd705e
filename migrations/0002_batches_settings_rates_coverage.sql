-- depends: 0001_schemas_and_roles
-- What was brought in and when, the settings of the rules, the exchange rates,
-- and what the data can say.

set local role pgmrr_owner;

create table meta.batch (
    batch_id bigint not null,
    kind text not null,
    source text,
    is_truncated boolean,
    as_of timestamptz,
    first_invoice_at timestamptz,
    last_invoice_at timestamptz,
    covered_from date,
    covered_through date,
    files jsonb not null default '[]',
    details jsonb not null default '{}',
    created_at timestamptz not null default now(),
    created_by text collate "C" not null default session_user,
    constraint batch_pkey primary key (batch_id),
    constraint batch_kind_is_known check (kind in ('import', 'simulation', 'settings', 'rates')),
    constraint batch_source_is_known check (source in ('stripe', 'lines', 'periods', 'simulation')),
    constraint batch_with_facts_names_its_source check ((kind in ('import', 'simulation')) = (source is not null)),
    constraint batch_with_facts_says_whether_history_is_truncated check ((source is null) = (is_truncated is null))
);

comment on table meta.batch is 'One row a batch: an import, a simulation, or a change of settings or rates. Facts refer to the batch that brought them.';
comment on column meta.batch.batch_id is 'Number of the batch, counting from 1 without gaps.';
comment on column meta.batch.kind is 'import, simulation, settings or rates.';
comment on column meta.batch.source is 'Where the facts come from: stripe, lines, periods or simulation. NULL for settings and rates.';
comment on column meta.batch.is_truncated is 'True where the history starts in the middle of the company''s life (an export), false where it is complete.';
comment on column meta.batch.as_of is 'The latest moment that the batch tells of. Facts of a batch with an earlier moment never replace those of one with a later moment.';
comment on column meta.batch.first_invoice_at is 'Date of the earliest invoice that was read.';
comment on column meta.batch.last_invoice_at is 'Date of the latest invoice that was read.';
comment on column meta.batch.covered_from is 'First day of a complete history. NULL for a truncated one.';
comment on column meta.batch.covered_through is 'Last day of a complete history. NULL for a truncated one.';
comment on column meta.batch.files is 'Array of the files read: role, name, bytes, rows and SHA-256 of each.';
comment on column meta.batch.details is 'Counts of an import, parameters of a simulation, old and new values of settings and rates.';
comment on column meta.batch.created_at is 'When the batch was written.';
comment on column meta.batch.created_by is 'The role that wrote it.';

create table meta.setting (
    is_only_row boolean not null default true,
    time_zone text not null default 'UTC',
    counted_statuses text[] not null default '{paid,open,draft}',
    rounding_tolerance numeric not null default 0.05,
    implied_cycles boolean not null default true,
    observed_from date,
    reporting_currency text collate "C",
    constraint setting_pkey primary key (is_only_row),
    constraint setting_has_one_row check (is_only_row),
    constraint setting_counts_only_statuses_that_can_count check (
        counted_statuses <@ array['paid', 'open', 'draft'] and cardinality(counted_statuses) > 0
    ),
    constraint setting_rounding_tolerance_is_small check (rounding_tolerance between 0 and 1),
    constraint setting_reporting_currency_has_three_letters check (reporting_currency ~ '^[A-Z]{3}$')
);

comment on table meta.setting is 'The settings of the rules, in one row. Change them with pipeline.set_setting, which rebuilds what depends on them.';
comment on column meta.setting.is_only_row is 'Always true: there is one row.';
comment on column meta.setting.time_zone is 'Reporting time zone: a date is the day in this zone. Default UTC.';
comment on column meta.setting.counted_statuses is 'R1: invoices with these statuses count; any of paid, open and draft. Default all three.';
comment on column meta.setting.rounding_tolerance is 'R10: changes up to this much a month are rounding, not expansion or contraction. Default 0.05.';
comment on column meta.setting.implied_cycles is 'R8: whether a renewal proves the cycle before it, in a truncated history. Default true.';
comment on column meta.setting.observed_from is 'R11: first day on which MRR is known, where you know better than the default: the day after the first invoice.';
comment on column meta.setting.reporting_currency is 'R13: currency of the reports. Default: the only currency of the company, else EUR.';

insert into meta.setting default values;

create table meta.exchange_rate (
    currency text collate "C" not null,
    per_euro numeric not null,
    rate_on date not null,
    source text not null,
    constraint exchange_rate_pkey primary key (currency),
    constraint exchange_rate_currency_has_three_letters check (currency ~ '^[A-Z]{3}$'),
    constraint exchange_rate_is_not_for_the_euro_itself check (currency <> 'EUR'),
    constraint exchange_rate_is_positive check (per_euro > 0 and per_euro < 'Infinity'),
    constraint exchange_rate_source_is_known check (source in ('ECB', 'user'))
);

comment on table meta.exchange_rate is 'R13: one constant rate for each currency, so that no movement is an effect of exchange rates.';
comment on column meta.exchange_rate.currency is 'ISO 4217 code, upper case.';
comment on column meta.exchange_rate.per_euro is 'Units of the currency for one euro.';
comment on column meta.exchange_rate.rate_on is 'Day of the rate.';
comment on column meta.exchange_rate.source is 'ECB (the European Central Bank''s reference rate) or user.';

create table meta.coverage (
    is_only_row boolean not null default true,
    is_truncated boolean not null,
    first_invoice_at timestamptz,
    observed_from date,
    complete_through date,
    longest_term_months integer,
    constraint coverage_pkey primary key (is_only_row),
    constraint coverage_has_one_row check (is_only_row)
);

comment on table meta.coverage is 'R11: what the data can say, in one row, which the refresh keeps. Outside [observed_from, complete_through] MRR is unknown.';
comment on column meta.coverage.is_only_row is 'Always true: there is one row.';
comment on column meta.coverage.is_truncated is 'True where any source starts in the middle of the company''s life.';
comment on column meta.coverage.first_invoice_at is 'Date of the first invoice of the history.';
comment on column meta.coverage.observed_from is 'First day on which MRR is known; NULL while there are no facts.';
comment on column meta.coverage.complete_through is 'Last day on which MRR is known; NULL while there are no facts.';
comment on column meta.coverage.longest_term_months is 'Longest whole-month term among the charges, in months.';

insert into meta.coverage (is_truncated) values (false);

grant select on meta.batch, meta.setting, meta.exchange_rate, meta.coverage to pgmrr_writer;
grant insert, update, delete on meta.batch, meta.exchange_rate to pgmrr_writer;
grant update on meta.setting, meta.coverage to pgmrr_writer;

-- The planner takes a table that was never analyzed for one of some hundred rows, and
-- these two are joined everywhere.
analyze meta.setting, meta.coverage;

reset role;
