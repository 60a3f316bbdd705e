-- Who are the customers? One row a customer, those known from invoices alone included.
create or replace view kpi.customer as
select
    c.customer_id,
    coalesce(c.name, c.customer_id) as name,
    (c.created_at at time zone (select s.time_zone from meta.setting s))::date as created_on,
    c.attributes
from raw.customer c
where c.superseded_by is null;

comment on view kpi.customer is 'The customers, one row each.';
comment on column kpi.customer.customer_id is 'The customer.';
comment on column kpi.customer.name is 'Name; the customer_id where the source has none.';
comment on column kpi.customer.created_on is 'Day on which the customer was created; NULL where unknown.';
comment on column kpi.customer.attributes is 'Every further column of the source, by its name.';
grant select on kpi.customer to pgmrr_reader, pgmrr_writer;
