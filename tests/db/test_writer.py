"""What was put is stored once, in order, whatever happens to the database meanwhile."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cti.db import migrate
from cti.db.engine import Database
from cti.db.writer import Writer
from cti.errors import StoreUnavailable
from tests.db.test_engine import DIE_ONCE_AT_COMMIT
from tests.kit import scratch
from tests.kit.postgres import OwnServer, Server
from tests.kit.until import until

QUICK = (timedelta(milliseconds=20), timedelta(milliseconds=100))
LONG = timedelta(seconds=20)
Item = tuple[int, str | None]


class Desk:
    """A writer with everything that it said."""

    def __init__(self, db: Database, **options: Any) -> None:
        self._db = db
        self.tries: list[int] = []
        self.results: list[list[int]] = []
        self.said: list[str] = []
        self.refused: list[Sequence[Item]] = []
        self.writer: Writer[Item, list[int]] = Writer(
            self._apply,
            after=self.results.append,
            on_trouble=lambda fault: self.said.append(fault.code),
            on_recovered=lambda: self.said.append("recovered"),
            on_refused=lambda batch, _fault: self.refused.append(batch),
            **{"back_off": QUICK, **options},
        )

    async def _apply(self, items: list[Item]) -> list[int]:
        self.tries.append(len(items))
        await self._db.run([scratch.step(self._db.dialect, items)])
        return [key for key, _said in items]

    @property
    def stored(self) -> list[int]:
        return [number for result in self.results for number in result]


@asynccontextmanager
async def running(desk: Desk) -> AsyncIterator[Writer[Item, list[int]]]:
    """Run the writer, and see that it ends by `stop`."""
    async with asyncio.TaskGroup() as group:
        group.create_task(desk.writer.run())
        yield desk.writer
        await desk.writer.stop(LONG)


async def test_what_gathers_becomes_one_commit_in_order(db: Database) -> None:
    await scratch.make(db)
    desk = Desk(db)

    async with running(desk) as writer:
        for number in range(100):
            writer.put(scratch.lines([number]))

    assert desk.stored == list(range(100))
    assert desk.tries == [100]
    assert list(await scratch.kept(db)) == list(range(100))


async def test_what_was_put_together_is_never_parted(db: Database) -> None:
    await scratch.make(db)
    desk = Desk(db, at_once=5)

    async with running(desk) as writer:
        for number in range(0, 21, 3):
            writer.put(scratch.lines(range(number, number + 3)))
        writer.put(scratch.lines(range(21, 31)))

    assert desk.tries == [3, 3, 3, 3, 3, 3, 3, 10]
    assert desk.stored == list(range(31))


async def test_a_full_writer_takes_nothing_and_says_when_there_is_room(db: Database) -> None:
    await scratch.make(db)
    desk = Desk(db, limit=10)
    desk.writer.put(scratch.lines(range(10)))

    with pytest.raises(StoreUnavailable, match="10 changes wait to be stored") as caught:
        desk.writer.put(scratch.lines([10]))
    async with running(desk) as writer:
        await writer.room()
        writer.put(scratch.lines([11]))

    assert caught.value.code == "store_full"
    assert desk.stored == [*range(10), 11]


async def test_a_stop_stores_what_waits(db: Database) -> None:
    await scratch.make(db)
    desk = Desk(db, gather=timedelta(hours=1))
    desk.writer.put(scratch.lines(range(3)))

    async with asyncio.TaskGroup() as group:
        left = group.create_task(desk.writer.stop(LONG))
        group.create_task(desk.writer.run())

    assert left.result() == 0
    assert desk.stored == [0, 1, 2]


async def test_one_batch_that_cannot_be_stored_costs_itself_alone(db: Database) -> None:
    await scratch.make(db)
    desk = Desk(db)

    async with running(desk) as writer:
        writer.put(scratch.lines([1]))
        writer.put([(2, "with it"), (3, None)])
        writer.put(scratch.lines([4]))

    assert desk.stored == [1, 4]
    assert desk.refused == [[(2, "with it"), (3, None)]]
    assert (desk.writer.refused, desk.writer.waiting, desk.said) == (2, 0, [])


async def test_half_a_character_costs_its_own_batch_alone(db: Database) -> None:
    await scratch.make(db)
    desk = Desk(db)

    async with running(desk) as writer:
        writer.put([(1, "\ud800")])
        writer.put(scratch.lines([2]))

    assert desk.refused == [[(1, "\ud800")]]
    assert desk.stored == [2]


async def test_no_space_left_keeps_everything_until_there_is_some(sqlite_db: Database) -> None:
    await scratch.make(sqlite_db)
    desk = Desk(sqlite_db)
    await scratch.tell(sqlite_db, "PRAGMA max_page_count = 1")

    async with running(desk) as writer:
        for number in range(5):
            writer.put(scratch.lines([number], size=50_000))
        await until(lambda: len(desk.tries) >= 4)
        assert (desk.said, desk.stored, writer.waiting, writer.troubled) == (
            ["db_full"],
            [],
            5,
            True,
        )
        await scratch.tell(sqlite_db, "PRAGMA max_page_count = 1000000")
        await writer.settled()

    assert desk.said == ["db_full", "recovered"]
    assert desk.stored == list(range(5)) == list(await scratch.kept(sqlite_db))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB of our own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=4m", "cti-test", str(disk)]
    if os.getuid() or subprocess.run(words, capture_output=True, check=False).returncode:  # noqa: S603
        pytest.skip("a small disk can be mounted by root alone")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)  # noqa: S603, S607


async def test_a_disk_that_is_really_full_loses_nothing(small_disk: Path) -> None:
    url = f"sqlite+aiosqlite:///{small_disk / 'cti.sqlite3'}"
    await migrate.upgrade(url)
    ballast = small_disk / "ballast"

    async with scratch.opened(url) as db, running(desk := Desk(db)) as writer:
        writer.put(scratch.lines([1], size=1_000))
        await writer.settled()
        fill(ballast)
        writer.put(scratch.lines(range(2, 40), size=1_000))
        await until(lambda: len(desk.tries) >= 4)
        assert desk.stored == [1] == list(await scratch.kept(db))
        ballast.unlink()
        await writer.settled()

        assert desk.said == ["db_full", "recovered"]
        assert desk.stored == list(range(1, 40)) == list(await scratch.kept(db))


async def test_a_server_that_stops_and_starts_loses_nothing(postgres_to_stop: OwnServer) -> None:
    url = await postgres_to_stop.create("cti_writer")

    async with scratch.opened(url) as db, running(desk := Desk(db)) as writer:
        for number in range(300):
            writer.put(scratch.lines([number]))
            await asyncio.sleep(0)
            if number == 100:
                await writer.settled()
                await asyncio.to_thread(postgres_to_stop.stop)
        await until(lambda: writer.troubled)
        await asyncio.to_thread(postgres_to_stop.start)
        await writer.settled()

        assert desk.stored == list(range(300)) == list(await scratch.kept(db))
        assert desk.said == ["db_unreachable", "recovered"]


async def test_a_commit_of_unknown_fate_is_done_again_and_told_once(postgres: Server) -> None:
    async with scratch.opened(await postgres.create("cti_writer_unknown")) as db:
        await scratch.tell(db, *DIE_ONCE_AT_COMMIT)

        async with running(desk := Desk(db)) as writer:
            writer.put(scratch.lines([1, 2]))

        assert desk.results == [[1, 2]]
        assert desk.tries == [2, 2]
        assert list(await scratch.kept(db)) == [1, 2]
    await postgres.drop("cti_writer_unknown")


async def test_an_outage_is_not_tried_hot(sqlite_db: Database) -> None:
    await scratch.make(sqlite_db)
    await scratch.tell(sqlite_db, "PRAGMA max_page_count = 1")
    desk = Desk(sqlite_db, back_off=(timedelta(milliseconds=200), timedelta(seconds=5)))
    desk.writer.put(scratch.lines([1], size=50_000))

    async with asyncio.TaskGroup() as group:
        task = group.create_task(desk.writer.run())
        await asyncio.sleep(1.0)
        tries = len(desk.tries)
        left = await desk.writer.stop(timedelta(milliseconds=50))
        task.cancel()

    assert 1 <= tries <= 3  # after 0, 0.2 and 0.6 s
    assert (left, desk.stored, desk.said) == (1, [], ["db_full"])


def fill(file: Path) -> None:
    """Write until the disk is full."""
    with file.open("wb", buffering=0) as out, suppress(OSError):
        while out.write(b"\0" * 4096):
            pass
