"""What a supervisor sees: calls now, agents now, the day so far, and the links."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from cti.bus import ALL, BOARD
from cti.calls.desk import Found, Turn, may_see_board
from cti.calls.record import State
from cti.calls.store import Day
from cti.errors import StoreUnavailable
from cti.house import House, HouseCard
from cti.people.rules import Directory, Role
from tests.kit import story
from tests.kit.desk import (
    NOON,
    WANG,
    WU,
    Room,
    over,
    ringing,
    talking,
    update,
)
from tests.kit.exchange import BO, CHEN, MAY
from tests.kit.until import until


@pytest.fixture
def room() -> Iterator[Room]:
    """A desk in Shanghai, at noon."""
    with capture_logs():
        yield Room()


class TestLinks:
    """Whether the PBX is heard."""

    async def test_a_change_is_told_to_every_screen_once(self, room: Room) -> None:
        with room.bus.subscribe(ALL) as box:
            room.desk.link("main", up=True, since=NOON)
            room.desk.link("main", up=True, since=NOON + timedelta(hours=1))
            assert len(await box.take(0.01)) == 1
            room.desk.link("main", up=False, since=NOON)
            assert len(await box.take(0.01)) == 1

        assert room.desk.links() == [
            {"pbx": "main", "up": False, "since": "2026-03-02T04:00:00.000Z"}
        ]

    def test_several_pbxs_are_told_apart(self, room: Room) -> None:
        room.desk.link("main", up=True, since=NOON)
        room.desk.link("shop", up=False, since=NOON)

        assert [(link["pbx"], link["up"]) for link in room.desk.links()] == [
            ("main", True), ("shop", False),
        ]  # fmt: skip


class TestBoard:
    """What a supervisor sees."""

    async def test_calls_and_who_rings_or_talks(self, room: Room) -> None:
        await room.shows(
            update(talking("k1"), Found(customers=[WANG])),
            update(ringing("k2", story.BO, "PJSIP/7000"), Found(customers=[WANG, WU])),
            update(over("k3")),
        )

        assert [
            (c["call"], c["state"], c["agents"], c["customer"]) for c in room.desk.board()["calls"]
        ] == [("k1", "talking", ["May"], "王小明"), ("k2", "ringing", ["Bo", "7000"], None)]

    async def test_agents_stand_as_their_phones_do(self, room: Room) -> None:
        phones = room.desk.phones("main")
        phones.device("PJSIP/6001", "INUSE", NOON)
        phones.device("PJSIP/6003", "UNAVAILABLE", NOON)
        phones.device("PJSIP/6004", "NOT_INUSE", NOON)

        await room.shows(update(talking()))

        assert [(a["number"], a["state"], a["call"]) for a in room.desk.board()["agents"]] == [
            ("1001", "on_call", "k1"),
            ("1002", "unknown", None),
            ("2001", "available", None),
        ]

    def test_who_has_left_or_has_no_phone_is_not_on_it(self, room: Room) -> None:
        room.desk.people(Directory([MAY, replace(BO, active=False), CHEN]))

        assert [agent["name"] for agent in room.desk.board()["agents"]] == ["May"]

    async def test_a_call_whose_end_was_seen_is_not_on_it(self, room: Room) -> None:
        record = replace(ringing(), state=State.ENDED)
        room.desk.show_unstored(Turn(updates=[update(record)]))

        assert [] == room.desk.board()["calls"]

    async def test_the_day_so_far(self, room: Room) -> None:
        room.stores.today = Day(
            answered=8,
            missed=2,
            within_standard=5,
            counted=7,
            by_reason={"rang_out": 2},
            talk_ms=83_000,
        )

        await room.desk.count_day()

        assert room.desk.board()["today"] == {
            "answered": 8, "missed": 2, "missed_by_reason": {"rang_out": 2}, "within_standard": 5,
            "standard_rate": 0.7143, "inbound": 10, "talk_ms": 83_000,
        }  # fmt: skip

    def test_a_day_without_a_counted_call_has_no_rate(self, room: Room) -> None:
        assert room.desk.board()["today"]["standard_rate"] is None

    async def test_a_count_that_fails_leaves_the_old_one(self, room: Room) -> None:
        room.stores.today = replace(room.stores.today, answered=8)
        await room.desk.count_day()
        room.stores.fault = StoreUnavailable("it sleeps")

        await room.desk.count_day()

        assert room.desk.board()["today"]["answered"] == 8

    async def test_boards_are_told_of_changes_but_not_of_each(self, room: Room) -> None:
        with room.bus.subscribe(BOARD) as box:
            async with asyncio.TaskGroup() as tasks:
                task = tasks.create_task(room.desk.show_board(pause=0.05, at_least=60))
                for n in range(20):
                    room.desk.phones_changed()
                    await asyncio.sleep(0.001 if n else 0)
                letters = [*await box.take(1), *await box.take(0.02)]
                task.cancel()

        assert 1 <= len(letters) <= 2

    async def test_boards_are_told_now_and_then_that_nothing_changed(self, room: Room) -> None:
        with room.bus.subscribe(BOARD) as box:
            async with asyncio.TaskGroup() as tasks:
                task = tasks.create_task(room.desk.show_board(pause=0, at_least=0.01))
                for _ in range(3):
                    assert await box.take(1)
                task.cancel()

    async def test_a_finished_call_is_counted(self, room: Room) -> None:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(room.desk.show_board(pause=0, at_least=60))
            room.desk.phones_changed()
            await until(lambda: len(room.stores.days) == 1)
            await room.shows(update(over()))
            await until(lambda: len(room.stores.days) == 2)
            task.cancel()

    async def test_at_midnight_a_new_day_is_counted_though_nobody_calls(self, room: Room) -> None:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(room.desk.show_board(pause=0, at_least=0.005))
            await until(lambda: len(room.stores.days) == 1)
            room.clock.go(timedelta(hours=12))
            await until(lambda: len(room.stores.days) == 2)
            task.cancel()

        first, second = room.stores.days[:2]
        assert first[1] == second[0]

    @pytest.mark.parametrize(
        ("zone", "now", "start", "hours"),
        [
            ("Asia/Shanghai", "2026-03-02T04:00Z", "2026-03-01T16:00Z", 24),
            ("Asia/Shanghai", "2026-03-02T16:00Z", "2026-03-02T16:00Z", 24),
            ("Asia/Shanghai", "2026-03-02T15:59Z", "2026-03-01T16:00Z", 24),
            ("America/New_York", "2026-03-08T12:00Z", "2026-03-08T05:00Z", 23),
            ("America/New_York", "2026-11-01T12:00Z", "2026-11-01T04:00Z", 25),
            ("America/New_York", "2026-11-01T06:30Z", "2026-11-01T04:00Z", 25),
            ("Europe/London", "2026-10-25T01:30Z", "2026-10-24T23:00Z", 25),
            ("America/Havana", "2026-11-01T05:30Z", "2026-11-01T04:00Z", 25),
            ("Asia/Kathmandu", "2026-03-02T04:00Z", "2026-03-01T18:15Z", 24),
        ],
    )
    async def test_a_day_is_the_houses_day(
        self, zone: str, now: str, start: str, hours: int
    ) -> None:
        room = Room(House(card=HouseCard(timezone=zone)))
        room.clock.at = datetime.fromisoformat(now)

        await room.desk.count_day()

        [(began, ended, standard)] = room.stores.days
        assert began.astimezone(UTC) == datetime.fromisoformat(start)
        assert ended.astimezone(UTC) - began.astimezone(UTC) == timedelta(hours=hours)
        assert standard == 3

    @pytest.mark.parametrize(
        ("role", "may"),
        [(Role.AGENT, False), (Role.SUPERVISOR, True), (Role.AUDITOR, True), (Role.OWNER, True)],
    )
    def test_not_everybody_may_see_it(self, role: Role, may: bool) -> None:
        assert may_see_board(replace(CHEN, role=role)) is may
