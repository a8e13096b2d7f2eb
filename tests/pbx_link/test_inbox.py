"""The queue between the link and its one reader."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from structlog.testing import capture_logs

from cti.clock import SetClock
from cti.pbx.aside import SetAside
from cti.pbx.frames import Frame
from cti.pbx.inbox import Inbox

SOUND = b"Event: A\r\nN: "
FAULTY = b"Event: A\r\nN: 1\r\nN: 2"


def inbox(**limits: Any) -> Inbox:
    return Inbox(SetAside("main", SetClock(datetime(2026, 11, 22, tzinfo=UTC))), **limits)


def frames(*numbers: int) -> list[Frame]:
    return [Frame(SOUND + str(n).encode()) for n in numbers]


async def test_all_that_has_gathered_is_taken_at_once_in_order() -> None:
    box = inbox()
    box.put(frames(1, 2))
    box.put(frames(3))

    assert [frame.first("N") for frame in await box.take()] == ["1", "2", "3"]
    assert (box.given, box.taken, box.waiting) == (3, 3, 0)


async def test_who_takes_from_an_empty_box_waits_for_the_next() -> None:
    box = inbox()
    async with asyncio.TaskGroup() as group:
        taking = group.create_task(box.take())
        await asyncio.sleep(0)
        assert not taking.done()
        box.put(frames(1))

    assert len(taking.result()) == 1


async def test_the_reader_is_woken_at_once_by_what_is_urgent_and_else_in_a_moment() -> None:
    box = inbox(gather=60, urgent=lambda frame: frame.payload.endswith(b"3"))
    async with asyncio.TaskGroup() as group:
        taking = group.create_task(box.take())
        box.put(frames(1, 2))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not taking.done()
        box.put(frames(3))

    assert [frame.first("N") for frame in taking.result()] == ["1", "2", "3"]

    box = inbox(gather=0.01, urgent=lambda _frame: False)
    box.put(frames(1))
    assert len(await box.take()) == 1


async def test_a_big_heap_is_taken_in_parts() -> None:
    box = inbox()
    for n in range(5):
        box.put(frames(n, n, n))

    assert [len(await box.take(at_most=4)) for _ in range(3)] == [6, 6, 3]


async def test_frames_that_are_not_sound_never_reach_the_reader() -> None:
    box = inbox()
    with capture_logs():
        box.put([Frame(FAULTY)])
        async with asyncio.TaskGroup() as group:
            taking = group.create_task(box.take())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            box.put([*frames(1), Frame(FAULTY)])

    assert [frame.first("N") for frame in taking.result()] == ["1"]
    assert box.aside.counts == {"repeated": 2}


async def test_a_taker_that_is_cancelled_has_taken_nothing() -> None:
    box = inbox()
    async with asyncio.TaskGroup() as group:
        taking = group.create_task(box.take())
        await asyncio.sleep(0)
        taking.cancel()
    box.put(frames(1))

    assert len(await box.take()) == 1


async def test_the_operator_is_told_once_when_it_fills_and_again_when_it_fills_again() -> None:
    box = inbox(warn_at=4, limit=100)
    with capture_logs() as logs:
        box.put(frames(*range(5)))
        box.put(frames(5))
        await box.take()
        box.put(frames(*range(4)))

    assert [(log["event"], log["waiting"]) for log in logs] == [
        ("inbox_filling", 5),
        ("inbox_filling", 4),
    ]
    assert box.high == 6


async def test_a_full_box_takes_nothing_and_says_so() -> None:
    box = inbox(limit=3)
    with capture_logs() as logs:
        assert box.put(frames(1, 2))
        assert not box.put(frames(3, 4))
        assert box.put(frames(5))

    assert [frame.first("N") for frame in await box.take()] == ["1", "2", "5"]
    assert box.overflows == 1
    assert [log["event"] for log in logs] == ["inbox_full"]
