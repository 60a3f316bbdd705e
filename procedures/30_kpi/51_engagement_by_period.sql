-- How much do customers use the product, period by period? Rule R12.
--
-- p_boundaries are the first days of consecutive periods and, at the end, the day after
-- the last one; what is not covered of them is left out. One row a period; none where there
-- are no sessions at all. A customer is active in a period where it has MRR above 0 on at
-- least one day of it.
create or replace function kpi.engagement_by_period(p_boundaries date[])
returns table (
    first_on date,
    last_on date,
    sessions bigint,
    customers_with_sessions bigint,
    customers_active bigint,
    sessions_per_customer numeric
)
language sql
stable
parallel safe
begin atomic
    with period as (
        select
            b.place,
            greatest(b.first_on, v.observed_from) as first_on,
            least(b.ends_on, v.complete_through + 1) as ends_on
        from unnest(p_boundaries, p_boundaries[2:]) with ordinality as b (first_on, ends_on, place)
        cross join kpi.coverage v
        where b.ends_on is not null
            and exists (select from kpi.session)
    ),
    -- A customer's MRR over all currencies holds until its next change.
    stretch as (
        select
            l.customer_id,
            l.effective_on as starts_on,
            lead(l.effective_on, 1, 'infinity') over (partition by l.customer_id order by l.effective_on) as ends_on,
            sum(l.change * c.factor) over (partition by l.customer_id order by l.effective_on) as mrr
        from kpi.ledger l
        join kpi.currency c
            on c.currency = l.currency
    ),
    active as (
        select
            p.place,
            count(distinct s.customer_id) as customers
        from period p
        join stretch s
            on s.starts_on < p.ends_on
            and s.ends_on > p.first_on
        where s.mrr > 0
        group by p.place
    ),
    used as (
        select
            d.place,
            count(*) as sessions,
            count(distinct d.customer_id) as customers
        from (
            select
                s.customer_id,
                width_bucket(s.used_on, p_boundaries) as place
            from kpi.coverage v
            join kpi.session s
                on s.used_on between v.observed_from and v.complete_through
        ) d
        group by d.place
    )
    select
        p.first_on,
        p.ends_on - 1,
        coalesce(u.sessions, 0),
        coalesce(u.customers, 0),
        coalesce(a.customers, 0),
        coalesce(u.sessions, 0)::numeric / nullif(a.customers, 0)
    from period p
    left join used u
        on u.place = p.place
    left join active a
        on a.place = p.place
    where p.first_on < p.ends_on
    order by p.place;
end;

comment on function kpi.engagement_by_period(date[]) is
    'R12: sessions and active customers of consecutive periods, given by their first days and the day after the last; one row a period, none where there are no sessions.';
revoke all on function kpi.engagement_by_period(date[]) from public;
grant execute on function kpi.engagement_by_period(date[]) to pgmrr_reader, pgmrr_writer;
