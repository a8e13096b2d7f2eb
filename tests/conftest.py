"""What every test may ask for: a database of its own, on each kind that the product meets."""

import logging
import shutil
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest
import structlog
from typing_extensions import override
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from cti.db import migrate
from cti.db.engine import Database
from tests.kit.need import need
from tests.kit.postgres import Missing, OwnServer, Server, any_server, own_server

WAITING = ("tests/pbx/", "tests/browser/")
DIALLING = ("test_visits.py", "test_customer_first.py", "test_lines.py", "test_morning.py")
"""Files whose tests wait for many real calls, and use little of the processor."""
EVERY_DATABASE = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
_names = count(1)


class SideBySide(LoadScopeScheduling):
    """What the processes of `pytest --numprocesses` do: two lots of tests that wait for real
    calls and pages, begun first; beside them the other files, each whole.
    """

    @override
    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        if not path.startswith(WAITING):
            return path
        return "dialling" if path.endswith(DIALLING) else "calls"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> SideBySide:
    """Let the tests be shared out so."""
    return SideBySide(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what waits."""
    items.sort(key=lambda item: not item.nodeid.startswith(WAITING))


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    """Leave no logger behind that writes to a stream which the test has closed."""
    before, handlers = structlog.get_config(), logging.getLogger().handlers[:]
    yield
    structlog.configure(**before)
    root = logging.getLogger()
    for handler in [each for each in root.handlers if each not in handlers]:
        root.removeHandler(handler)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One PostgreSQL server for all tests."""
    try:
        server = any_server()
    except Missing as why:
        need("postgres", str(why))
        raise
    yield server
    server.close()


@pytest.fixture
def postgres_to_stop() -> Iterator[OwnServer]:
    """A PostgreSQL server that the test may stop and start."""
    try:
        server = own_server()
    except Missing as why:
        need("postgres", str(why))
        raise
    yield server
    server.close()


@pytest.fixture(params=EVERY_DATABASE)
async def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The address of a database without tables, on each kind."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'cti.sqlite3'}"
        return
    server: Server = request.getfixturevalue("postgres")
    name = _fresh_name()
    yield await server.create(name)
    await server.drop(name)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What has been migrated once already, to be copied."""
    return {"directory": str(tmp_path_factory.mktemp("made"))}


@pytest.fixture(params=EVERY_DATABASE)
async def db_url(
    request: pytest.FixtureRequest, tmp_path: Path, made: dict[str, str]
) -> AsyncIterator[str]:
    """The address of a fresh migrated database, on each kind."""
    if request.param == "sqlite":
        yield await sqlite_url(tmp_path, made)
        return
    server: Server = request.getfixturevalue("postgres")
    if "template" not in made:
        template = _fresh_name()
        await migrate.upgrade(await server.create(template))
        made["template"] = template
    name = _fresh_name()
    yield await server.create(name, made["template"])
    await server.drop(name)


@pytest.fixture
async def db(db_url: str) -> AsyncIterator[Database]:
    """A fresh migrated database, open, on each kind; no connection may be left checked out."""
    database = await Database.open(db_url)
    yield database
    left = database.checked_out()
    await database.close()

    assert left == 0


@pytest.fixture
async def sqlite_db(tmp_path: Path, made: dict[str, str]) -> AsyncIterator[Database]:
    """A fresh migrated SQLite database, for what concerns SQLite alone."""
    database = await Database.open(await sqlite_url(tmp_path, made))
    yield database
    await database.close()


async def sqlite_url(directory: Path, made: dict[str, str]) -> str:
    """Copy the migrated file into a directory."""
    template = Path(made["directory"]) / "cti.sqlite3"
    if not template.exists():
        await migrate.upgrade(f"sqlite+aiosqlite:///{template}")
    shutil.copy(template, directory / "cti.sqlite3")
    return f"sqlite+aiosqlite:///{directory / 'cti.sqlite3'}"


def _fresh_name() -> str:
    import os

    return f"cti_test_{os.getpid()}_{next(_names)}"
