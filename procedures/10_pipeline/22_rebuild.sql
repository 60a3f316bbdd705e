-- Makes charges, ledger and totals anew from the versions of the facts.
create or replace procedure pipeline.rebuild()
language plpgsql
set search_path = ''
as $$
begin
    call pipeline.refresh(null);
end;
$$;

comment on procedure pipeline.rebuild() is
    'Makes charges, ledger and totals anew from the facts. Changes nothing where the refreshes did their work.';
revoke all on procedure pipeline.rebuild() from public;
grant execute on procedure pipeline.rebuild() to pgmrr_writer;
