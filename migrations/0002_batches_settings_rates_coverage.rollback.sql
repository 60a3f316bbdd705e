drop table meta.coverage;
drop table meta.exchange_rate;
drop table meta.setting;
drop table meta.batch;
