"""Two locks: one writer a database, and our views without readers for the moment of a change."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count

import psycopg
from psycopg import sql

from pgmrr.errors import PgmrrError
from pgmrr.rows import only_row

Progress = Callable[[str], None]

# The word `pgmrr` as an integer. Whatever writes takes this advisory lock; in SQL
# it is pipeline.lock().
WRITER_LOCK = 482804232818

_WRITER = """
select l.pid
from pg_catalog.pg_locks l
join pg_catalog.pg_database d on d.oid = l.database
where d.datname = current_database()
    and l.locktype = 'advisory'
    and l.granted
    and l.objsubid = 1
    and (l.classid::bigint << 32) + l.objid::bigint = %s
"""

# Views of views come first, since that is how readers lock them: a reader then waits before the
# first of its views, and does not hold one that is still to be locked here.
_VIEWS = """
select array_agg(c.oid order by c.oid desc)
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('pipeline', 'simulation', 'kpi')
    and c.relkind = 'v'
    and c.relowner = to_regrole('pgmrr_owner')
"""

# To give a view to its owner changes nothing, but takes the lock under which a view
# is replaced. `lock table` would lock the tables below the view as well. Citus need not
# tell it to its workers.
_LOCK_VIEWS = sql.SQL("""
do $lock$
declare
    v_told text := current_setting('citus.enable_ddl_propagation', true);
    v_view regclass;
begin
    perform set_config('citus.enable_ddl_propagation', 'off', true);
    foreach v_view in array {views}::regclass[] loop
        execute format('alter view %s owner to pgmrr_owner', v_view);
    end loop;
    perform set_config('citus.enable_ddl_propagation', coalesce(nullif(v_told, ''), 'on'), true);
end
$lock$
""")

_SETTINGS = """
select
    current_setting('statement_timeout'),
    (select setting::int / 2 from pg_catalog.pg_settings where name = 'deadlock_timeout')
"""

_READER = """
select format('session %%s of %%s', a.pid, a.usename), l.relation::regclass::text
from pg_catalog.pg_locks l
join pg_catalog.pg_stat_activity a on a.pid = l.pid
where l.relation = any (%s)
    and l.locktype = 'relation'
    and l.database = (select oid from pg_catalog.pg_database where datname = current_database())
    and l.granted
    and l.pid <> pg_backend_pid()
order by a.xact_start
limit 1
"""


def silent(message: str) -> None:
    """Report progress to nobody."""


@contextmanager
def writer_lock(connection: psycopg.Connection, progress: Progress = silent) -> Iterator[None]:
    """Be the only writer of the database, and tell ``progress`` while waiting for another.

    The lock belongs to the session of ``connection``: SQL that takes it again in the
    same session does not wait, and where the session is killed the lock goes with it.
    """
    if not only_row(connection.execute("select pg_try_advisory_lock(%s)", [WRITER_LOCK]))[0]:
        writer = connection.execute(_WRITER, [WRITER_LOCK]).fetchone()
        progress(f"waiting for another writer of this database{f' (session {writer[0]})' if writer else ''}")
        connection.execute("select pg_advisory_lock(%s)", [WRITER_LOCK])
    try:
        yield
    finally:
        # Where the session is lost, so is the lock: what was done under it is no failure for that.
        with suppress(psycopg.OperationalError):
            connection.execute("select pg_advisory_unlock(%s)", [WRITER_LOCK])


def lock_views(connection: psycopg.Connection, progress: Progress = silent, patience: float = 60) -> None:
    """Have readers wait before the views of our code, until the open transaction ends.

    A session that waits for a lock looks for a deadlock after ``deadlock_timeout``,
    and would be the one that fails. So this takes all the views in a moment, of at most
    half that time, or gives them all back, lets the readers pass and tries again.

    Raises PgmrrError where readers have not let it in after ``patience`` seconds.
    """
    views = only_row(connection.execute(_VIEWS))[0]
    if not views:
        return
    timeout, longest = only_row(connection.execute(_SETTINGS))
    begun = time.monotonic()
    announced = False
    for attempt in count():
        moment = min(20 * 2**attempt, longest)
        try:
            with connection.transaction():
                connection.execute("select set_config('statement_timeout', %s, true)", [f"{moment}ms"])
                connection.execute(_LOCK_VIEWS.format(views=views))
                connection.execute("select set_config('statement_timeout', %s, true)", [timeout])
            return
        except psycopg.errors.QueryCanceled:
            reader, view = connection.execute(_READER, [views]).fetchone() or ("a session", "our views")
        waited = time.monotonic() - begun
        if waited > patience:
            raise PgmrrError(
                f"{reader} has been reading {view} for {patience:.0f} seconds: nothing was changed",
                "run it again when that session has ended its transaction",
            )
        if waited > 1 and not announced:
            announced = True
            progress(f"waiting for {reader}, which reads {view}")
        time.sleep(moment / 1000)
