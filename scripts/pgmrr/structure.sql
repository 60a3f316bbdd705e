-- What the migrations made of the data schemas, one row a part, as text that is the same on PostgreSQL 15 to 18.
--
-- Without what may differ and harm nothing: the order of columns, the names of constraints that only PostgreSQL 18
-- keeps (not null), and yoyo's own tables. Of code that migrations made, the digest of its text.
with relation as (
    select
        c.oid,
        c.relkind,
        c.relname,
        c.relacl,
        c.relpersistence,
        c.relrowsecurity,
        n.nspname || '.' || c.relname as name
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n
        on n.oid = c.relnamespace
    where n.nspname = any (%(schemas)s)
        and c.relkind in ('r', 'v', 'S')
        and c.relname !~ '^(_yoyo|yoyo_)'
        and c.relowner = 'pgmrr_owner'::regrole
),
privilege as (
    select r.name as what, r.relacl as acl
    from relation r
    union all
    select r.name || '.' || a.attname, a.attacl
    from relation r
    join pg_catalog.pg_attribute a
        on a.attrelid = r.oid
)
select
    case r.relkind when 'r' then 'table ' when 'v' then 'view ' else 'sequence ' end || r.name as part,
    concat_ws(
        ' ',
        case r.relpersistence when 'p' then 'logged' else 'unlogged' end,
        case when r.relrowsecurity then 'row security' end
    ) as definition
from relation r
union all
select
    format('column %%s.%%s', r.name, a.attname),
    concat_ws(
        ' ',
        pg_catalog.format_type(a.atttypid, a.atttypmod),
        case when a.attnotnull then 'not null' end,
        nullif(a.attidentity::text, ''),
        (select 'collate ' || o.collname from pg_catalog.pg_collation o where o.oid = a.attcollation and o.collname <> 'default'),
        (
            select pg_catalog.pg_get_expr(d.adbin, d.adrelid)
            from pg_catalog.pg_attrdef d
            where d.adrelid = a.attrelid and d.adnum = a.attnum
        )
    )
from relation r
join pg_catalog.pg_attribute a
    on a.attrelid = r.oid
where r.relkind in ('r', 'v')
    and a.attnum > 0
    and not a.attisdropped
union all
select
    format('constraint %%s on %%s', k.conname, r.name),
    pg_catalog.pg_get_constraintdef(k.oid)
from relation r
join pg_catalog.pg_constraint k
    on k.conrelid = r.oid
where k.contype <> 'n'
union all
select
    format('index %%s on %%s', i.indexrelid::regclass::text, r.name),
    pg_catalog.pg_get_indexdef(i.indexrelid)
from relation r
join pg_catalog.pg_index i
    on i.indrelid = r.oid
union all
select
    format('trigger %%s on %%s', t.tgname, r.name),
    concat_ws(' ', pg_catalog.pg_get_triggerdef(t.oid), nullif(t.tgenabled::text, 'O'))
from relation r
join pg_catalog.pg_trigger t
    on t.tgrelid = r.oid
where not t.tgisinternal
union all
select
    format('rule %%s on %%s', w.rulename, r.name),
    case r.relkind
        -- Which columns are spelled with the name of their table, PostgreSQL 16 decides otherwise than 15.
        when 'v' then md5(regexp_replace(pg_catalog.pg_get_viewdef(r.oid), '\m[a-z_]+\.|[\s()]', '', 'g'))
        else 'not ours'
    end
from relation r
join pg_catalog.pg_rewrite w
    on w.ev_class = r.oid
union all
select
    'policy ' || p.polname || ' on ' || r.name,
    'not ours'
from relation r
join pg_catalog.pg_policy p
    on p.polrelid = r.oid
union all
select
    'routine ' || p.oid::regprocedure::text,
    concat_ws(
        ' ', md5(p.prosrc), case when p.prosecdef then 'security definer' end, p.provolatile::text, p.proconfig::text
    )
from pg_catalog.pg_proc p
where p.pronamespace::regnamespace::text = any (%(schemas)s)
    and p.proowner = 'pgmrr_owner'::regrole
union all
select
    'type ' || t.oid::regtype::text,
    (select string_agg(e.enumlabel, ', ' order by e.enumsortorder) from pg_catalog.pg_enum e where e.enumtypid = t.oid)
from pg_catalog.pg_type t
where t.typnamespace::regnamespace::text = any (%(schemas)s)
    and t.typtype = 'e'
union all
select
    format('privileges of %%s on %%s', case a.grantee when 0 then 'PUBLIC' else a.grantee::regrole::text end, p.what),
    string_agg(lower(a.privilege_type) || case when a.is_grantable then ' with grant option' else '' end, ', ' order by a.privilege_type)
from privilege p
cross join lateral aclexplode(p.acl) a
where a.grantee in (0, 'pgmrr_reader'::regrole, 'pgmrr_writer'::regrole)
group by a.grantee, p.what
order by 1
