-- What is left of an amount when the taxes within it are taken out? In cents, rounded.
create or replace function simulation.saas_net(p_amount bigint, p_taxation text, p_tax_percent bigint)
returns bigint
language sql
immutable
parallel safe
return case p_taxation
    when 'inclusive' then round(p_amount * 100::numeric / (100 + p_tax_percent))::bigint
    else p_amount
end;

comment on function simulation.saas_net(bigint, text, bigint) is
    'An amount in cents without the taxes within it: prices are net of tax but where p_taxation is inclusive.';
revoke all on function simulation.saas_net(bigint, text, bigint) from public;
grant execute on function simulation.saas_net(bigint, text, bigint) to pgmrr_writer;
