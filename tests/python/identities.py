"""What must hold between the figures of the public surface, whatever the company.

    for name, query in IDENTITIES.items():
        compared, agreed = connection.execute(query, {"days": days}).fetchone()
        assert compared == agreed

Each query returns two numbers: how many it compared, and how many of these agree. Days that are not
covered are left out.
"""

# Every customer who ever had MRR, on the covered ones of the given days.
_CUSTOMER_DAYS = """
    with asked as materialized (
        select d.day
        from unnest(%(days)s::date[]) d (day)
        join kpi.coverage v
            on d.day between v.observed_from and v.complete_through
    ),
    customer_day as materialized (
        select u.customer_id, a.day, kpi.mrr_at(u.customer_id, a.day) as mrr
        from (select distinct customer_id from kpi.ledger) u
        cross join asked a
    )
"""

IDENTITIES = {
    "mrr_at is the sum of mrr_explain by currency, floored, for customers on the days of their movements": """
        select
            count(*),
            count(*) filter (where m.mrr = (
                select coalesce(sum(greatest(e.mrr, 0) * c.factor), 0)
                from (
                    select x.currency, sum(x.mrr) as mrr
                    from kpi.mrr_explain(m.customer_id, m.effective_on) x
                    group by x.currency
                ) e
                join kpi.currency c using (currency)
            ))
        from (
            select o.customer_id, o.effective_on, kpi.mrr_at(o.customer_id, o.effective_on) as mrr
            from (select distinct customer_id, effective_on from kpi.movements()) o
        ) m
    """,
    "in the currency of the ledger mrr_at gives the ledger's balance, for customers with one currency": """
        select
            count(*),
            count(*) filter (where kpi.mrr_at(m.customer_id, m.effective_on, m.currency) = m.balance)
        from kpi.ledger m
        join kpi.coverage v
            on m.effective_on between v.observed_from and v.complete_through
        join (select customer_id from kpi.ledger group by customer_id having count(distinct currency) = 1) u
            using (customer_id)
    """,
    "mrr_total_at is the sum of mrr_at over all customers": """
        select count(*), count(*) filter (where t.mrr = kpi.mrr_total_at(t.day))
        from (
            select d.day, coalesce(sum(kpi.mrr_at(u.customer_id, d.day)), 0) as mrr
            from unnest(%(days)s::date[]) d (day)
            join kpi.coverage v
                on d.day between v.observed_from and v.complete_through
            left join (select customer_id from kpi.customer union select customer_id from kpi.ledger) u on true
            group by d.day
        ) t
    """,
    "mrr_daily opens with the closing of the day before, and all kinds lead from opening to closing": """
        select
            count(*),
            count(*) filter (
                where opening + preexisting + new + reactivation + expansion + contraction + rounding + churn = closing
                    and opening = coalesce(closing_before, opening)
                    and closing = kpi.mrr_total_at(day)
                    and unpaid between 0 and closing
            )
        from (select d.*, lag(d.closing) over (order by d.day) as closing_before from kpi.mrr_daily d) d
    """,
    "mrr_daily's customers are those with MRR, gained and lost by its kinds": _CUSTOMER_DAYS
    + """
        select
            count(*),
            count(*) filter (
                where d.customers = (select count(*) from customer_day c where c.day = d.day and c.mrr > 0)
                    and d.customers = coalesce(d.before, d.customers - d.gained) + d.gained
            )
        from (
            select
                d.*,
                d.customers_preexisting + d.customers_new + d.customers_reactivated - d.customers_churned as gained,
                lag(d.customers) over (order by d.day) as before
            from kpi.mrr_daily d
        ) d
        join asked a using (day)
    """,
    "mrr_monthly is mrr_daily by month": """
        select
            count(*),
            count(*) filter (
                where (m.opening, m.closing, m.unpaid, m.customers) = (f.opening, l.closing, l.unpaid, l.customers)
                    and (m.new, m.churn, m.customers_new, m.customers_churned) = (s.new, s.churn, s.won, s.lost)
                    and m.opening + m.preexisting + m.new + m.reactivation + m.expansion + m.contraction + m.rounding
                        + m.churn = m.closing
            )
        from kpi.mrr_monthly m
        join kpi.mrr_daily f on f.day = m.first_on
        join kpi.mrr_daily l on l.day = m.last_on
        cross join lateral (
            select
                sum(d.new) as new,
                sum(d.churn) as churn,
                sum(d.customers_new) as won,
                sum(d.customers_churned) as lost
            from kpi.mrr_daily d
            where d.day between m.first_on and m.last_on
        ) s
    """,
    "movements add up to mrr_daily by kind": """
        select count(*), count(*) filter (where k.change = coalesce(m.change, 0))
        from kpi.mrr_daily d
        cross join lateral (
            values
                ('preexisting', d.preexisting), ('new', d.new), ('reactivation', d.reactivation),
                ('expansion', d.expansion), ('contraction', d.contraction), ('rounding', d.rounding), ('churn', d.churn)
        ) k (kind, change)
        left join (
            select effective_on, kind::text, sum(change) as change from kpi.movements() group by effective_on, kind
        ) m
            on (m.effective_on, m.kind) = (d.day, k.kind)
    """,
    "retention is what mrr_at says of each customer, and GRR is at most 1 and NRR": _CUSTOMER_DAYS
    + """
        select
            count(*),
            count(*) filter (
                where (r.customers_opening, r.customers_lost) = (s.opening, s.lost)
                    and (r.nrr is null) = (r.grr is null)
                    and (r.grr is null or (r.grr between 0 and 1 and r.grr <= r.nrr))
                    and (r.nrr is null or (round(r.nrr, 9), round(r.grr, 9)) = (round(s.nrr, 9), round(s.grr, 9)))
                    and (r.nrr is not null) = (r.churn_is_observable and s.opening > 0)
            )
        from asked f
        join asked l
            on l.day > f.day
        cross join lateral kpi.retention(f.day + 1, l.day) r
        cross join lateral (
            select
                count(*) as opening,
                count(*) filter (where coalesce(a.mrr, 0) = 0) as lost,
                sum(coalesce(a.mrr, 0)) / sum(b.mrr) as nrr,
                sum(least(b.mrr, coalesce(a.mrr, 0))) / sum(b.mrr) as grr
            from customer_day b
            left join customer_day a
                on (a.customer_id, a.day) = (b.customer_id, l.day)
            where b.day = f.day
                and b.mrr > 0
        ) s
    """,
    "retention of a month is its row in retention_monthly": """
        select count(*), count(*) filter (
            where (m.opening, m.closing, m.customers_lost, m.nrr, m.grr, m.net_mrr_churn_rate, m.quick_ratio, m.ltv)
                is not distinct from
                (r.opening, r.closing, r.customers_lost, r.nrr, r.grr, r.net_mrr_churn_rate, r.quick_ratio, r.ltv)
        )
        from kpi.retention_monthly m
        cross join lateral kpi.retention(m.first_on, m.last_on) r
    """,
    "biggest_customers adds up to mrr_daily": _CUSTOMER_DAYS
    + """
        select
            count(*),
            count(*) filter (
                where (b.mrr, b.unpaid, b.customers) = (d.closing, d.unpaid, d.customers)
                    and (d.customers = 0 or (b.last_share = 1 and round(b.share, 12) = 1 and b.is_ranked))
            )
        from asked a
        join kpi.mrr_daily d using (day)
        cross join lateral (
            select
                coalesce(sum(c.mrr), 0) as mrr,
                coalesce(sum(c.unpaid), 0) as unpaid,
                count(*) as customers,
                sum(c.share) as share,
                max(c.cumulative_share) as last_share,
                count(distinct c.rank) = count(*) and max(c.rank) = count(*) as is_ranked
            from kpi.biggest_customers(a.day, null) c
        ) b
    """,
    "invoice_fate has every current invoice once, and charge and one_off_revenue those that it says": """
        select
            (select count(*) from billing.invoice),
            (
                select count(distinct f.invoice_id)
                from kpi.invoice_fate f
                left join kpi.charge c
                    on (c.customer_id, c.invoice_id) = (f.customer_id, f.invoice_id)
                    and c.basis <> 'implied'
                left join kpi.one_off_revenue o
                    on (o.customer_id, o.invoice_id) = (f.customer_id, f.invoice_id)
                where (f.fate = 'charge') = (c.invoice_id is not null)
                    and (f.fate = 'one-off') = (o.invoice_id is not null)
                    and f.fate in ('charge', 'one-off', 'not counted')
                    and (select count(*) from kpi.invoice_fate) = (select count(*) from billing.invoice)
            )
    """,
    "headline has three rows with one window where anything is covered": """
        select
            case when v.covered_days > 0 then 3 else 0 end,
            (
                select count(*)
                from kpi.headline h
                where h.last_on = v.complete_through
                    and h.first_on between v.observed_from and h.last_on
                    and h.last_on - h.first_on < 31
                    and h.meaning <> ''
            )
        from kpi.coverage v
    """,
}
