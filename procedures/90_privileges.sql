-- Who may do what. Each object's own file grants it; this file takes away what nobody
-- decided on: PUBLIC has nothing in our schemas.
revoke all on all tables in schema raw, billing, usage, ledger, meta, pipeline, simulation, kpi from public;
revoke all on all routines in schema pipeline, simulation, kpi from public;
revoke all on schema raw, billing, usage, ledger, meta, pipeline, simulation, kpi from public;
