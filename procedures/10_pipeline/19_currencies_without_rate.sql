-- Which currencies need an exchange rate and have none? Rule R13.
--
-- One row a currency, among those given and those of the ledger and the reports, with
-- the day whose rate it should be: the last covered day of the first batch that brought
-- invoices, so that all rates are of one day however much comes later. An import of which
-- every row was rejected covers no day, and is passed over. A company with one currency needs none.
create or replace function pipeline.currencies_without_rate(p_currencies text[] default '{}')
returns table (
    currency text,
    rate_on date
)
language sql
stable
parallel safe
begin atomic
    with used as (
        select unnest(p_currencies) as currency
        union
        select c.currency
        from ledger.currency c
        union
        select s.reporting_currency
        from meta.setting s
        where s.reporting_currency is not null
    )
    select
        u.currency,
        first_import.complete_through
    from used u
    cross join pipeline.coverage_at(
        (select min(b.batch_id) from meta.batch b where b.first_invoice_at is not null)
    ) first_import
    where (select count(*) from used) > 1
        and u.currency <> 'EUR'
        and pipeline.rate(u.currency) is null;
end;

comment on function pipeline.currencies_without_rate(text[]) is
    'R13: currencies that need an exchange rate and have none, with the day whose rate is wanted: one row each.';
revoke all on function pipeline.currencies_without_rate(text[]) from public;
grant execute on function pipeline.currencies_without_rate(text[]) to pgmrr_writer;
