"""How do we reach the database: one writer for SQLite, a pool for PostgreSQL, errors by meaning.

A store writes in `async with db.write() as connection`, reads in `async with db.read()`. What
is done for every call goes shorter ways: `db.run` and `db.ask`.
"""

import asyncio
import secrets
import sqlite3
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeVar

import structlog
from sqlalchemy import URL, CompoundSelect, Select, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, QueuePool

from cti.db import faults, sqlite, together
from cti.errors import ConfigError

log = structlog.get_logger()

R = TypeVar("R")

READERS: Final = 4
POOL_SECONDS: Final = 10.0
_DRIVERS: Final = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}
_POSTGRES_SETTINGS: Final = {
    "timezone": "UTC",
    "statement_timeout": "30000",
    "idle_in_transaction_session_timeout": "10000",
}


def address(url: str, password: str | None = None) -> URL:
    """Read a database's address. Raises `ConfigError` (db_url)."""
    try:
        found = make_url(url)
    except (ArgumentError, ValueError) as fault:
        raise _wrong_url(url) from fault
    driver = _DRIVERS.get(found.drivername)
    if driver is None or not found.database or found.database == ":memory:":
        raise _wrong_url(found.render_as_string())
    found = found.set(drivername=driver)
    return found.set(password=password) if password and not _is_file(found) else found


def _wrong_url(url: str) -> ConfigError:
    return ConfigError(
        f"database.url {url!r} names no database that cti can use",
        "leave it empty (SQLite in the data directory), or write "
        "sqlite+aiosqlite:////path/cti.sqlite3 or postgresql+asyncpg://user@host/name",
        code="db_url",
    )


def _is_file(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def make_engine(url: URL, **options: Any) -> AsyncEngine:
    """Make an engine, or say which driver is missing. Raises `ConfigError` (db_driver)."""
    try:
        return create_async_engine(url, **options)
    except ModuleNotFoundError as fault:
        raise ConfigError(
            f"the database driver {fault.name} is not installed",
            "install cti with PostgreSQL: pip install 'cti[postgres]'",
            code="db_driver",
        ) from fault


class Lite:
    """A SQLite file: how connections to it are made, and whose turn it is to write."""

    def __init__(self, path: str) -> None:
        self.writer = sqlite.Maker(path, sqlite.WRITER)
        self.reader = sqlite.Maker(path, sqlite.READER, "BEGIN")
        self.turn = asyncio.Lock()
        self._asked: sqlite.Connection | None = None

    async def asked(self) -> sqlite.Connection:
        """Give the connection of questions that stand alone."""
        if self._asked is None or not self._asked.usable:
            self._asked = await self.reader()
        return self._asked

    async def close(self) -> None:
        """Close it."""
        if self._asked is not None:
            await self._asked.close()


def _sqlite_engines(lite: Lite) -> tuple[AsyncEngine, AsyncEngine]:
    common: dict[str, Any] = {
        "poolclass": AsyncAdaptedQueuePool,
        "max_overflow": 0,
        "pool_timeout": POOL_SECONDS,
    }
    return (
        sqlite.make_engine(lite.writer, pool_size=1, **common),
        sqlite.make_engine(lite.reader, pool_size=READERS, **common),
    )


def _postgres_engines(url: URL, name: str) -> tuple[AsyncEngine, AsyncEngine]:
    settings = {"application_name": name, **_POSTGRES_SETTINGS}
    common: dict[str, Any] = {
        "connect_args": {"timeout": 5, "command_timeout": 30, "server_settings": settings},
        "pool_pre_ping": True,
        "pool_timeout": POOL_SECONDS,
        "max_overflow": 2,
    }
    reader = make_engine(url, pool_size=READERS, **common)
    return make_engine(url, pool_size=4, **common), reader.execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=True
    )


Fence = Callable[[AsyncConnection], Awaitable[None]]


class Database:
    """One database, whichever it is. Made by `open`, ended by `close`."""

    def __init__(self, url: URL) -> None:
        self.dialect: Literal["sqlite", "postgresql"] = "sqlite" if _is_file(url) else "postgresql"
        self.where = where(url)
        self.name = f"cti {secrets.token_hex(8)}"
        """What PostgreSQL calls our connections, and nobody else's (pg_stat_activity)."""
        self._lite = Lite(str(url.database)) if _is_file(url) else None
        self._writer, self._reader = (
            _sqlite_engines(self._lite) if self._lite else _postgres_engines(url, self.name)
        )
        self._pending: set[asyncio.Task[Any]] = set()
        self.fence: Fence | None = None
        """Asked first in each transaction that writes; it refuses by raising."""

    @classmethod
    async def open(cls, url: str, *, password: str | None = None) -> Self:
        """Reach a database that `cti migrate` has made.

        Raises `ConfigError`: db_url, db_driver, db_not_migrated (no such file), db_unreachable.
        Whether its tables fit this program, `migrate.check` tells.
        """
        found = address(url, password)
        refuse_missing(found)
        await look_at_file(found)
        database = cls(found)
        try:
            async with database._reader.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except faults.Fault as fault:
            await database.close()
            raise unreachable(found, fault) from fault
        except BaseException:
            await database.close()
            raise
        return database

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Open one transaction; it is committed at the end of the block.

        Raises `StoreUnavailable` when nothing was stored, `CommitUnknown` when the answer to
        the commit was lost. A block that raises, or is cancelled, stores nothing; an error of
        a statement must leave the block, for PostgreSQL then turns COMMIT into ROLLBACK.
        Cancelled during the commit, the commit goes on: read back by key.
        """
        await self._take_turn()
        try:
            connection = await self._connected(self._writer)
        except BaseException:
            self._end_turn()
            raise
        try:
            if self.fence is not None:
                await self.fence(connection)
            yield connection
        except BaseException as fault:
            await self._see_through(self._at_last(connection.close()))  # rolls back
            self._tell(fault)
            raise
        await self._see_through(self._at_last(self._commit(connection)))

    async def run(self, steps: Sequence[together.Step]) -> list[list[Any]]:
        """Run steps in one transaction of their own; give what each returned, its first column.

        Raises what a block of `write` does. Cancelled, it may be stored all the same.
        """
        if self._lite is None:
            async with self.write() as connection:
                return await together.run_on(connection, steps)
        work = together.Work(steps, self._writer.dialect)
        await self._take_turn()
        return await self._see_through(self._at_last(self._run(self._lite, work)))

    async def _run(self, lite: Lite, work: together.Work) -> list[list[Any]]:
        """Run work in SQLite, in one go."""
        try:
            driver = lite.writer.last
            if driver is None or not driver.usable:
                async with self._writer.connect() as connection:
                    driver = await sqlite.driver_of(connection)
            return await driver.whole(work.run)
        except sqlite.CommitFailed as failed:
            told = faults.after_commit(failed.fault, self.where)
            raise told or self._broken(failed.fault) from failed.fault
        except faults.Fault as fault:
            raise self._unavailable(fault) from fault

    async def ask(
        self, statement: Select[Any] | CompoundSelect[Any], values: Mapping[str, Any]
    ) -> Sequence[Any]:
        """Ask one question that stands alone; its rows have the names of its columns.

        The statement is one object for ever. Raises `StoreUnavailable`.
        """
        if self._lite is None:
            async with self.read() as connection:
                return list(await connection.execute(statement, values))
        asked = together.question(statement, self._reader.dialect)
        given = asked.parameters([values])[0]
        try:
            driver = await self._lite.asked()
            return asked.rows(await driver.ask(asked.text, given))
        except faults.Fault as fault:
            raise self._unavailable(fault) from fault

    def _unavailable(self, fault: Exception) -> Exception:
        """Give the error for a driver's fault: an outage, or a mistake of ours."""
        return faults.unavailable(fault, self.where) or self._broken(fault)

    def _broken(self, fault: Exception) -> Exception:
        """Give a mistake of ours as SQLAlchemy tells it."""
        if isinstance(fault, sqlite3.Error):
            return together.told(fault, self._writer.dialect)
        return fault

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open one read-only view of the records: all statements in it see the same state.

        Raises `StoreUnavailable`.
        """
        connection = await self._connected(self._reader)
        try:
            yield connection
        except faults.IN_BLOCK as fault:
            self._tell(fault)
            raise
        finally:
            await self._see_through(connection.close())

    async def alone(self, connection: AsyncConnection, what: str) -> None:
        """Let no other transaction that asks for the same run beside this one.

        SQLite has one writer; PostgreSQL holds an advisory lock until the transaction ends.
        """
        if self.dialect == "postgresql":
            key = {"key": zlib.crc32(what.encode())}
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), key)

    def checked_out(self) -> int:
        """Count connections in use: 0 when nobody is in a transaction."""
        pools = (self._writer.pool, self._reader.pool)
        return sum(pool.checkedout() for pool in pools if isinstance(pool, QueuePool))

    async def close(self) -> None:
        """Wait for commits under way and close every connection; the writer last."""
        if self._pending:
            await asyncio.wait(self._pending)
        if self._lite is not None:
            await self._lite.close()
        await self._reader.dispose()
        await self._writer.dispose()

    async def _connected(self, engine: AsyncEngine) -> AsyncConnection:
        connection = engine.connect()
        try:
            await connection.start()
        except BaseException as fault:
            if connection.sync_connection is not None:
                await self._see_through(connection.close())
            if told := faults.unavailable(fault, self.where):
                raise told from fault
            raise
        return connection

    async def _commit(self, connection: AsyncConnection) -> None:
        try:
            await connection.commit()
        except faults.Fault as fault:
            if told := faults.after_commit(fault, self.where):
                raise told from fault
            raise
        finally:
            await connection.close()

    async def _take_turn(self) -> None:
        """Wait until nobody else writes to SQLite. Raises `StoreUnavailable`."""
        if self._lite is None:
            return
        try:
            async with asyncio.timeout(POOL_SECONDS):
                await self._lite.turn.acquire()
        except TimeoutError as fault:
            raise self._unavailable(fault) from fault

    async def _at_last(self, work: Coroutine[Any, Any, R]) -> R:
        """Do what ends our turn to write."""
        try:
            return await work
        finally:
            self._end_turn()

    def _end_turn(self) -> None:
        if self._lite is not None:
            self._lite.turn.release()

    def _tell(self, fault: BaseException) -> None:
        if isinstance(fault, faults.IN_BLOCK) and (told := faults.unavailable(fault, self.where)):
            raise told from fault

    async def _see_through(self, work: Coroutine[Any, Any, R]) -> R:
        """Wait for work that goes on to its end even when the waiter is cancelled."""
        task = asyncio.get_running_loop().create_task(work, name="db")
        self._pending.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._pending.discard(task)
        if not task.cancelled() and (fault := task.exception()):
            log.debug("transaction_ended_badly", fault=str(fault))  # whoever waits is told


def where(url: URL) -> str:
    """Name a database for people, without its password."""
    if _is_file(url):
        return f"database {url.database}"
    return f"database {url.database} at {url.host or url.query.get('host', 'localhost')}"


def refuse_missing(url: URL) -> None:
    """Raise `ConfigError` (db_not_migrated) for a SQLite file that is not there.

    SQLite itself would make an empty one.
    """
    if _is_file(url) and not Path(str(url.database)).exists():
        raise ConfigError(
            f"{where(url)} does not exist",
            "run: cti migrate, with the same --config",
            code="db_not_migrated",
        )


async def look_at_file(url: URL) -> None:
    """Raise `ConfigError` (db_unreachable, db_damaged) for a file that SQLite cannot read.

    Asked of the plain driver: aiosqlite leaves a thread behind when it cannot open a file.
    """
    if _is_file(url):
        try:
            await asyncio.to_thread(_look, str(url.database))
        except sqlite3.Error as fault:
            raise unreachable(url, fault) from fault


def _look(path: str) -> None:
    with closing(sqlite3.connect(path, timeout=5)) as connection:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1")


def unreachable(url: URL, fault: BaseException) -> ConfigError:
    """Say that a database cannot be used as it is set, and why."""
    told = faults.meaning(fault)
    code, what, todo = told or faults.UNREACHABLE
    return ConfigError(f"{where(url)}: {what}: {faults.reason(fault)}", todo, code=code)
