-- What can the data say? Rule R11, on the batches up to p_batch (all: NULL).
--
-- One row. An export's first and last day are partial: MRR is known from the day
-- after its first invoice to the day before its last one. A complete history is
-- known from its first to its last day. A setting overrides the first day of a truncated
-- one. The dates are those of the files as read,
-- so that coverage does not depend on the order in which they came.
create or replace function pipeline.coverage_at(p_batch bigint default null)
returns table (
    is_truncated boolean,
    first_invoice_at timestamptz,
    observed_from date,
    complete_through date
)
language sql
stable
parallel safe
begin atomic
    select
        coalesce(bool_or(b.is_truncated), false),
        min(b.first_invoice_at),
        coalesce(
            case when bool_or(b.is_truncated) then min(s.observed_from) end,
            case when bool_or(b.is_truncated) then (min(b.first_invoice_at) at time zone min(s.time_zone))::date + 1 end,
            min(b.covered_from)
        ),
        max(coalesce(b.covered_through, (b.last_invoice_at at time zone s.time_zone)::date - 1))
    from meta.batch b
    cross join meta.setting s
    where b.source is not null
        and (p_batch is null or b.batch_id <= p_batch);
end;

comment on function pipeline.coverage_at(bigint) is
    'R11: first and last day on which MRR is known, one row, from the batches up to p_batch (NULL: all).';
revoke all on function pipeline.coverage_at(bigint) from public;
grant execute on function pipeline.coverage_at(bigint) to pgmrr_writer;
