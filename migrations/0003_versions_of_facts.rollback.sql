drop table raw.absent_invoice;
drop table raw.rejected_row;
drop table raw.customer;
drop table raw.invoice;
