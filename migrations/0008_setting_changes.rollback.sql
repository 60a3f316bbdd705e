drop trigger setting_is_not_truncated on meta.setting;
drop trigger exchange_rate_is_not_truncated on meta.exchange_rate;
drop trigger setting_is_recorded on meta.setting;
drop trigger exchange_rate_is_recorded on meta.exchange_rate;
drop table meta.setting_change;
drop function meta.refuse_change();
drop function meta.record_setting_change();
