alter table raw.absent_invoice drop column noted_by;
alter table raw.rejected_row drop column row_id;
