"""Database sessions for long work, and what their errors say to a user."""

import psycopg

from pgmrr.errors import PgmrrError

# A user's or database's own settings must not cut a long step short. Compiling our plans costs
# seconds and saves nothing.
_UNHURRIED = """
select
    set_config('statement_timeout', '0', false),
    set_config('lock_timeout', '0', false),
    set_config('idle_in_transaction_session_timeout', '0', false),
    set_config('jit', 'off', false)
"""

# After a large change: the planner needs to know, and the next reader need not tidy up.
_TIDY_UP = """
vacuum (analyze)
    raw.invoice, raw.customer, usage.session, billing.charge_cents, ledger.movement_cents, ledger.daily_change_cents,
    ledger.daily_term_cents, meta.batch, meta.setting
"""


def open_session(url: str) -> psycopg.Connection:
    """Connect in autocommit mode and without time limits; an empty ``url`` leaves all to PG* variables."""
    connection = psycopg.connect(url, autocommit=True, fallback_application_name="pgmrr")
    connection.execute(_UNHURRIED)
    return connection


def tidy_up(connection: psycopg.Connection) -> None:
    """Vacuum and analyze the tables that a batch of facts writes. ``connection`` must be in no transaction."""
    # What this session counted must be told before it is set to zero, or it counts as changed since.
    connection.execute("select pg_stat_force_next_flush()")
    connection.execute(_TIDY_UP)


def explained(what: str, error: psycopg.Error) -> PgmrrError:
    """A database's error as the user's: what failed, why, its SQLSTATE, and the database's own hint."""
    diagnosis = error.diag
    reason = (diagnosis.message_primary or str(error)).strip()
    state = f" (SQLSTATE {error.sqlstate})" if error.sqlstate else ""
    return PgmrrError(f"{what}: {reason}{state}", diagnosis.message_hint or diagnosis.message_detail)
