-- The settings and the coverage that rules depend on, as variables: they are constants
-- of the queries that read them, so that what they switch off is planned away.
set variable time_zone = (select s.time_zone from setting s);
set variable counted_statuses = (select string_split(trim(s.counted_statuses, '{}'), ',') from setting s);
set variable rounding_tolerance_cents = (select s.rounding_tolerance * 100 from setting s);
set variable has_implied_cycles = (
    select c.is_truncated and s.implied_cycles
    from coverage c
    cross join setting s
);
set variable is_truncated = (select c.is_truncated from coverage c);
set variable first_invoice_at = (select c.first_invoice_at from coverage c);
set variable observed_from = (select c.observed_from from coverage c);

create type if not exists charge_basis as enum ('listed', 'implied', 'term', 'proration', 'days');
create type if not exists movement_kind as enum (
    'preexisting', 'new', 'reactivation', 'expansion', 'contraction', 'rounding', 'churn', 'unpaid'
);
