-- Does everything that is stored fit together?
--
-- One row a check: what must hold, how many things were compared, how many of them are
-- wrong, one of these as an example, and what to do. For monitoring:
--
--     select check_name, wrong, example, hint from kpi.invariants where wrong > 0;
--
-- It reads every table some times: seconds on a large database. Whether what is stored is
-- what the rules make of the facts, pipeline.check_recomputed tells.
create or replace view kpi.invariants as
with found as (
    select
        f.check_name,
        f.compared,
        f.wrong,
        f.example
    from kpi.invariants_of_facts f
    union all
    select
        s.check_name,
        s.compared,
        s.wrong,
        s.example
    from kpi.invariants_of_settings s
    union all
    select
        l.check_name,
        l.compared,
        l.wrong,
        l.example
    from kpi.invariants_of_ledger l
    union all
    select
        r.check_name,
        r.compared,
        r.wrong,
        r.example
    from kpi.invariants_of_reads r
)
select
    c.place,
    c.check_name,
    c.is_note,
    c.meaning,
    f.compared,
    f.wrong,
    f.example,
    c.hint
from kpi.checks c
left join found f
    on f.check_name = c.check_name
where c.asked_of = 'invariants';

comment on view kpi.invariants is 'What must hold between the things that are stored, one row a check: wrong is 0 where it does.';
comment on column kpi.invariants.place is 'Place in the order in which they are told.';
comment on column kpi.invariants.check_name is 'Name of the check.';
comment on column kpi.invariants.is_note is 'True where a failure makes no figure wrong, and is worth a look.';
comment on column kpi.invariants.meaning is 'What must hold.';
comment on column kpi.invariants.compared is 'How many things were compared.';
comment on column kpi.invariants.wrong is 'How many of them are wrong.';
comment on column kpi.invariants.example is 'One of those; NULL where none is wrong.';
comment on column kpi.invariants.hint is 'What to do about them.';
grant select on kpi.invariants to pgmrr_reader, pgmrr_writer;
