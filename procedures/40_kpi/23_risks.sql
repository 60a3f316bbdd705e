-- What could break the forecast? Rules R8, R9, R11 and R12.
--
-- One row a risk that the data show, the most severe first: its evidence in numbers, the MRR
-- it touches on the last covered day (in the reporting currency), that MRR as a share of the
-- company's, and the calls that show more: what one of them counts is taken from it, so both
-- say the same. No rows where nothing is covered or there is no MRR. A risk is high or medium
-- from these shares on, else low:
--
--     risk                 measure                                             high    medium
--     shrinking            MRR lost / MRR won in three months                  1.5     1
--     concentration        share of the largest customer (of the ten largest)  10 (50) 5 (25) %
--     open money           share of MRR on open invoices and drafts            10      3 %
--     never paid           share of MRR of customers who never paid            3       1 %
--     currency             share of MRR billed in one other currency           50      20 %
--     renewals             share of MRR whose annual term ends in one month
--                          to come                                             10      5 %
--     discounts            share of MRR billed at 30 % off or more             20      5 %
--     implied              share of MRR that only a renewal proves             20      5 %
--     hidden annual MRR    what may be hidden, as a share of MRR               20      5 %
--     churn unseen         days on which churn could be seen                   < 60    < 365
--     newer cohorts        of the cohorts whose third month is one of the last
--                          six, the share of customers kept for three months,
--                          points below the older cohorts (two standard
--                          errors or more, thirty customers or more on either
--                          side)                                               10      below
--     growth by few        share of five customers in the MRR won in three
--                          months                                              50      25 %
--     usage                share of MRR whose customer's sessions fell by half
--                          or more in 30 days, unless customers with such a
--                          fall are not seen to churn more often (then low)    20      10 %
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
            c.complete_through,
            sum(d.new + d.reactivation + d.expansion) as won,
            - sum(d.contraction + d.churn) as lost,
            sum(d.customers_new) as customers_new
        from company c
        join kpi.mrr_daily d
            on d.day >= c.recent_from
        group by c.recent_from, c.complete_through
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
            format(
                'kpi.movements(%L, %L)', to_char(f.recent_from, 'YYYY-MM-DD'), to_char(f.complete_through, 'YYYY-MM-DD')
            ) as see
        from flow f
        where f.lost > f.won
    ),
    concentration as (
        select
            case
                when m.top_1 >= 0.1 or m.top_10 >= 0.5 then 'high'
                when m.top_1 >= 0.05 or m.top_10 >= 0.25 then 'medium'
                else 'low'
            end,
            'concentration',
            format(
                'The largest customer, %s, brings %s %% of MRR%s.',
                coalesce(b.name, b.customer_id),
                round(100 * m.top_1, 1),
                case
                    when m.customers > 10 then format(', the ten largest %s %%', round(100 * m.top_10, 1))
                    else format('; customers in all: %s', m.customers)
                end
            ),
            m.top_10 * m.mrr,
            'kpi.concentration(), kpi.biggest_customers()'
        from kpi.concentration(null) m
        cross join kpi.biggest_customers(null, 1) b
    ),
    -- Charges run ahead of balances where a credit takes a balance to zero: never above MRR.
    firmness as materialized (
        select
            count(distinct h.customer_id) filter (where h.discount >= 0.3) as customers_discounted,
            least(coalesce(sum(h.mrr) filter (where h.discount >= 0.3), 0), c.mrr) as discounted,
            least(coalesce(sum(h.mrr) filter (where h.basis = 'implied'), 0), c.mrr) as implied
        from company c
        cross join kpi.charge_running h
        group by c.mrr
    ),
    open_money as (
        select
            case when c.unpaid >= 0.1 * c.mrr then 'high' when c.unpaid >= 0.03 * c.mrr then 'medium' else 'low' end,
            'open money',
            format('%s %% of MRR rests on invoices that are open or drafts.', round(100 * c.unpaid / c.mrr, 1)),
            c.unpaid,
            'kpi.mrr_monthly, kpi.biggest_customers()'
        from company c
        where c.unpaid > 0
    ),
    never_paid as (
        select
            case when n.mrr >= 0.03 * c.mrr then 'high' when n.mrr >= 0.01 * c.mrr then 'medium' else 'low' end,
            'never paid',
            concat_ws(
                ' ',
                format(
                    'Customers of whom no payment is known: %s, with %s %% of MRR.', n.customers, round(100 * n.mrr / c.mrr, 1)
                ),
                case
                    when n.may_have_paid_before > 0
                        then format('May have paid before the history began: %s.', n.may_have_paid_before)
                end
            ),
            n.mrr,
            'kpi.never_paid'
        from company c
        cross join (
            select
                count(*) as customers,
                sum(p.mrr) as mrr,
                count(*) filter (where p.may_have_paid_before) as may_have_paid_before
            from kpi.never_paid p
        ) n
        where n.customers > 0
    ),
    currency as (
        select
            case when b.mrr >= 0.5 * c.mrr then 'high' when b.mrr >= 0.2 * c.mrr then 'medium' else 'low' end,
            'currency',
            format(
                '%s %% of MRR is billed in %s: 10 %% in its rate are %s %s a month.',
                round(100 * b.mrr / c.mrr, 1),
                b.segment,
                to_char(0.1 * b.mrr, 'FM999,999,999,990'),
                y.reporting_currency
            ),
            b.mrr,
            'kpi.segment(''currency''), kpi.currency'
        from company c
        cross join kpi.segment('currency', null) b
        join kpi.currency y
            on y.currency = b.segment
        where b.segment <> y.reporting_currency
    ),
    renewing as (
        select r.month, r.annual_mrr
        from kpi.renewals_monthly(null, null) r
        where r.annual_mrr > 0
        order by r.annual_mrr desc, r.month
        limit 1
    ),
    renewals as (
        select
            case when r.annual_mrr >= 0.1 * c.mrr then 'high' when r.annual_mrr >= 0.05 * c.mrr then 'medium' else 'low' end,
            'renewals',
            format(
                'In %s annual terms end that bring %s %% of MRR, more than in any other month to come.',
                to_char(r.month, 'YYYY-MM'),
                round(100 * r.annual_mrr / c.mrr, 1)
            ),
            r.annual_mrr,
            'kpi.renewals_monthly()'
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
    -- The newer cohorts are those whose third month is one of the last six whole ones.
    cohort as (
        select
            h.cohort,
            max(h.customers) filter (where h.month_number = 0) as began,
            max(h.customers) filter (where h.month_number = 3 and h.is_whole) as kept,
            bool_or(h.month_number = 3 and h.month >= date_trunc('month', c.complete_through + 1) - interval '6 months') as is_recent
        from company c
        cross join kpi.cohort_retention('first_mrr') h
        where h.cohort is not null
        group by h.cohort
    ),
    kept as (
        select
            min(h.cohort) filter (where h.is_recent) as recent_from,
            max(h.cohort) filter (where h.is_recent) as recent_to,
            sum(h.began) filter (where h.is_recent) as recent,
            sum(h.began) filter (where not h.is_recent) as old,
            sum(h.kept) filter (where h.is_recent) / sum(h.began) filter (where h.is_recent) as recent_kept,
            sum(h.kept) filter (where not h.is_recent) / sum(h.began) filter (where not h.is_recent) as old_kept,
            sum(h.kept) / sum(h.began) as kept
        from cohort h
        where h.began > 0
            and h.kept is not null
    ),
    newer_cohorts as (
        select
            case when k.old_kept - k.recent_kept >= 0.1 then 'high' else 'medium' end,
            'newer cohorts',
            format(
                'Of the %s customers of the cohorts %s to %s, %s %% are there after three months; of the %s before them it was %s %%.',
                k.recent,
                to_char(k.recent_from, 'YYYY-MM'),
                to_char(k.recent_to, 'YYYY-MM'),
                round(100 * k.recent_kept, 1),
                k.old,
                round(100 * k.old_kept, 1)
            ),
            null::numeric,
            'kpi.cohort_retention()'
        from kept k
        where k.old >= 30
            and k.recent >= 30
            and k.old_kept - k.recent_kept > 2 * sqrt(greatest(k.kept * (1 - k.kept), 0) * (1 / k.old + 1 / k.recent))
    ),
    winner as (
        select
            sum(w.won) as won,
            sum(w.won) filter (where w.place <= 5) as by_five,
            count(*) as customers
        from (
            select
                sum(l.change * y.factor) as won,
                row_number() over (order by sum(l.change * y.factor) desc) as place
            from kpi.ledger l
            join kpi.currency y
                on y.currency = l.currency
            where l.kind in ('new', 'reactivation', 'expansion')
                and l.effective_on >= (select c.recent_from from company c)
                and l.effective_on <= (select c.complete_through from company c)
            group by l.customer_id
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
            format(
                'kpi.movements(%L, %L)', to_char(c.recent_from, 'YYYY-MM-DD'), to_char(c.complete_through, 'YYYY-MM-DD')
            )
        from company c
        cross join winner w
        where w.customers > 5
            and w.won > 0
    ),
    faded as materialized (
        select
            count(*) as customers,
            sum(u.mrr) as mrr
        from kpi.usage_at_risk(null) u
        having count(*) > 0
    ),
    -- Whether sessions that fell told of churn in this company so far.
    told as (
        select
            u.is_related,
            u.odds_ratio
        from kpi.usage_and_churn(null, null) u
        where exists (select from faded)
    ),
    usage as (
        select
            case
                when not t.is_related or t.odds_ratio < 1 then 'low'
                when f.mrr >= 0.2 * c.mrr then 'high'
                when f.mrr >= 0.1 * c.mrr then 'medium'
                else 'low'
            end,
            'usage',
            format(
                'Customers whose sessions fell by half or more in 30 days: %s, with %s %% of MRR. %s',
                f.customers,
                round(100 * f.mrr / c.mrr, 1),
                case
                    when t.is_related and t.odds_ratio > 1 then 'Such customers churned more often so far.'
                    when t.is_related then 'Such customers churned less often so far.'
                    when not t.is_related then 'So far such customers are not seen to churn more often.'
                    else 'Whether such customers churn more often cannot be told yet.'
                end
            ),
            f.mrr,
            'kpi.usage_at_risk(), kpi.usage_and_churn()'
        from company c
        cross join faded f
        cross join told t
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
