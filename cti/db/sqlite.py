"""How does SQLite run beside the event loop, safely and cheaply?

Python's driver begins a transaction too late: of many tasks that read and then write, most lose
their update without any error. Here every transaction begins before its first statement, in the
way that the connection was made for (`BEGIN IMMEDIATE` for a writer).

aiosqlite runs each step of a statement (make a cursor, execute, fetch, close) as a message to
its thread and back. Here a statement is one message.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import aiosqlite
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from typing_extensions import override

R = TypeVar("R")

WRITER: Final = (
    "busy_timeout=5000",  # first: going over to WAL needs the lock too
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "journal_size_limit=67108864",
)
READER: Final = ("busy_timeout=5000", "query_only=ON")
MIGRATION: Final = ("busy_timeout=5000",)  # no foreign keys: tables may be made anew


def make_engine(
    path: str, pragmas: Sequence[str], begin: str = "BEGIN IMMEDIATE", **options: Any
) -> AsyncEngine:
    """Make an engine whose connections have these pragmas and begin in this way."""

    def connect() -> sqlite3.Connection:
        raw = sqlite3.connect(path, isolation_level=None)
        for pragma in pragmas:
            raw.execute(f"PRAGMA {pragma}")
        return raw

    async def connected() -> aiosqlite.Connection:
        made = Connection(connect, begin)
        made._thread.daemon = True  # a program that ends does not wait for it
        return await made

    return create_async_engine("sqlite+aiosqlite://", async_creator=connected, **options)


class Connection(aiosqlite.Connection):
    """A connection of aiosqlite that begins by itself, and whose cursors are ours."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], begin: str) -> None:
        super().__init__(connect, iter_chunk_size=64)
        self._begin = begin

    @override
    def cursor(self) -> Any:
        """Make a cursor, without asking the thread."""
        return Cursor(self)

    @override
    async def commit(self) -> None:
        """Commit, if there is a transaction."""
        if self.in_transaction:
            await super().commit()

    @override
    async def rollback(self) -> None:
        """Roll back, if there is a transaction."""
        if self.in_transaction:
            await super().rollback()

    async def in_thread(self, run: Callable[[sqlite3.Connection], R]) -> R:
        """Run something in a transaction, in the connection's thread."""
        execute: Any = self._execute
        done: R = await execute(self._in_transaction, run)
        return done

    def _in_transaction(self, run: Callable[[sqlite3.Connection], R]) -> R:
        raw = self._conn
        if not raw.in_transaction:
            raw.execute(self._begin)
        return run(raw)


class Cursor:
    """What SQLAlchemy needs of a cursor; every row is fetched at once, in the thread."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> "Cursor":
        return self

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> "Cursor":
        """Run one statement."""
        await self._connection.in_thread(lambda raw: self._take(raw.execute(statement, parameters)))
        return self

    async def executemany(self, statement: str, rows: Sequence[Sequence[Any]]) -> "Cursor":
        """Run one statement for each row of parameters."""
        await self._connection.in_thread(lambda raw: self._take(raw.executemany(statement, rows)))
        return self

    async def fetchall(self) -> list[Any]:
        """Give the rows left."""
        rows, self._rows = self._rows, []
        return rows

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        """Give the next rows."""
        rows, self._rows = self._rows[: size or 1], self._rows[size or 1 :]
        return rows

    async def fetchone(self) -> Any:
        """Give the next row; None behind the last."""
        return self._rows.pop(0) if self._rows else None

    async def close(self) -> None:
        """Do nothing: the real cursor was closed in its thread."""

    def _take(self, cursor: sqlite3.Cursor) -> None:
        self.description = cursor.description
        self._rows = cursor.fetchall() if cursor.description else []
        self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
        cursor.close()
