"""One PostgreSQL database for all tests of this room, emptied before each: a copy costs more."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from cti.db import migrate
from cti.db.engine import Database
from cti.db.schema import metadata
from tests.conftest import EVERY_DATABASE, sqlite_url
from tests.kit.postgres import Server


@pytest.fixture(params=EVERY_DATABASE)
async def db(
    request: pytest.FixtureRequest, tmp_path: Path, made: dict[str, str]
) -> AsyncIterator[Database]:
    """An empty migrated database, open, on each kind; no connection may be left checked out."""
    if request.param == "sqlite":
        database = await Database.open(await sqlite_url(tmp_path, made))
    else:
        database = await _emptied(request.getfixturevalue("postgres"), made)
    yield database
    left = database.checked_out()
    await database.close()

    assert left == 0


async def _emptied(server: Server, made: dict[str, str]) -> Database:
    if "calls" not in made:
        name = f"cti_test_calls_{os.getpid()}"
        made["calls"] = await server.create(name)
        await migrate.upgrade(made["calls"])
    database = await Database.open(made["calls"])
    tables = ", ".join(table.name for table in metadata.sorted_tables)
    async with database.write() as connection:
        await connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
    return database
