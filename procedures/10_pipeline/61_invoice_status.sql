-- The status of an invoice, for the names that billing systems give it; NULL for others.
--
-- `failed`, `refunded` and the like are none of them: whether such an invoice is still owed
-- is for the user to say.
create or replace function pipeline.invoice_status(p_text text)
returns text
language sql
immutable
parallel safe
return case replace(replace(lower(p_text), '_', ' '), '-', ' ')
    when 'paid' then 'paid'
    when 'settled' then 'paid'
    when 'succeeded' then 'paid'
    when 'open' then 'open'
    when 'unpaid' then 'open'
    when 'not paid' then 'open'
    when 'due' then 'open'
    when 'payment due' then 'open'
    when 'past due' then 'open'
    when 'overdue' then 'open'
    when 'pending' then 'open'
    when 'draft' then 'draft'
    when 'void' then 'void'
    when 'voided' then 'void'
    when 'canceled' then 'void'
    when 'cancelled' then 'void'
    when 'uncollectible' then 'uncollectible'
    when 'written off' then 'uncollectible'
    when 'bad debt' then 'uncollectible'
end;

comment on function pipeline.invoice_status(text) is
    'paid, open, draft, void or uncollectible, for the names that billing systems give them; NULL for others.';
revoke all on function pipeline.invoice_status(text) from public;
grant execute on function pipeline.invoice_status(text) to pgmrr_writer;
