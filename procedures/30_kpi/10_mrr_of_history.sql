-- What is a customer's MRR on a day, by a history in several currencies, or in a currency
-- that was asked for? Rules R9 and R13.
--
-- The uncommon part of kpi.mrr_at, which reads no table but the rates: where it is not
-- called it costs nothing. 0 before the first day; error MR005 where the rate of a currency
-- is missing that the customer had MRR in by then.
create or replace function kpi.mrr_of_history(
    p_days date[],
    p_currencies text[],
    p_balances_in_cents bigint[],
    p_factors jsonb,
    p_date date,
    p_currency text
)
returns numeric
language sql
stable
parallel safe
begin atomic
    select coalesce(
        sum(
            b.balance_in_cents * 0.01
            * case when p_currency is null then (p_factors -> b.currency)::numeric else kpi.conversion(b.currency, p_currency) end
        ),
        0
    )
    from (
        select distinct on (h.currency)
            h.currency,
            h.balance_in_cents
        from unnest(p_days, p_currencies, p_balances_in_cents) as h (day, currency, balance_in_cents)
        where h.day <= p_date
        order by h.currency, h.day desc
    ) b;
end;

comment on function kpi.mrr_of_history(date[], text[], bigint[], jsonb, date, text) is
    'MRR on a day by a row of kpi.history, a month, in the reporting currency or in p_currency. Error MR005 where an exchange rate is missing.';
revoke all on function kpi.mrr_of_history(date[], text[], bigint[], jsonb, date, text) from public;
grant execute on function kpi.mrr_of_history(date[], text[], bigint[], jsonb, date, text) to pgmrr_reader, pgmrr_writer;
