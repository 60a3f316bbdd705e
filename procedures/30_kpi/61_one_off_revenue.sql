-- Which revenue does not recur? Rule R2.
--
-- One row an invoice that counts but is not recurring. It is never MRR. Where the
-- customer has a void or uncollectible subscription invoice within 31 days, it may stand
-- in its place. What is said of its subscription and time follows from its fate, since an
-- invoice of a subscription that is paid, for a time, makes a charge: by it an index finds the
-- few rows.
create or replace view kpi.one_off_revenue as
select
    f.invoice_id,
    f.customer_id,
    u.name,
    f.issued_on,
    f.currency,
    f.total - case
        when i.exclusive_tax is null and i.inclusive_tax is null then coalesce(i.tax, 0)
        else coalesce(i.exclusive_tax, 0) + coalesce(i.inclusive_tax, 0)
    end as net,
    f.status,
    f.detail as reason,
    exists (
        select
        from billing.invoice o
        where o.customer_id = f.customer_id
            and o.subscription_id is not null
            and o.status in ('void', 'uncollectible')
            -- 31 days, as hours: the session's time zone may have longer and shorter days.
            and o.issued_at between i.issued_at - interval '744 hours' and i.issued_at + interval '744 hours'
    ) as is_possible_replacement
from kpi.invoice_fate f
join billing.invoice i
    on i.customer_id = f.customer_id
    and i.invoice_id = f.invoice_id
left join kpi.customer u
    on u.customer_id = f.customer_id
where f.fate = 'one-off'
    and (
        i.status <> 'paid'
        or i.subscription_id is null
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
