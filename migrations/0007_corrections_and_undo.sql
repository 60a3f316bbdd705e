-- depends: 0006_true_mrr
-- What corrections and undo need to know: the id that a rejected row has, and which import
-- found an invoice absent. That is not always the import that lacks it: an older export may
-- arrive later, and hold what the newer one should have held.

set local role pgmrr_owner;

alter table raw.rejected_row add column row_id text collate "C";
comment on column raw.rejected_row.row_id is 'The row''s own id, where it has one: a later row with this id corrects it.';

update raw.rejected_row r
set row_id = r.content ->> 'id';

alter table raw.absent_invoice add column noted_by bigint;
comment on column raw.absent_invoice.noted_by is 'The import that found it out: the one that lacks the invoice, or that of an older file which has it.';

-- An older export that came later brought the invoice with a number of its own.
update raw.absent_invoice a
set noted_by = coalesce(
    (
        select min(i.batch_id)
        from raw.invoice i
        where i.customer_id = a.customer_id
            and i.invoice_id = a.invoice_id
        having min(i.batch_id) > a.batch_id
    ),
    a.batch_id
);

alter table raw.absent_invoice alter column noted_by set not null;
alter table raw.absent_invoice
add constraint absent_invoice_is_noted_when_it_is_known check (noted_by >= batch_id);

reset role;
