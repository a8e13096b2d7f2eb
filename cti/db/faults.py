"""What does a database's complaint mean for us: wait, mend, or our own mistake?

Faults that time or an operator can mend become `StoreUnavailable`, with a text that says what
to do. All others (a broken constraint, a wrong statement) are not touched: they are ours.
"""

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from cti.errors import CommitUnknown, StoreUnavailable

FULL = (
    "db_full",
    "there is no space left for the database",
    "free some space on its disk; cti goes on by itself",
)
READONLY = (
    "db_readonly",
    "the database cannot be written",
    "let the user cti runs as write the file and its directory (or make the server writable)",
)
BUSY = (
    "db_busy",
    "the database was held by somebody else",
    "nothing, if it happens now and then; else find who keeps a transaction open",
)
DAMAGED = (
    "db_damaged",
    "the database file is damaged",
    "stop cti and restore the last backup; keep the damaged file",
)
IO = (
    "db_io",
    "the disk failed while the database used it",
    "look for disk errors in the system log",
)
UNREACHABLE = (
    "db_unreachable",
    "the database does not answer",
    "see that it runs, and that database.url, user and password are right",
)
Meaning = tuple[str, str, str]

_SQLITE: Final[dict[int, Meaning]] = {
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_READONLY: READONLY,
    sqlite3.SQLITE_PERM: READONLY,
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_LOCKED: BUSY,
    sqlite3.SQLITE_PROTOCOL: BUSY,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
    sqlite3.SQLITE_IOERR: IO,
    sqlite3.SQLITE_NOMEM: IO,
    sqlite3.SQLITE_CANTOPEN: UNREACHABLE,
}
_POSTGRES: Final[tuple[tuple[str, Meaning], ...]] = (
    ("53100", FULL),  # disk_full
    ("25006", READONLY),  # read_only_sql_transaction: a standby
    ("40", BUSY),  # rolled back: deadlock, serialization
    ("55P03", BUSY),  # lock_not_available
    ("57014", BUSY),  # query_canceled: statement_timeout
    ("0A000", BUSY),  # cached plan must not change: a migration ran elsewhere
    ("25P03", BUSY),  # idle_in_transaction_session_timeout
    ("XX001", DAMAGED),
    ("XX002", DAMAGED),
    ("58", IO),
    ("53", UNREACHABLE),
    ("57", UNREACHABLE),
    ("08", UNREACHABLE),
    ("28", UNREACHABLE),
    ("3D", UNREACHABLE),
)
_SURE_AT_COMMIT: Final = {FULL, READONLY, BUSY}
"""The server's own answer: it did not commit. Any other fault leaves the commit's fate open."""


def meaning(fault: BaseException) -> Meaning | None:
    """Tell what a fault means; None for what is no fault of the database's state."""
    if isinstance(fault, OSError | PoolTimeout):  # TimeoutError is an OSError
        return UNREACHABLE
    if isinstance(fault, sqlite3.Error):
        return _of_sqlite(fault)
    if not isinstance(fault, DBAPIError):
        return None
    if isinstance(fault.orig, sqlite3.Error):
        return meaning(fault.orig)
    state = getattr(fault.orig, "sqlstate", None) or getattr(fault.orig, "pgcode", None)
    if state:
        return next((told for start, told in _POSTGRES if state.startswith(start)), None)
    return UNREACHABLE if fault.connection_invalidated else _silent(fault)


def _of_sqlite(fault: sqlite3.Error) -> Meaning | None:
    code: int | None = getattr(fault, "sqlite_errorcode", None)
    if code is not None:
        return _SQLITE.get(code & 0xFF)
    # The driver's own complaint: a closed connection, or values that it cannot bind.
    return UNREACHABLE if isinstance(fault, sqlite3.OperationalError) else None


def _silent(fault: DBAPIError) -> Meaning | None:
    # asyncpg's own faults (connection is closed, another operation is in progress) have no state.
    name = type(fault.orig).__name__
    return UNREACHABLE if name in ("InterfaceError", "InternalClientError") else None


def unavailable(fault: BaseException, where: str) -> StoreUnavailable | None:
    """Give the error for a fault after which nothing is stored; None when it is not one."""
    if (told := meaning(fault)) is None:
        return None
    code, what, todo = told
    return StoreUnavailable(f"{where}: {what}: {reason(fault)}", todo, code=code)


def after_commit(fault: BaseException, where: str) -> StoreUnavailable | CommitUnknown | None:
    """Give the error for a fault of COMMIT itself: refused, or of unknown fate."""
    told = meaning(fault)
    if told is None or told in _SURE_AT_COMMIT:
        return unavailable(fault, where)
    return CommitUnknown(
        f"{where}: the answer to a commit was lost: {reason(fault)}",
        "nothing: cti reads back, or stores the same again",
    )


def reason(fault: BaseException) -> str:
    """Say in one line what the driver complained of, without statement and values."""
    inner = fault.orig if isinstance(fault, DBAPIError) else fault
    lines = str(inner or fault).strip().splitlines()
    text = lines[0] if lines else type(inner).__name__
    return text.split(">: ", 1)[-1]


Fault = (SQLAlchemyError, OSError, sqlite3.Error)
"""What a driver may raise while nobody else's code runs."""

IN_BLOCK = (SQLAlchemyError, ConnectionError, TimeoutError)
"""What a driver raises inside somebody's block; a file's OSError there is the block's own."""
