"""Do the tables fit this program, and how are they made to?

    upgrade(url)   makes a new database, or brings an old one to today's tables
    check(url)     says "ok", or raises db_not_migrated or db_newer

Both reach the database by themselves: nothing else needs to be open.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.pool import NullPool

from cti import __version__
from cti.db import engine, faults, sqlite
from cti.errors import ConfigError

LOCK: Final = 0x637469  # "cti"
FILE_MODE: Final = 0o600
"""The database holds customers' numbers."""


def config(connection: Connection | None = None) -> Config:
    """Give Alembic its configuration: our revisions, and one connection to run them on."""
    made = Config()
    where = str(Path(__file__).parent / "migrations").replace("%", "%%")
    made.set_main_option("script_location", where)
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


def newest() -> str:
    """Name the revision that this program wants."""
    return str(ScriptDirectory.from_config(config()).get_current_head())


async def upgrade(url: str, *, password: str | None = None) -> str:
    """Bring the database to today's tables, in one transaction; give its revision.

    A SQLite file and its directory are made when they are missing. Raises `ConfigError`:
    db_newer, db_url, db_driver, db_unreachable and whatever else a database may say.
    """
    found = engine.address(url, password)
    if found.get_backend_name() == "sqlite":
        _make_file(found)
    await engine.look_at_file(found)
    async with _connected(found) as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        if await connection.run_sync(_revision) not in ("", *_known()):
            raise _newer(found)
        await connection.run_sync(lambda sync: command.upgrade(config(sync), "head"))
        if connection.dialect.name == "sqlite" and (
            broken := (await connection.execute(text("PRAGMA foreign_key_check"))).first()
        ):
            raise ConfigError(f"{engine.where(found)}: rows of {broken[0]} point nowhere")
    return newest()


async def check(url: str, *, password: str | None = None) -> str:
    """Say "ok" when the tables fit this program.

    Raises `ConfigError`: db_not_migrated, db_newer, db_url, db_driver, db_unreachable.
    """
    found = engine.address(url, password)
    engine.refuse_missing(found)
    await engine.look_at_file(found)
    async with _connected(found, begin="BEGIN") as connection:
        at = await connection.run_sync(_revision)
    if at == newest():
        return "ok"
    if at not in ("", *_known()):
        raise _newer(found)
    have = f"has the tables of revision {at}" if at else "has no tables yet"
    raise ConfigError(
        f"{engine.where(found)} {have}; cti {__version__} needs revision {newest()}",
        "make a backup, then run: cti migrate, with the same --config",
        code="db_not_migrated",
    )


def _newer(url: URL) -> ConfigError:
    return ConfigError(
        f"{engine.where(url)} was made by a newer cti than this one ({__version__})",
        "install the newer cti, or restore the backup made before it",
        code="db_newer",
    )


def _known() -> list[str]:
    scripts = ScriptDirectory.from_config(config())
    return [script.revision for script in scripts.walk_revisions()]


def _revision(connection: Connection) -> str:
    return ",".join(MigrationContext.configure(connection).get_current_heads())


def _make_file(url: URL) -> None:
    path = Path(str(url.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(FILE_MODE, exist_ok=True)
    except OSError as fault:
        raise engine.unreachable(url, fault) from fault


@asynccontextmanager
async def _connected(url: URL, *, begin: str = "BEGIN IMMEDIATE") -> AsyncIterator[AsyncConnection]:
    """Open one transaction of its own; foreign keys are off, so that tables can be remade."""
    if url.get_backend_name() == "sqlite":
        path = str(url.database)
        made = sqlite.make_engine(sqlite.Maker(path, sqlite.MIGRATION, begin), poolclass=NullPool)
    else:
        made = engine.make_engine(url, connect_args={"timeout": 5}, poolclass=NullPool)
    try:
        async with made.begin() as connection:
            yield connection
    except faults.Fault as fault:
        if faults.meaning(fault) is None:
            raise
        raise engine.unreachable(url, fault) from fault
    finally:
        await made.dispose()
