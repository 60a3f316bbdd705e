"""Database sessions for long work, and what their errors say to a user."""

from contextlib import suppress

import psycopg

from pgmrr import citus
from pgmrr.errors import PgmrrError

# A user's or database's own settings must not cut a long step short (those that this version of
# PostgreSQL has). Compiling our plans costs seconds and saves nothing.
_UNHURRIED = """
select set_config(s.name, case s.name when 'jit' then 'off' else '0' end, false)
from pg_catalog.pg_settings s
where s.name in (
        'statement_timeout', 'lock_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout',
        'idle_session_timeout', 'jit'
    )
"""

# An administrator, a crash, a dropped database or a time limit of the session ended it.
_ENDED = {"57P01", "57P02", "57P03", "57P04", "57P05", "25P03", "25P04"}

# After a large change: the planner needs to know, and the next reader need not tidy up.
_TIDY_UP = """
vacuum (analyze)
    raw.invoice, raw.customer, usage.session, billing.charge_cents, billing.fate_cents, ledger.movement_cents,
    ledger.daily_change_cents, ledger.daily_term_cents, ledger.paying_cents, ledger.cohort_month_cents,
    ledger.history, ledger.price_cents, ledger.currency, ledger.true_mrr_cents, meta.batch, meta.setting
"""


def open_session(url: str) -> psycopg.Connection:
    """Connect in autocommit mode and without time limits; an empty ``url`` leaves all to PG* variables."""
    connection = psycopg.connect(url, autocommit=True, fallback_application_name="pgmrr")
    connection.execute(_UNHURRIED)
    if citus.is_installed(connection) and not citus.is_distributed(connection):
        connection.execute("set citus.enable_ddl_propagation = off")  # until then, the workers know nothing of us
    return connection


def tidy_up(connection: psycopg.Connection) -> None:
    """Vacuum and analyze the tables that a batch of facts writes. ``connection`` must be in no transaction.

    The work itself is done by then, and autovacuum does this as well: so it is no error where it fails.
    """
    with suppress(psycopg.Error):
        # What this session counted must be told before it is set to zero, or it counts as changed since.
        connection.execute("select pg_stat_force_next_flush()")
        connection.execute(_TIDY_UP)


def is_lost(error: psycopg.Error) -> bool:
    """Whether the error says that the session is over, and not that a statement failed."""
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError)
    return error.sqlstate.startswith("08") or error.sqlstate in _ENDED


def explained(what: str | None, error: psycopg.Error) -> PgmrrError:
    """A database's error as the user's: what failed, why, its SQLSTATE, and the database's own hint.

    Where the session was lost, perhaps while it committed, nobody knows yet what was done.
    """
    diagnosis = error.diag
    hint = diagnosis.message_hint or diagnosis.message_detail
    if is_lost(error):
        what = "the connection to the database was lost"
        hint = "what was being done is done as a whole, or not at all: see pgmrr batches before you run it again"
    reason = (diagnosis.message_primary or first_line(error)).strip()
    state = f" (SQLSTATE {error.sqlstate})" if error.sqlstate else ""
    return PgmrrError(f"{what}: {reason}{state}" if what else f"{reason}{state}", hint)


def first_line(error: Exception) -> str:
    """The first line of what the error says that is not empty, without the words that psycopg puts before it."""
    lines = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line), type(error).__name__).removeprefix("consuming input failed: ")
