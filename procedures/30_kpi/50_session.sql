-- When did customers use the product? One row a session.
create or replace view kpi.session as
select
    s.customer_id,
    (s.created_at at time zone z.time_zone)::date as used_on,
    s.created_at
from usage.session s
cross join meta.setting z;

comment on view kpi.session is 'Sessions, one row each time a customer used the product.';
comment on column kpi.session.customer_id is 'The customer.';
comment on column kpi.session.used_on is 'The day, in the reporting time zone.';
comment on column kpi.session.created_at is 'When the session began.';
grant select on kpi.session to pgmrr_reader, pgmrr_writer;
