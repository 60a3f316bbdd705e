set local role pgmrr_owner;

drop index ledger.paying_in_currencies;
drop table ledger.price_cents;
drop index raw.invoice_without_service;
drop index raw.invoice_not_paid;

create index invoice_out_of_the_ordinary on raw.invoice (customer_id, invoice_id)
where superseded_by is null
    and (
        status <> 'paid'
        or subscription_id is null
        or line_period_start is null
        or greatest(line_period_start, line_period_end) = line_period_start
    );

alter table raw.invoice
drop constraint invoice_currency_has_three_letters,
add constraint invoice_currency_has_three_letters check (currency ~ '^[A-Z]{3}$');

reset role;
