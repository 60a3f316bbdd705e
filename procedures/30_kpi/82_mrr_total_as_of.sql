-- What was the company's MRR on a day, as known after batch p_batch? Rules R9, R11 and R13.
--
-- In the reporting currency. Evaluated by the rules from the versions of the facts that
-- were in force after that batch; settings and exchange rates are today's. NULL outside the
-- coverage of then, and where there is no such batch.
--
-- It runs with the rights of its owner: the versions are read by functions, and whoever
-- calls a function needs the right to, even within a view. A reader, who has nothing on
-- the versions, gets this one sum of them.
create or replace function kpi.mrr_total_as_of(p_batch bigint, p_date date)
returns numeric
language sql
stable
parallel safe
security definer
begin atomic
    select coalesce(
        (
            select sum(d.change)
            from pipeline.daily_change_as_of(p_batch) d
            where d.effective_on <= p_date
        ),
        0
    )
    from pipeline.coverage_at(p_batch) v
    where p_date between v.observed_from and v.complete_through
        and exists (select from meta.batch b where b.batch_id = p_batch);
end;

comment on function kpi.mrr_total_as_of(bigint, date) is
    'The company''s MRR on a day, a month, as known after a batch, in the reporting currency; settings and exchange rates are today''s. NULL outside the coverage of then, and where there is no such batch. Error MR005 where an exchange rate is missing. Example: select kpi.mrr_total_as_of(1, ''2024-06-30'').';
revoke all on function kpi.mrr_total_as_of(bigint, date) from public;
grant execute on function kpi.mrr_total_as_of(bigint, date) to pgmrr_reader, pgmrr_writer;
