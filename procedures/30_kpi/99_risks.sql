-- What could break the forecast? Rules R8, R9, R11 and R12.
--
-- One row a risk that the data show, the most severe first: its evidence in numbers, the MRR
-- it touches on the last covered day (in the reporting currency), that MRR as a share of the
-- company's, and the call that shows more. No rows where nothing is covered or there is no MRR.
-- A risk is high or medium from these shares on, else low:
--
--     risk                 measure                                             high    medium
--     shrinking            MRR lost / MRR won in three months                  1.5     1
--     concentration        share of the largest customer (of the ten largest)  10 (50) 5 (25) %
--     open money           share of MRR on open invoices and drafts            10      3 %
--     never paid           share of MRR of customers who never paid            3       1 %
--     currency             share of MRR billed in one other currency           50      20 %
--     renewals             share of MRR whose term (a year or more) ends in
--                          one of the twelve months to come                    10      5 %
--     discounts            share of MRR billed at 30 % off or more             20      5 %
--     implied              share of MRR that only a renewal proves             20      5 %
--     hidden annual MRR    what may be hidden, as a share of MRR               20      5 %
--     churn unseen         days on which churn could be seen                   < 60    < 365
--     newer cohorts        of new customers, the share kept for three months,
--                          points below the older ones (two standard errors
--                          or more, thirty customers or more on either side)   10      below
--     growth by few        share of five customers in the MRR won in three
--                          months                                              50      25 %
--     usage                share of MRR whose customer's sessions fell by half
--                          or more in 30 days                                  20      10 %
--     short history        months that a forecast reaches                      0       < 6
--
-- Plans of this size take longer to compile than to run: hence no JIT.
create or replace function kpi.risks()
returns table (
    severity text,
    risk text,
    evidence text,
    mrr numeric,
    share numeric,
    see text
)
language sql
stable
parallel safe
set jit = off
begin atomic
    with company as materialized (
        select
            v.observed_from,
            v.complete_through,
            greatest(v.observed_from, v.churn_observable_from) as churn_from,
            v.is_truncated,
            v.longest_term_months,
            v.hidden_annual_mrr,
            -- Three months, or what of them churn can be seen in.
            greatest(
                (v.complete_through + 1 - interval '3 months')::date, v.observed_from, v.churn_observable_from
            ) as recent_from,
            d.closing as mrr,
            d.unpaid,
            d.customers
        from kpi.coverage v
        join kpi.mrr_daily d
            on d.day = v.complete_through
        where d.closing > 0
    ),
    flow as (
        select
            c.recent_from,
            c.mrr,
            sum(d.new + d.reactivation + d.expansion) as won,
            - sum(d.contraction + d.churn) as lost,
            sum(d.customers_new) as customers_new
        from company c
        join kpi.mrr_daily d
            on d.day >= c.recent_from
        group by c.recent_from, c.mrr
    ),
    shrinking as (
        select
            case when f.lost >= 1.5 * f.won then 'high' else 'medium' end as severity,
            'shrinking' as risk,
            format(
                'From %s on %s of MRR was lost and %s won; %s new customers came.',
                to_char(f.recent_from, 'YYYY-MM-DD'),
                to_char(f.lost, 'FM999,999,999,990'),
                to_char(f.won, 'FM999,999,999,990'),
                f.customers_new
            ) as evidence,
            f.lost as mrr,
            'kpi.mrr_monthly' as see
        from flow f
        where f.lost > f.won
    ),
    biggest as materialized (
        select
            max(b.mrr) as first,
            sum(b.mrr) as ten,
            min(b.name) filter (where b.rank = 1) as name
        from kpi.biggest_customers(null, 10) b
    ),
    concentration as (
        select
            case
                when b.first >= 0.1 * c.mrr or b.ten >= 0.5 * c.mrr then 'high'
                when b.first >= 0.05 * c.mrr or b.ten >= 0.25 * c.mrr then 'medium'
                else 'low'
            end,
            'concentration',
            format(
                'The largest customer, %s, brings %s %% of MRR, the ten largest %s %%.',
                b.name,
                round(100 * b.first / c.mrr, 1),
                round(100 * b.ten / c.mrr, 1)
            ),
            b.ten,
            'kpi.biggest_customers()'
        from company c
        cross join biggest b
    ),
    charge as materialized (
        select r.customer_id, r.basis, r.mrr, r.is_unpaid, r.is_never_paid, r.discount
        from kpi.charge_running r
    ),
    firmness as materialized (
        select
            sum(h.mrr) as charged,
            coalesce(sum(h.mrr) filter (where h.is_never_paid), 0) as never_paid,
            count(distinct h.customer_id) filter (where h.is_never_paid) as customers_never_paid,
            coalesce(sum(h.mrr) filter (where h.discount >= 0.3), 0) as discounted,
            count(distinct h.customer_id) filter (where h.discount >= 0.3) as customers_discounted,
            coalesce(sum(h.mrr) filter (where h.basis = 'implied'), 0) as implied
        from charge h
    ),
    open_money as (
        select
            case when c.unpaid >= 0.1 * c.mrr then 'high' when c.unpaid >= 0.03 * c.mrr then 'medium' else 'low' end,
            'open money',
            format('%s %% of MRR rests on invoices that are open or drafts.', round(100 * c.unpaid / c.mrr, 1)),
            c.unpaid,
            'kpi.biggest_customers()'
        from company c
        where c.unpaid > 0
    ),
    never_paid as (
        select
            case when f.never_paid >= 0.03 * c.mrr then 'high' when f.never_paid >= 0.01 * c.mrr then 'medium' else 'low' end,
            'never paid',
            format(
                'Customers of whom no payment is known: %s, with %s %% of MRR.',
                f.customers_never_paid,
                round(100 * f.never_paid / c.mrr, 1)
            ),
            f.never_paid,
            'kpi.charge_running'
        from company c
        cross join firmness f
        where f.never_paid > 0
    ),
    billed_in as (
        select
            d.currency,
            min(y.reporting_currency) as reporting_currency,
            sum(d.change) as mrr
        from company c
        join kpi.daily_change d
            on d.effective_on <= c.complete_through
        join kpi.currency y
            on y.currency = d.currency
        group by d.currency
    ),
    currency as (
        select
            case when b.mrr >= 0.5 * c.mrr then 'high' when b.mrr >= 0.2 * c.mrr then 'medium' else 'low' end,
            'currency',
            format(
                '%s %% of MRR is billed in %s: 10 %% in its rate are %s %s a month.',
                round(100 * b.mrr / c.mrr, 1),
                b.currency,
                to_char(0.1 * b.mrr, 'FM999,999,999,990'),
                b.reporting_currency
            ),
            b.mrr,
            'kpi.currency'
        from company c
        join billed_in b
            on b.currency <> b.reporting_currency
        where b.mrr > 0
    ),
    renewing as (
        select
            date_trunc('month', e.ends_on::timestamp)::date as month,
            sum(t.mrr) as mrr
        from company c
        join kpi.term_start t
            on t.months >= 12
            and t.starts_on <= c.complete_through
        cross join lateral (
            select (t.starts_on + make_interval(months => t.months))::date as ends_on
        ) e
        where e.ends_on > c.complete_through
            and e.ends_on <= c.complete_through + interval '12 months'
        group by 1
        order by 2 desc, 1
        limit 1
    ),
    renewals as (
        select
            case when r.mrr >= 0.1 * c.mrr then 'high' when r.mrr >= 0.05 * c.mrr then 'medium' else 'low' end,
            'renewals',
            format(
                'In %s terms of a year or more end that bring %s %% of MRR, more than in any other month to come.',
                to_char(r.month, 'YYYY-MM'),
                round(100 * r.mrr / c.mrr, 1)
            ),
            r.mrr,
            'kpi.term_start'
        from company c
        cross join renewing r
    ),
    discounts as (
        select
            case when f.discounted >= 0.2 * c.mrr then 'high' when f.discounted >= 0.05 * c.mrr then 'medium' else 'low' end,
            'discounts',
            format(
                'Customers billed at 30 %% off or more: %s, with %s %% of MRR. Whether it lasts cannot be seen.',
                f.customers_discounted,
                round(100 * f.discounted / c.mrr, 1)
            ),
            f.discounted,
            'kpi.charge_running'
        from company c
        cross join firmness f
        where f.discounted > 0
    ),
    implied as (
        select
            case when f.implied >= 0.2 * c.mrr then 'high' when f.implied >= 0.05 * c.mrr then 'medium' else 'low' end,
            'implied',
            format('%s %% of MRR has no invoice of its own: the next renewal proves it.', round(100 * f.implied / c.mrr, 1)),
            f.implied,
            'kpi.charge_running'
        from company c
        cross join firmness f
        where f.implied > 0
    ),
    hidden as (
        select
            case when c.hidden_annual_mrr >= 0.2 * c.mrr then 'high' when c.hidden_annual_mrr >= 0.05 * c.mrr then 'medium' else 'low' end,
            'hidden annual MRR',
            format(
                'Annual customers not billed yet may hide about %s of MRR: %s %% of what is known.',
                to_char(c.hidden_annual_mrr, 'FM999,999,999,990'),
                round(100 * c.hidden_annual_mrr / c.mrr, 1)
            ),
            c.hidden_annual_mrr,
            'kpi.coverage'
        from company c
        where c.hidden_annual_mrr > 0
    ),
    churn_unseen as (
        select
            case when s.days < 60 then 'high' else 'medium' end,
            'churn unseen',
            concat_ws(
                ' ',
                case
                    when s.days = 0 then 'Churn cannot be seen yet.'
                    else format('Churn could be seen on %s days.', s.days)
                end,
                case when c.longest_term_months >= 12 then 'That of annual customers shows only after a year.' end
            ),
            c.mrr,
            'kpi.coverage'
        from company c
        cross join lateral (select greatest(c.complete_through - c.churn_from + 1, 0) as days) s
        where c.is_truncated
            and s.days < 365
    ),
    -- New customers of whom three months are known, and what they still pay then.
    newcomer as (
        select
            n.customer_id,
            n.started_on,
            sum(l.change * y.factor) > 0 as is_kept
        from company c
        cross join lateral (
            select
                k.customer_id,
                min(k.effective_on) as started_on
            from kpi.ledger k
            where k.kind = 'new'
                and k.effective_on >= c.observed_from
                and k.effective_on <= c.complete_through - interval '3 months'
            group by k.customer_id
        ) n
        join kpi.ledger l
            on l.customer_id = n.customer_id
            and l.effective_on <= n.started_on + interval '3 months'
        join kpi.currency y
            on y.currency = l.currency
        group by n.customer_id, n.started_on
    ),
    kept as (
        select
            count(*) filter (where not r.is_recent)::numeric as old,
            count(*) filter (where r.is_recent)::numeric as recent,
            avg(n.is_kept::integer) filter (where not r.is_recent) as old_kept,
            avg(n.is_kept::integer) filter (where r.is_recent) as recent_kept,
            avg(n.is_kept::integer) as kept
        from company c
        cross join newcomer n
        cross join lateral (
            select n.started_on > c.complete_through - interval '9 months' as is_recent
        ) r
    ),
    newer_cohorts as (
        select
            case when k.old_kept - k.recent_kept >= 0.1 then 'high' else 'medium' end,
            'newer cohorts',
            format(
                'After three months %s %% of the last %s new customers are still there; of the %s before them it was %s %%.',
                round(100 * k.recent_kept, 1),
                k.recent,
                k.old,
                round(100 * k.old_kept, 1)
            ),
            null::numeric,
            'kpi.retention_monthly'
        from kept k
        where k.old >= 30
            and k.recent >= 30
            and k.old_kept - k.recent_kept > 2 * sqrt(k.kept * (1 - k.kept) * (1 / k.old + 1 / k.recent))
    ),
    winner as (
        select
            sum(w.won) as won,
            sum(w.won) filter (where w.place <= 5) as by_five,
            count(*) as customers
        from (
            select
                sum(m.change) as won,
                row_number() over (order by sum(m.change) desc) as place
            from company c
            cross join lateral kpi.movements(c.recent_from, c.complete_through) m
            where m.kind in ('new', 'reactivation', 'expansion')
                and c.recent_from <= c.complete_through
            group by m.customer_id
        ) w
    ),
    growth_by_few as (
        select
            case when w.by_five >= 0.5 * w.won then 'high' when w.by_five >= 0.25 * w.won then 'medium' else 'low' end,
            'growth by few',
            format(
                'From %s on five of %s customers brought %s %% of the MRR that was won.',
                to_char(c.recent_from, 'YYYY-MM-DD'),
                w.customers,
                round(100 * w.by_five / w.won, 1)
            ),
            w.by_five,
            'kpi.movements()'
        from company c
        cross join winner w
        where w.customers > 5
            and w.won > 0
    ),
    used as (
        select
            s.customer_id,
            count(*) filter (where s.used_on <= c.complete_through - 30) as before,
            count(*) filter (where s.used_on > c.complete_through - 30) as since
        from company c
        join kpi.session s
            on s.used_on between c.complete_through - 59 and c.complete_through
        where c.observed_from <= c.complete_through - 59
        group by s.customer_id
    ),
    faded as (
        select
            count(*) as customers,
            sum(kpi.mrr_at(u.customer_id, c.complete_through)) as mrr
        from company c
        cross join used u
        where u.since * 2 <= u.before
            and kpi.mrr_at(u.customer_id, c.complete_through) > 0
    ),
    usage as (
        select
            case when f.mrr >= 0.2 * c.mrr then 'high' when f.mrr >= 0.1 * c.mrr then 'medium' else 'low' end,
            'usage',
            format(
                'Customers who use the product half as often as 30 days before, or less: %s, with %s %% of MRR.',
                f.customers,
                round(100 * f.mrr / c.mrr, 1)
            ),
            f.mrr,
            'kpi.engagement_monthly'
        from company c
        cross join faded f
        where f.customers > 0
    ),
    short_history as (
        select
            case when s.is_possible then 'medium' else 'high' end,
            'short history',
            case
                when s.is_possible then format(
                    'A forecast rests on %s %ss and reaches %s ahead.',
                    s.periods,
                    s.grain,
                    case s.reach_months when 1 then 'a month' else s.reach_months || ' months' end
                )
                else s.explanation
            end,
            c.mrr,
            'kpi.forecast_status'
        from company c
        cross join kpi.forecast_status s
        where s.reach_months < 6
    ),
    final as (
        select s.severity, s.risk, s.evidence, s.mrr, s.see from shrinking s
        union all
        table concentration
        union all
        table open_money
        union all
        table never_paid
        union all
        table currency
        union all
        table renewals
        union all
        table discounts
        union all
        table implied
        union all
        table hidden
        union all
        table churn_unseen
        union all
        table newer_cohorts
        union all
        table growth_by_few
        union all
        table usage
        union all
        table short_history
    )
    select
        f.severity,
        f.risk,
        f.evidence,
        round(f.mrr, 2),
        f.mrr / c.mrr,
        f.see
    from company c
    cross join final f
    order by array_position(array['high', 'medium', 'low'], f.severity), f.mrr desc nulls last, f.risk collate "C";
end;

comment on function kpi.risks() is
    'What could break the forecast: risks that the data show, one row each, with severity (high, medium, low), evidence, the MRR touched in the reporting currency, its share of all MRR, and the call that shows more. Example: select * from kpi.risks().';
revoke all on function kpi.risks() from public;
grant execute on function kpi.risks() to pgmrr_reader, pgmrr_writer;
