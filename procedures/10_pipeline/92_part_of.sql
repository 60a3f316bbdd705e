-- In which part of the tables are a customer's rows? On one server all are together: part 0.
--
-- Where the tables are divided by customer over several servers, the parts have numbers
-- (pgmrr/citus.py puts the body that tells it here), and work that stays in one part is done
-- where the part is.
create or replace function pipeline.part_of(p_customer text)
returns bigint
language sql
immutable
parallel safe
return 0::bigint;

comment on function pipeline.part_of(text) is
    'Number of the part of the tables that holds a customer''s rows; 0 on one server.';
revoke all on function pipeline.part_of(text) from public;
grant execute on function pipeline.part_of(text) to pgmrr_writer;
