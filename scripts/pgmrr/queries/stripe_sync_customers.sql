-- The customers that Stripe's sync engine keeps, as pgmrr reads them beside lines.
--
-- One row a customer. Country, currency and metadata become attributes.
select
    c.id,
    coalesce(c.name, c.email) as name,
    to_timestamp(c.created) as created,
    c.address ->> 'country' as country,
    upper(c.currency) as currency,
    nullif(c.metadata, '{}')::text as metadata
from customers c
order by c.created, c.id
