-- Which revenue does not recur? Rule R2.
--
-- One row an invoice that counts but is of no subscription, or for no time: none of these makes
-- a charge, and so it is never MRR. Where the customer has a void or uncollectible subscription
-- invoice within 31 days, it may stand in its place. That a time is empty is written as an
-- equation, as in the index that finds these few. What is looked up for a row alone costs
-- nothing where it is not asked for.
create or replace view kpi.one_off_revenue as
select
    i.invoice_id,
    i.customer_id,
    (select u.name from kpi.customer u where u.customer_id = i.customer_id) as name,
    (i.issued_at at time zone s.time_zone)::date as issued_on,
    i.currency,
    (
        i.total - case
            when i.exclusive_tax is null and i.inclusive_tax is null then coalesce(i.tax, 0)
            else coalesce(i.exclusive_tax, 0) + coalesce(i.inclusive_tax, 0)
        end
    ) * 0.01 as net,
    i.status,
    case
        when i.subscription_id is null then 'no subscription'
        when i.line_period_start is null or i.line_period_end is null then 'no service period'
        else 'empty service period'
    end collate "C" as reason,
    exists (
        select
        from billing.invoice o
        where o.customer_id = i.customer_id
            and o.subscription_id is not null
            and o.status in ('void', 'uncollectible')
            -- 31 days, as hours: the session's time zone may have longer and shorter days.
            and o.issued_at between i.issued_at - interval '744 hours' and i.issued_at + interval '744 hours'
    ) as is_possible_replacement
from raw.invoice i
cross join meta.setting s
where i.superseded_by is null
    and i.status = any(s.counted_statuses)
    and (
        i.subscription_id is null
        or i.line_period_start is null
        or greatest(i.line_period_start, i.line_period_end) = i.line_period_start
    );

comment on view kpi.one_off_revenue is 'R2: invoices that count but do not recur, one row each, in their own currency. Never MRR.';
comment on column kpi.one_off_revenue.invoice_id is 'The invoice.';
comment on column kpi.one_off_revenue.customer_id is 'The customer billed.';
comment on column kpi.one_off_revenue.name is 'Its name.';
comment on column kpi.one_off_revenue.issued_on is 'Date of the invoice.';
comment on column kpi.one_off_revenue.currency is 'ISO 4217 code.';
comment on column kpi.one_off_revenue.net is 'Total less taxes, in that currency.';
comment on column kpi.one_off_revenue.status is 'Status of the invoice.';
comment on column kpi.one_off_revenue.reason is 'Why it is no recurring revenue.';
comment on column kpi.one_off_revenue.is_possible_replacement is 'True where the customer has a void or uncollectible subscription invoice within 31 days.';
grant select on kpi.one_off_revenue to pgmrr_reader, pgmrr_writer;
