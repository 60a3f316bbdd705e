-- Who made MRR deviate from what was expected? Rules R10 and R12 (significant days).
--
-- The arrays give the first and last days of periods, and by how much each deviated from
-- what was expected, in the reporting currency; the periods do not overlap. One row a
-- driver: a customer and kind with what it changed in the period. The drivers of a
-- deviation are the largest changes in its direction, as many as make up half of it; all
-- of them where they do not. There is none where the deviation is 0, or where it lies in
-- what did not happen.
--
--     share             change / deviation; passes 1 where others moved the other way
--     cumulative_share  the same of this driver and those before it
create or replace function kpi.change_drivers(p_first_on date[], p_last_on date[], p_deviation numeric[])
returns table (
    first_on date,
    place bigint,
    customer_id text,
    name text,
    kind text,
    change numeric,
    share numeric,
    cumulative_share numeric
)
language sql
stable
parallel safe
begin atomic
    with period as (
        select
            a.first_on,
            a.last_on,
            a.deviation
        from unnest(p_first_on, p_last_on, p_deviation) as a (first_on, last_on, deviation)
        where a.deviation <> 0
    ),
    day as (
        select
            p.first_on,
            p.deviation,
            g.day::date as day
        from period p
        cross join lateral generate_series(p.first_on::timestamp, p.last_on::timestamp, interval '1 day') g (day)
    ),
    -- One pass over the ledger serves all periods: by their days, since ranges cannot be hashed.
    -- As a list they spare most rows the join.
    moved as (
        select
            d.first_on,
            d.deviation,
            l.customer_id,
            l.kind,
            sum(l.change * c.factor) as change
        from kpi.ledger l
        join kpi.currency c
            on c.currency = l.currency
        join day d
            on d.day = l.effective_on
        where l.effective_on = any(array(select g.day from day g))
            and l.kind <> 'preexisting'
        group by d.first_on, d.deviation, l.customer_id, l.kind
    ),
    ordered as (
        select
            m.first_on,
            m.deviation,
            row_number() over by_size as place,
            m.customer_id,
            m.kind,
            m.change,
            sum(m.change) over by_size as change_so_far
        from moved m
        where sign(m.change) = sign(m.deviation)
        window by_size as (
            partition by m.first_on
            order by abs(m.change) desc, m.customer_id collate "C", m.kind collate "C"
        )
    )
    select
        o.first_on,
        o.place,
        o.customer_id,
        u.name,
        o.kind,
        o.change,
        o.change / o.deviation,
        o.change_so_far / o.deviation
    from ordered o
    left join kpi.customer u
        on u.customer_id = o.customer_id
    -- Before this driver, half was not reached.
    where 2 * abs(o.change_so_far - o.change) < abs(o.deviation)
    order by o.first_on, o.place;
end;

comment on function kpi.change_drivers(date[], date[], numeric[]) is
    'R12: the customers and kinds that make up half of the deviation of each of the periods, the largest first; one row a driver, in the reporting currency.';
revoke all on function kpi.change_drivers(date[], date[], numeric[]) from public;
grant execute on function kpi.change_drivers(date[], date[], numeric[]) to pgmrr_reader, pgmrr_writer;
