"""A driver's complaint is told by its meaning: wait, mend, or our own mistake."""

import sqlite3

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from cti.db import faults
from cti.errors import CommitUnknown, StoreUnavailable


def of_sqlite(code: int, text: str = "as the driver says it") -> DBAPIError:
    """Make the error that SQLAlchemy makes of SQLite's."""
    inner = sqlite3.OperationalError(text)
    inner.sqlite_errorcode = code
    return DBAPIError("INSERT INTO secrets VALUES (?)", ("a secret",), inner)


class Told(Exception):
    """A server's error with its SQLSTATE."""

    def __init__(self, state: str) -> None:
        super().__init__("<class 'asyncpg.exceptions.X'>: as the server says it\nDETAIL: more")
        self.sqlstate = state


def of_postgres(state: str) -> DBAPIError:
    """Make the error that SQLAlchemy makes of PostgreSQL's."""
    return DBAPIError("INSERT INTO secrets VALUES ($1)", ("a secret",), Told(state))


@pytest.mark.parametrize(
    ("fault", "code", "after_commit"),
    [
        (of_sqlite(sqlite3.SQLITE_FULL), "db_full", StoreUnavailable),
        (of_sqlite(sqlite3.SQLITE_READONLY_DBMOVED), "db_readonly", StoreUnavailable),
        (of_sqlite(sqlite3.SQLITE_BUSY_SNAPSHOT), "db_busy", StoreUnavailable),
        (of_sqlite(sqlite3.SQLITE_IOERR_FSYNC), "db_io", CommitUnknown),
        (of_sqlite(sqlite3.SQLITE_CORRUPT), "db_damaged", CommitUnknown),
        (of_sqlite(sqlite3.SQLITE_CANTOPEN), "db_unreachable", CommitUnknown),
        (of_postgres("53100"), "db_full", StoreUnavailable),
        (of_postgres("25006"), "db_readonly", StoreUnavailable),
        (of_postgres("40P01"), "db_busy", StoreUnavailable),
        (of_postgres("57014"), "db_busy", StoreUnavailable),
        (of_postgres("58030"), "db_io", CommitUnknown),
        (of_postgres("XX001"), "db_damaged", CommitUnknown),
        (of_postgres("57P01"), "db_unreachable", CommitUnknown),
        (of_postgres("53300"), "db_unreachable", CommitUnknown),
        (of_postgres("08006"), "db_unreachable", CommitUnknown),
        (ConnectionResetError("reset"), "db_unreachable", CommitUnknown),
        (TimeoutError(), "db_unreachable", CommitUnknown),
        (PoolTimeout("no connection"), "db_unreachable", CommitUnknown),
    ],
)
def test_a_fault_that_time_or_an_operator_mends(
    fault: Exception, code: str, after_commit: type[Exception]
) -> None:
    told = faults.unavailable(fault, "database x")

    assert told is not None
    assert told.code == code
    assert told.what.startswith("database x: ")
    assert told.todo
    assert "secret" not in str(told)
    assert isinstance(faults.after_commit(fault, "database x"), after_commit)


@pytest.mark.parametrize(
    "fault",
    [
        IntegrityError("INSERT", {}, sqlite3.IntegrityError("unique")),
        ProgrammingError("SELECT", {}, sqlite3.ProgrammingError("Error binding parameter")),
        of_sqlite(sqlite3.SQLITE_CONSTRAINT),
        of_sqlite(sqlite3.SQLITE_ERROR, "no such table"),
        of_postgres("23505"),
        of_postgres("42P01"),
        of_postgres("22021"),
        ValueError("ours"),
    ],
)
def test_our_own_mistakes_are_left_as_they_are(fault: Exception) -> None:
    assert faults.unavailable(fault, "database x") is None
    assert faults.after_commit(fault, "database x") is None


def test_the_reason_is_one_line_without_statement_and_values() -> None:
    assert faults.reason(of_sqlite(sqlite3.SQLITE_FULL)) == "as the driver says it"
    assert faults.reason(of_postgres("53100")) == "as the server says it"
    assert faults.reason(TimeoutError()) == "TimeoutError"
