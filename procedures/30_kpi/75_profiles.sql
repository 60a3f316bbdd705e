-- By which rules do others define these metrics? Rule R12.
--
-- One row a profile and metric: `simple` is the methodology of this project, the others are
-- services whose published definitions are read over the same ledger. Only what a service
-- publishes is stated; where the pages that were read define no such metric, or not all of
-- it, the definition is NULL and the note says so. How a service finds MRR in the first
-- place (discounts, trials, dunning) is not compared: it is one ledger for all of them.
create or replace view kpi.profiles as
select
    p.profile,
    m.metric,
    m.unit,
    d.definition,
    d.source,
    d.read_on,
    d.note,
    p.place as profile_place,
    m.place as metric_place
from (
    values
    (1, 'simple'),
    (2, 'stripe'),
    (3, 'chartmogul'),
    (4, 'profitwell')
) p (place, profile)
cross join (
    values
    (1, 'customers_new', 'customers'),
    (2, 'customers_churned', 'customers'),
    (3, 'customer_churn_rate', 'share'),
    (4, 'churned_mrr', 'currency'),
    (5, 'gross_mrr_churn_rate', 'share'),
    (6, 'net_mrr_churn_rate', 'share'),
    (7, 'arpa', 'currency'),
    (8, 'ltv', 'currency')
) m (place, metric, unit)
join (
    values
    ('simple', 'customers_new', 'customers who pay for the first time', 'docs/methodology.md, section 5', null, null),
    ('simple', 'customers_churned', 'customers active at the opening who are at zero at the closing', 'docs/methodology.md, section 5', null, null),
    ('simple', 'customer_churn_rate', 'customers churned / customers active at the opening', 'docs/methodology.md, section 5', null, null),
    ('simple', 'churned_mrr', 'MRR of customers as they leave: |churn|', 'docs/methodology.md, section 5', null, null),
    ('simple', 'gross_mrr_churn_rate', '(|churn| + |contraction|) / opening MRR', 'docs/methodology.md, section 5', null, 'changes of up to 5 cents are rounding, and left out'),
    ('simple', 'net_mrr_churn_rate', '(|churn| + |contraction| - expansion - reactivation) / opening MRR', 'docs/methodology.md, section 5', null, 'changes of up to 5 cents are rounding, and left out'),
    ('simple', 'arpa', 'MRR / customers with MRR above 0', 'docs/methodology.md, section 5', null, null),
    ('simple', 'ltv', 'ARPA / mean monthly customer churn rate of the last up to six whole months', 'docs/methodology.md, section 5', null, null),
    ('stripe', 'customers_new', 'new paid subscribers in the last 30 days', 'https://support.stripe.com/questions/calculating-subscriber-churn-rate-in-billing', date '2026-11-22', 'always the 30 days that end with the range'),
    ('stripe', 'customers_churned', 'times that subscribers went to zero MRR in the last 30 days; a second time counts again', 'https://support.stripe.com/questions/calculating-subscriber-churn-rate-in-billing', date '2026-11-22', 'always the 30 days that end with the range'),
    ('stripe', 'customer_churn_rate', 'churned in the last 30 days / (active 30 days ago + new in those 30 days)', 'https://support.stripe.com/questions/calculating-subscriber-churn-rate-in-billing', date '2026-11-22', 'always the 30 days that end with the range; customers there before the history began count as active 30 days ago; may pass 1 where customers come back and leave again'),
    ('stripe', 'churned_mrr', 'MRR lost with churned subscribers in the last 30 days', 'https://support.stripe.com/questions/calculating-subscriber-churn-rate-in-billing', date '2026-11-22', 'always the 30 days that end with the range; its pages describe churned MRR differently in places: here it is that of subscribers who went to zero'),
    ('stripe', 'gross_mrr_churn_rate', null, 'https://docs.stripe.com/billing/subscriptions/analytics/glossary', date '2026-11-22', 'no definition in the text that was read'),
    ('stripe', 'net_mrr_churn_rate', null, 'https://docs.stripe.com/billing/subscriptions/analytics/glossary', date '2026-11-22', 'no definition in the text that was read'),
    ('stripe', 'arpa', null, 'https://docs.stripe.com/billing/subscriptions/analytics/glossary', date '2026-11-22', 'no definition in the text that was read'),
    ('stripe', 'ltv', null, 'https://docs.stripe.com/billing/subscriptions/analytics/glossary', date '2026-11-22', 'no definition in the text that was read'),
    ('chartmogul', 'customers_new', 'leads that become paid customers for the first time', 'https://help.chartmogul.com/hc/en-us/articles/203299912', date '2026-11-22', null),
    ('chartmogul', 'customers_churned', 'customers who churned in the period, but for those who both joined and churned, or churned and reactivated in it', 'https://help.chartmogul.com/hc/en-us/articles/207340419', date '2026-11-22', 'the standard formula'),
    ('chartmogul', 'customer_churn_rate', 'customers churned, counted so / customers at the start of the period', 'https://help.chartmogul.com/hc/en-us/articles/207340419', date '2026-11-22', 'the standard formula'),
    ('chartmogul', 'churned_mrr', 'MRR of customers as they cancel their last subscription', 'https://help.chartmogul.com/hc/en-us/articles/203299912', date '2026-11-22', null),
    ('chartmogul', 'gross_mrr_churn_rate', '(churn + contraction MRR) / MRR at the start of the period; any decrease is one', 'https://help.chartmogul.com/hc/en-us/articles/203359341', date '2026-11-22', 'the standard formula'),
    ('chartmogul', 'net_mrr_churn_rate', '(churn + contraction - expansion - reactivation MRR) / MRR at the start of the period; any increase or decrease is one', 'https://help.chartmogul.com/hc/en-us/articles/4414075567250', date '2026-11-22', 'the standard formula'),
    ('chartmogul', 'arpa', 'MRR / subscribers', 'https://help.chartmogul.com/hc/en-us/articles/203359301', date '2026-11-22', null),
    ('chartmogul', 'ltv', 'ARPA / mean customer churn rate of the six months before the current one', 'https://help.chartmogul.com/hc/en-us/articles/203359061', date '2026-11-22', 'needs six whole months before the last month of the range'),
    ('profitwell', 'customers_new', 'new customers, but for those who churn in the calendar month in which they are new', 'https://www.paddle.com/help/profitwell-metrics/measure/subscription-retention/are-cancellations-in-the-first-month-counted-as-churn', date '2026-11-22', null),
    ('profitwell', 'customers_churned', 'times that customers churned, but for those who churn in the calendar month in which they are new', 'https://www.paddle.com/help/profitwell-metrics/measure/subscription-retention/are-cancellations-in-the-first-month-counted-as-churn', date '2026-11-22', 'our reading: the page speaks of new customers alone, who do not count as new where they cancel in their first month'),
    ('profitwell', 'customer_churn_rate', null, 'https://www.paddle.com/help/profitwell-metrics/measure/subscription-retention/churn', date '2026-11-22', 'no denominator is stated'),
    ('profitwell', 'churned_mrr', 'MRR of customers who churned, but for those who churn in the calendar month in which they are new', 'https://www.paddle.com/help/profitwell-metrics/measure/subscription-retention/are-cancellations-in-the-first-month-counted-as-churn', date '2026-11-22', 'our reading: the page speaks of new customers alone, who do not count as new where they cancel in their first month'),
    ('profitwell', 'gross_mrr_churn_rate', null, 'https://www.paddle.com/help/profitwell-metrics/measure/subscription-retention/churn', date '2026-11-22', 'no formula is stated'),
    ('profitwell', 'net_mrr_churn_rate', null, 'https://www.paddle.com/help/profitwell-metrics/measure/subscription-retention/churn', date '2026-11-22', 'no formula is stated'),
    ('profitwell', 'arpa', null, 'https://learn.profitwell.com/article/xJx5sQX95w-life-time-value', date '2026-11-22', 'named, but not defined, on the page that was read'),
    ('profitwell', 'ltv', null, 'https://learn.profitwell.com/article/xJx5sQX95w-life-time-value', date '2026-11-22', 'roughly ARPU / (1 - retention), smoothed in a way that is not published')
) d (profile, metric, definition, source, read_on, note)
    on d.profile = p.profile
    and d.metric = m.metric
order by p.place, m.place;

comment on view kpi.profiles is 'R12: how this methodology (simple) and the published rules of others define metrics, one row a profile and metric.';
comment on column kpi.profiles.profile is 'simple, stripe, chartmogul or profitwell.';
comment on column kpi.profiles.metric is 'The metric.';
comment on column kpi.profiles.unit is 'customers, share, or currency (an amount in the reporting currency, a month).';
comment on column kpi.profiles.definition is 'How the profile defines it; NULL where the source does not, or not all of it.';
comment on column kpi.profiles.source is 'Where the definition stands.';
comment on column kpi.profiles.read_on is 'Day on which it was read there; NULL for our own.';
comment on column kpi.profiles.note is 'How it is read, or why there is no definition.';
comment on column kpi.profiles.profile_place is 'Place of the profile in listings.';
comment on column kpi.profiles.metric_place is 'Place of the metric in listings.';
grant select on kpi.profiles to pgmrr_reader, pgmrr_writer;
