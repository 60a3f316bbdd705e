-- Units of a currency for one euro. Rule R13. NULL where no rate is known.
create or replace function pipeline.rate(p_currency text)
returns numeric
language sql
stable
parallel safe
return case
    when p_currency = 'EUR' then 1
    else (select e.per_euro from meta.exchange_rate e where e.currency = p_currency)
end;

comment on function pipeline.rate(text) is
    'R13: units of a currency for one euro; NULL where no rate is known.';
revoke all on function pipeline.rate(text) from public;
grant execute on function pipeline.rate(text) to pgmrr_writer;
