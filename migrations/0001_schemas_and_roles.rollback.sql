-- Roles stay: other databases of this cluster may use them.
-- `meta` stays as well while the books of the migrations lie in it.
alter default privileges for role pgmrr_owner grant execute on functions to public;

drop schema kpi;
drop schema simulation;
drop schema pipeline;
drop schema ledger;
drop schema usage;
drop schema billing;
drop schema raw;

do $database$
begin
    execute format('revoke create on database %I from pgmrr_owner', current_database());
end
$database$;
