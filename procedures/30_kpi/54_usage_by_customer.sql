-- How often did each customer use the product, period by period? Rule R12.
--
-- p_boundaries are the first days of consecutive periods and, at the end, the day after
-- the last one; what is not covered of them is left out. One row a period and customer who
-- is active in it, which is to have MRR above 0 on at least one day of it; 0 sessions where
-- there were none. No row where there are no sessions at all.
create or replace function kpi.usage_by_customer(p_boundaries date[])
returns table (
    first_on date,
    last_on date,
    customer_id text,
    sessions bigint
)
language sql
stable
parallel safe
set jit = off
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
    stretch as materialized (
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
        select distinct
            p.place,
            p.first_on,
            p.ends_on,
            s.customer_id
        from period p
        join stretch s
            on s.starts_on < p.ends_on
            and s.ends_on > p.first_on
        where s.mrr > 0
            and p.first_on < p.ends_on
    ),
    used as materialized (
        select
            d.place,
            d.customer_id,
            count(*) as sessions
        from (
            select
                s.customer_id,
                width_bucket(s.used_on, p_boundaries) as place
            from kpi.coverage v
            join kpi.session s
                on s.used_on between v.observed_from and v.complete_through
        ) d
        group by d.place, d.customer_id
    )
    select
        a.first_on,
        a.ends_on - 1,
        a.customer_id,
        coalesce(u.sessions, 0)
    from active a
    left join used u
        on u.place = a.place
        and u.customer_id = a.customer_id
    order by a.place, a.customer_id collate "C";
end;

comment on function kpi.usage_by_customer(date[]) is
    'R12: sessions of each active customer in consecutive periods, given by their first days and the day after the last; one row a period and customer, none where there are no sessions.';
revoke all on function kpi.usage_by_customer(date[]) from public;
grant execute on function kpi.usage_by_customer(date[]) to pgmrr_reader, pgmrr_writer;
