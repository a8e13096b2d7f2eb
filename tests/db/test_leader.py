"""Of several daemons on one PostgreSQL one works; who was held up for long stores nothing more."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from cti.db import leader as leading
from cti.db.engine import Database
from cti.db.leader import NOT_LEADER, Leader
from cti.errors import CommitUnknown, StoreUnavailable

SHARED = pytest.mark.parametrize(
    "db_url", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
EXPIRE = "UPDATE leader SET until = clock_timestamp() - interval '1 second'"


@pytest.fixture
async def two(db_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Database]]:
    """One database, as two daemons reach it."""
    monkeypatch.setattr(leading, "ASK", 0.01)
    monkeypatch.setattr(leading, "EVERY", 0.01)
    both = [await Database.open(db_url) for _ in range(2)]
    yield both
    for db in both:
        await db.close()


async def writes(db: Database) -> str:
    """Try to store something; give the code of what refuses it."""
    try:
        async with db.write() as conn:
            await conn.execute(text("SELECT 1"))
    except StoreUnavailable as fault:
        return fault.code
    return ""


async def until(db: Database) -> datetime:
    """Give until when the lease lasts."""
    async with db.read() as conn:
        found: datetime = (await conn.execute(text("SELECT until FROM leader"))).scalar_one()
    return found


@SHARED
async def test_the_second_stands_by_until_the_first_leaves(two: list[Database]) -> None:
    first, second = map(Leader, two)
    await first.become(asyncio.Event())
    stopped = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(second.become(stopped))
        await asyncio.sleep(0.05)  # several questions
        assert not waiting.done()
        await first.leave()
        assert await asyncio.wait_for(waiting, 5)

    assert ["not_leader", ""] == [await writes(db) for db in two]


@SHARED
async def test_who_was_held_up_for_too_long_stores_nothing_and_is_told(
    two: list[Database],
) -> None:
    first, second = map(Leader, two)
    await first.become(asyncio.Event())
    async with two[1].write() as conn:
        await conn.execute(text(EXPIRE))
    await second.become(asyncio.Event())
    lost: list[bool] = []

    await asyncio.wait_for(first.hold(lambda: lost.append(True)), 5)

    assert ([True], NOT_LEADER, "") == (lost, await writes(two[0]), await writes(two[1]))


@SHARED
async def test_a_transaction_of_who_was_held_up_keeps_nobody_waiting(
    two: list[Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leading, "LEASE", timedelta(milliseconds=300))
    first, second = map(Leader, two)
    await first.become(asyncio.Event())

    async def held_up() -> None:
        async with two[0].write():  # it has asked, and keeps the row
            assert await asyncio.wait_for(second.become(asyncio.Event()), 5)

    with pytest.raises(CommitUnknown):
        await held_up()


@SHARED
async def test_who_stands_by_can_be_stopped(two: list[Database]) -> None:
    first, second = map(Leader, two)
    await first.become(asyncio.Event())
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(second.become(stop))
        stop.set()

    assert not waiting.result()


@SHARED
async def test_who_says_that_he_lives_stays_leader(two: list[Database]) -> None:
    first = Leader(two[0])
    await first.become(asyncio.Event())
    began = await until(two[1])

    async with asyncio.TaskGroup() as tasks:
        holding = tasks.create_task(first.hold(lambda: None))
        async with asyncio.timeout(5):
            while await until(two[1]) <= began:  # noqa: ASYNC110  a row tells nobody
                await asyncio.sleep(0.01)
        holding.cancel()

    assert "" == await writes(two[0])


async def test_on_sqlite_nobody_is_asked(sqlite_db: Database) -> None:
    await Leader(sqlite_db).become(asyncio.Event())

    assert sqlite_db.fence is None
