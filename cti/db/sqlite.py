"""How does SQLite run beside the event loop, safely and cheaply?

Python's driver begins a transaction too late: of many tasks that read and then write, most lose
their update without any error. Here every transaction begins before its first statement, in the
way that the connection was made for (`BEGIN IMMEDIATE` for a writer).

aiosqlite runs each step of a statement (make a cursor, execute, fetch, close) as a message to
its thread and back. Here a statement is one message.
"""

import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, cast

import aiosqlite
from pydantic_core import PydanticSerializationError, to_json
from sqlalchemy import FromClause
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
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


class Maker:
    """Makes connections to a file that have these pragmas and begin in this way."""

    def __init__(self, path: str, pragmas: Sequence[str], begin: str = "BEGIN IMMEDIATE") -> None:
        self._path, self._pragmas, self._begin = path, pragmas, begin
        self.last: Connection | None = None
        """The one that was made last."""

    async def __call__(self) -> "Connection":
        """Make one."""
        made = self.last = Connection(self._connect, self._begin)
        made._thread.daemon = True  # a program that ends does not wait for it
        await made
        return made

    def _connect(self) -> sqlite3.Connection:
        raw = sqlite3.connect(self._path, isolation_level=None)
        for pragma in self._pragmas:
            raw.execute(f"PRAGMA {pragma}")
        return raw


def make_engine(maker: Maker, **options: Any) -> AsyncEngine:
    """Make an engine of these connections."""
    engine = create_async_engine(
        "sqlite+aiosqlite://", async_creator=maker, json_serializer=_json, **options
    )
    engine.dialect.statement_compiler = _Compiler
    return engine


class _Compiler(SQLiteCompiler):
    """Writes `with_hint(table, "INDEXED BY an_index", "sqlite")` too, which SQLAlchemy leaves out.

    SQLite does not weigh that the first row of an order is enough: it may read and sort all.
    """

    @override
    def get_from_hint_text(self, table: FromClause, text: str | None) -> str | None:
        return text


def _json(value: Any) -> str:
    """Write a JSON column: some are written with every call."""
    try:
        return to_json(value).decode()
    except PydanticSerializationError:  # half a character
        return json.dumps(value)


async def driver_of(connection: AsyncConnection) -> "Connection":
    """Give our connection behind one of SQLAlchemy's."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    return cast("Connection", driver)


class CommitFailed(Exception):
    """A commit failed, and why."""

    def __init__(self, fault: sqlite3.Error) -> None:
        super().__init__(str(fault))
        self.fault = fault


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

    @property
    def usable(self) -> bool:
        """Whether it was not closed."""
        return self._running and self._connection is not None

    async def whole(self, run: Callable[[sqlite3.Connection], R]) -> R:
        """Run something in a transaction of its own, which is one message to the thread.

        Raises what `run` does, `CommitFailed` when it is the commit that failed.
        """
        execute: Any = self._execute
        done: R = await execute(self._whole, run)
        return done

    def _whole(self, run: Callable[[sqlite3.Connection], R]) -> R:
        raw = self._conn
        raw.execute(self._begin)
        try:
            done = run(raw)
            try:
                raw.execute("COMMIT")
            except sqlite3.Error as fault:
                raise CommitFailed(fault) from fault
        except BaseException:
            if raw.in_transaction:
                raw.execute("ROLLBACK")
            raise
        return done

    async def ask(self, text: str, given: Sequence[Any]) -> list[Any]:
        """Ask one question, outside of any transaction."""
        execute: Any = self._execute
        found: list[Any] = await execute(lambda: self._conn.execute(text, given).fetchall())
        return found

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
