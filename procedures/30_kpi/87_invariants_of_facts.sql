-- Do the facts fit together: customers, invoices, their versions, batches, and charges?
--
-- One row a check, described in kpi.checks: how many things were compared, how many of
-- them are wrong, and one of these as an example. Reads every version of every fact once.
create or replace view kpi.invariants_of_facts as
with invoice as not materialized (
    select
        i.customer_id,
        i.invoice_id,
        i.subscription_id,
        i.currency,
        i.status,
        i.line_period_start < i.line_period_end as has_service
    from raw.invoice i
    where i.superseded_by is null
),
customer as not materialized (
    select c.customer_id
    from raw.customer c
    where c.superseded_by is null
),
-- How many facts name each batch, as the one that brought them or that replaced them.
batch_named as (
    select i.batch_id, count(*) as facts from raw.invoice i group by i.batch_id
    union all
    select i.superseded_by, count(*) from raw.invoice i where i.superseded_by is not null group by i.superseded_by
    union all
    select c.batch_id, count(*) from raw.customer c group by c.batch_id
    union all
    select c.superseded_by, count(*) from raw.customer c where c.superseded_by is not null group by c.superseded_by
    union all
    select s.batch_id, count(*) from usage.session s group by s.batch_id
    union all
    select r.superseded_by, count(*) from raw.rejected_row r where r.superseded_by is not null group by r.superseded_by
),
-- A version is followed by that of the batch that superseded it, or was dropped by that batch.
version as (
    select
        i.invoice_id as what,
        i.superseded_by,
        lead(i.batch_id) over (partition by i.customer_id, i.invoice_id order by i.batch_id) as followed_by,
        i.superseded_by is not null
            and exists (
                select
                from raw.absent_invoice a
                where a.batch_id = i.superseded_by
                    and a.customer_id = i.customer_id
                    and a.invoice_id = i.invoice_id
                    and a.is_dropped
            ) as is_dropped
    from raw.invoice i
    union all
    select
        c.customer_id,
        c.superseded_by,
        lead(c.batch_id) over (partition by c.customer_id order by c.batch_id),
        false
    from raw.customer c
),
-- What a batch with facts says that it stored, and what there is of it.
batch_report as (
    select
        b.batch_id,
        case b.kind
            when 'import' then b.details -> 'fates' is not null and jsonb_array_length(b.files) > 0
            else b.details -> 'invoices' is not null
        end as is_whole,
        case b.kind
            when 'import' then array[
                (b.details #>> '{invoices,new}')::bigint + (b.details #>> '{invoices,changed}')::bigint,
                coalesce((b.details #>> '{customers,new}')::bigint + (b.details #>> '{customers,changed}')::bigint, 0)
                + (b.details ->> 'unlisted_customers')::bigint,
                (b.details #>> '{invoices,rejected}')::bigint
                + coalesce((b.details #>> '{customers,rejected}')::bigint, 0),
                0
            ]
            else array[
                (b.details ->> 'invoices')::bigint,
                (b.details ->> 'acquired')::bigint,
                0,
                coalesce((b.details ->> 'sessions')::bigint, 0)
            ]
        end as said,
        array[
            coalesce(i.facts, 0),
            coalesce(c.facts, 0),
            coalesce(r.facts, 0),
            coalesce(s.facts, 0)
        ] as stored
    from meta.batch b
    left join (select i.batch_id, count(*) as facts from raw.invoice i group by i.batch_id) i
        on i.batch_id = b.batch_id
    left join (select c.batch_id, count(*) as facts from raw.customer c group by c.batch_id) c
        on c.batch_id = b.batch_id
    left join (select r.batch_id, count(*) as facts from raw.rejected_row r group by r.batch_id) r
        on r.batch_id = b.batch_id
    left join (select s.batch_id, count(*) as facts from usage.session s group by s.batch_id) s
        on s.batch_id = b.batch_id
    where b.source is not null
),
charged as (
    select
        c.customer_id,
        c.invoice_id,
        count(*) as charges
    from billing.charge_cents c
    where c.basis <> 'implied'
    group by c.customer_id, c.invoice_id
)
select
    'customers of invoices' as check_name,
    count(*) as compared,
    count(*) filter (where c.customer_id is null) as wrong,
    min(format('%s of %s', i.invoice_id, i.customer_id)) filter (where c.customer_id is null) as example
from invoice i
left join customer c
    on c.customer_id = i.customer_id
union all
select
    'customers of the ledger',
    count(*),
    count(*) filter (where c.customer_id is null),
    min(m.customer_id) filter (where c.customer_id is null)
from (
    select l.customer_id from ledger.movement_cents l
    union
    select s.customer_id from usage.session s
) m
left join customer c
    on c.customer_id = m.customer_id
union all
select
    'invoices of charges',
    count(*),
    count(*) filter (where i.invoice_id is null),
    min(format('%s of %s', c.invoice_id, c.customer_id)) filter (where i.invoice_id is null)
from billing.charge_cents c
left join invoice i
    on i.customer_id = c.customer_id
    and i.invoice_id = c.invoice_id
    and i.subscription_id = c.subscription_id
    and i.currency = c.currency
union all
select
    'fates of invoices',
    count(*),
    count(*) filter (where f.is_wrong),
    min(format('%s of %s', f.invoice_id, f.customer_id)) filter (where f.is_wrong)
from (
    select
        i.customer_id,
        i.invoice_id,
        coalesce(c.charges, 0) <> case
            when i.status = any(s.counted_statuses) and i.subscription_id is not null and i.has_service then 1
            else 0
        end as is_wrong
    from invoice i
    cross join meta.setting s
    left join charged c
        on c.customer_id = i.customer_id
        and c.invoice_id = i.invoice_id
) f
union all
select
    'versions in order',
    count(*),
    count(*) filter (where v.superseded_by is distinct from v.followed_by and not v.is_dropped),
    min(v.what) filter (where v.superseded_by is distinct from v.followed_by and not v.is_dropped)
from version v
union all
select
    'batches of facts',
    coalesce(sum(n.facts), 0)::bigint,
    coalesce(sum(n.facts) filter (where b.batch_id is null), 0)::bigint,
    'batch ' || min(n.batch_id) filter (where b.batch_id is null)
from batch_named n
left join meta.batch b
    on b.batch_id = n.batch_id
union all
select
    'batches are whole',
    count(*),
    count(*) filter (where (r.is_whole and r.said = r.stored) is not true),
    min(
        case
            when r.is_whole is not true then format('batch %s was not finished', r.batch_id)
            else format(
                'batch %s says (invoices, customers, rejected rows, sessions) = %s and has %s',
                r.batch_id, r.said::text, r.stored::text
            )
        end
    ) filter (where (r.is_whole and r.said = r.stored) is not true)
from batch_report r
union all
select
    'rejected rows',
    count(*),
    count(*) filter (where r.superseded_by is null),
    min(format('batch %s, %s, line %s: %s', r.batch_id, r.file_role, r.line_number, r.reason))
    filter (where r.superseded_by is null)
from raw.rejected_row r;

comment on view kpi.invariants_of_facts is 'Checks of customers, invoices, versions, batches and charges against each other, one row a check; kpi.invariants has all.';
comment on column kpi.invariants_of_facts.check_name is 'The check, described in kpi.checks.';
comment on column kpi.invariants_of_facts.compared is 'How many things were compared.';
comment on column kpi.invariants_of_facts.wrong is 'How many of them are wrong.';
comment on column kpi.invariants_of_facts.example is 'One of those; NULL where none is wrong.';
grant select on kpi.invariants_of_facts to pgmrr_reader, pgmrr_writer;
