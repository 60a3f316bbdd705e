-- Was this version of a fact the one in force after p_batch (now: NULL)?
--
-- The body is one expression, so that it is inlined: for NULL it becomes
-- `superseded_by is null`.
create or replace function pipeline.is_known(p_batch_id bigint, p_superseded_by bigint, p_batch bigint)
returns boolean
language sql
immutable
parallel safe
return case
    when p_batch is null then p_superseded_by is null
    else p_batch_id <= p_batch and (p_superseded_by is null or p_superseded_by > p_batch)
end;

comment on function pipeline.is_known(bigint, bigint, bigint) is
    'Whether a version, with its batch and the batch that superseded it, was in force after p_batch (NULL: is now).';
revoke all on function pipeline.is_known(bigint, bigint, bigint) from public;
grant execute on function pipeline.is_known(bigint, bigint, bigint) to pgmrr_writer;
