-- For how long is each charge paid? Rules R5, R6 and R8.
--
-- One row a charge that is in force on at least one day, in the customer's currency: the
-- narrow side of the charges, which touches no invoice. `term` says month (1 month), year
-- (12 months) or other. A proration has the term of its cycle; an implied cycle lasted as
-- long as it did. Where the source states MRR and the time in which it holds, and no
-- billing period, the term is NULL: unknown.
create or replace view kpi.charge_term as
select
    c.customer_id,
    c.subscription_id,
    c.currency,
    c.starts_on,
    c.ends_on,
    c.mrr * 0.01 as mrr,
    m.months,
    case
        when m.months = 1 then 'month'
        when m.months = 12 then 'year'
        when c.basis <> 'listed' or m.months is not null then 'other'
    end as term,
    c.is_unpaid,
    c.mrr <> 0 as has_mrr
from billing.charge_cents c
cross join lateral (
    select case
        when c.basis = 'implied' then round((c.ends_on - c.starts_on) / 30.4375)::integer
        else c.months
    end as months
) m
where c.ends_on > c.starts_on;

comment on view kpi.charge_term is 'R5, R6 and R8: the charges that are in force on at least one day, and the length of their terms; one row a charge, in the customer''s currency.';
comment on column kpi.charge_term.customer_id is 'The customer.';
comment on column kpi.charge_term.subscription_id is 'The subscription.';
comment on column kpi.charge_term.currency is 'ISO 4217 code.';
comment on column kpi.charge_term.starts_on is 'First day in force, in the reporting time zone.';
comment on column kpi.charge_term.ends_on is 'First day no longer in force.';
comment on column kpi.charge_term.mrr is 'MRR, a month; of a credit, what it takes away.';
comment on column kpi.charge_term.months is 'Months of the term, or of the cycle that a proration belongs to; NULL where it is no whole number of months, or unknown.';
comment on column kpi.charge_term.term is 'month, year or other; NULL where the source does not say how long is paid for.';
comment on column kpi.charge_term.is_unpaid is 'True where the invoice is open or a draft.';
comment on column kpi.charge_term.has_mrr is 'True where its MRR is not 0.';
grant select on kpi.charge_term to pgmrr_reader, pgmrr_writer;
