-- Who uses the product half as much as before, or less? Rule R12 (engagement).
--
-- One row a customer with MRR above 0 on p_date, and with at most half as many sessions in
-- the 30 days that end on it as in the 30 days before those, of which there was at least one;
-- the largest MRR first, in the reporting currency. Without a day it is the last covered one.
-- No row where one of the 60 days is not covered: what is not known did not fall. Whether a
-- fall says anything about churn here is what kpi.usage_and_churn answers.
create or replace function kpi.usage_at_risk(p_date date default null)
returns table (
    customer_id text,
    name text,
    mrr numeric,
    sessions_before bigint,
    sessions bigint,
    change numeric,
    last_used_on date
)
language sql
stable
parallel safe
set jit = off
begin atomic
    with asked as (
        select coalesce(p_date, v.complete_through) as day
        from kpi.coverage v
        where coalesce(p_date, v.complete_through) between v.observed_from + 59 and v.complete_through
    ),
    used as (
        select
            s.customer_id,
            count(*) filter (where s.used_on <= a.day - 30) as sessions_before,
            count(*) filter (where s.used_on > a.day - 30) as sessions,
            max(s.used_on) as last_used_on
        from asked a
        join kpi.session s
            on s.used_on between a.day - 59 and a.day
        group by s.customer_id
    ),
    fallen as materialized (
        select
            u.customer_id,
            u.sessions_before,
            u.sessions,
            u.last_used_on
        from used u
        where u.sessions_before > 0
            and 2 * u.sessions <= u.sessions_before
    ),
    paying as materialized (
        select
            m.customer_id,
            m.mrr
        from kpi.mrr_by_customer(p_date) m
        where exists (select from fallen)
    )
    select
        f.customer_id,
        u.name,
        p.mrr,
        f.sessions_before,
        f.sessions,
        f.sessions::numeric / f.sessions_before - 1,
        f.last_used_on
    from fallen f
    join paying p
        on p.customer_id = f.customer_id
    left join kpi.customer u
        on u.customer_id = f.customer_id
    order by p.mrr desc, f.customer_id collate "C";
end;

comment on function kpi.usage_at_risk(date) is
    'R12: customers with MRR on a day whose sessions in the 30 days to it fell by half or more against the 30 days before; one row a customer, the largest MRR first. change is a share, -1 to -0.5. Example: select * from kpi.usage_at_risk(''2024-06-30'').';
revoke all on function kpi.usage_at_risk(date) from public;
grant execute on function kpi.usage_at_risk(date) to pgmrr_reader, pgmrr_writer;
