"""The wallboard's figures, and the page that shows them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from cti.calls.desk import empty_wall
from cti.calls.record import CallId, CallRecord
from cti.clock import SetClock
from cti.house import House, HouseCard
from cti.people.rules import Device, Directory, Person
from cti.presence.desk import Wall
from cti.presence.routes import WallboardRoom
from cti.presence.states import AgentState, Interval, Source
from cti.web.wire import Wall as WallShape
from tests.kit import story
from tests.kit.story import NINE, Story
from tests.kit.web import LIN, MAY, OU, TAM, Stage, stage

TODAY = {"standard_rate": None, "answered": 0}
PEOPLE = [
    Person(id=f"p-{n}", number=n, name=name, devices=(Device("main", f"PJSIP/{n}"),))
    for n, name in (("6001", "May"), ("6002", "Bo"))
]


def second(n: float) -> datetime:
    return NINE + timedelta(seconds=n)


def state(who: str, what: AgentState, began: float, source: Source = Source.DEVICE) -> Interval:
    return Interval(
        person=f"p-{who}", state=what, began_at=second(began), ended_at=None, source=source
    )


class Told:
    """The desk of calls and the watch, as the wall asks them."""

    def __init__(self) -> None:
        self.directory = Directory(PEOPLE)
        self.calls: list[CallRecord] = []
        self.day: dict[str, Any] = dict(TODAY)
        self.standing: dict[str, Interval] = {}
        self.away: list[Interval] = []
        self.changed = 0

    def records(self) -> list[CallRecord]:
        return self.calls

    def today(self) -> dict[str, Any]:
        return self.day

    def phones_changed(self) -> None:
        self.changed += 1

    def now(self) -> dict[str, Interval]:
        return self.standing

    async def breaks(self, who: str, _began: datetime, _ended: datetime) -> Sequence[Interval]:
        return [one for one in self.away if one.person == who]


def wall_of(told: Told, n: float = 0) -> tuple[Wall, SetClock]:
    clock = SetClock(second(n))
    return Wall(calls=told, watch=told, clock=clock, house=House(), away=told.breaks), clock


def test_recordings_without_room_are_an_alarm_and_houses_that_collect_none_have_none() -> None:
    told, found = Told(), []
    for room in (0.0, 1.0, 2.0, 0.0, None):
        wall = Wall(
            calls=told, watch=told, clock=SetClock(second(0)), house=House(),
            recordings=lambda room=room: room,  # type: ignore[misc]
        )  # fmt: skip
        found.append([alarm["level"] for alarm in wall.now()["alarms"]])

    assert [[], ["warning"], ["critical"], [], []] == found


def ringing(call: str, since: float) -> CallRecord:
    record = Story().calls(since, to="4000").joins(since).asks(since, story.WANG, story.MAY)
    return replace(record.rang(since, story.MAY).now(), id=CallId(call))


def talked(ended: float | None) -> CallRecord:
    told = Story().calls(0, to="4000").asks(0, story.WANG, story.MAY).rang(0, story.MAY)
    told = told.answered(4, story.MAY)
    if ended is None:
        return told.now()
    return told.leaves_for_good(ended).gone(ended, story.MAY).over()


def states_of(wall: Wall) -> list[tuple[str, str]]:
    return [(agent["name"], agent["state"]) for agent in wall.now()["agents"]]


def test_who_waits_is_counted_and_the_longest_is_told() -> None:
    told = Told()
    told.calls = [ringing("k1", 2), ringing("k2", 5), talked(None)]
    wall, _ = wall_of(told, 9)

    shown = wall.now()

    assert (2, "2026-03-02T01:00:02.000Z") == (shown["waiting"], shown["longest"])
    WallShape.model_validate(shown)


def test_a_long_wait_is_an_alarm() -> None:
    told = Told()
    told.calls = [ringing("k1", 0)]
    wall, clock = wall_of(told, 8)

    levels = []
    for n in (8, 9, 11, 12):
        clock.at = second(n)
        levels.append([(one["key"], one["level"]) for one in wall.now()["alarms"]])

    assert levels == [
        [],
        [("longest_wait", "warning")],
        [("longest_wait", "warning")],
        [("longest_wait", "critical")],
    ]


def test_a_share_of_few_calls_is_no_alarm() -> None:
    told = Told()
    told.day = {"standard_rate": 0.5, "answered": 4}
    wall, _ = wall_of(told)

    assert [] == wall.now()["alarms"]
    told.day["answered"] = 5
    assert ["service_level"] == [one["key"] for one in wall.now()["alarms"]]


def test_agents_stand_by_phones_calls_and_clicks() -> None:
    told = Told()
    told.standing = {
        "p-6001": state("6001", AgentState.BUSY_ELSEWHERE, 4),
        "p-6002": state("6002", AgentState.UNREACHABLE, 0),
    }
    told.calls = [talked(None)]
    wall, clock = wall_of(told, 6)

    assert [("May", "on_call"), ("Bo", "unreachable")] == states_of(wall)
    assert {"on_call": 1, "unreachable": 1} == wall.now()["states"]

    told.calls, clock.at = [talked(10)], second(12)
    told.standing["p-6001"] = state("6001", AgentState.AVAILABLE, 10)
    assert [("May", "wrap_up"), ("Bo", "unreachable")] == states_of(wall)

    told.calls, clock.at = [], second(39)
    assert [("May", "wrap_up"), ("Bo", "unreachable")] == states_of(wall)
    clock.at = second(41)
    assert [("May", "available"), ("Bo", "unreachable")] == states_of(wall)


async def test_a_break_is_shown_as_one() -> None:
    told = Told()
    told.standing = {"p-6001": state("6001", AgentState.PAUSE_UNAPPROVED, 0)}
    told.away = [state("6001", AgentState.BREAK_APPROVED, 1, Source.PERSON)]
    wall, clock = wall_of(told, 5)

    await wall.ask(clock.now())

    assert [("May", "break_approved")] == states_of(wall)


async def test_what_was_promised_and_recorded_is_counted_for_the_day_of_the_house() -> None:
    told, asked = Told(), list[datetime]()

    async def targets(began: datetime, ended: datetime) -> dict[str, int]:
        asked.extend((began, ended))
        return {"promised": 4, "kept": 3, "visited": 2, "recorded": 2}

    house, clock = House(card=HouseCard(timezone="Asia/Shanghai")), SetClock(NINE)
    wall = Wall(calls=told, watch=told, clock=clock, house=house, targets=targets)
    before = wall.now()["targets"]

    await wall.ask(clock.now())

    assert None is before
    assert {"promised": 4, "kept": 3, "visited": 2, "recorded": 2} == wall.now()["targets"]
    assert WallShape.model_validate(wall.now()).targets
    assert [NINE.astimezone(house.zone).date()] == [asked[0].date()]
    assert (timedelta(), timedelta(days=1)) == (
        asked[0] - asked[0].replace(hour=0, minute=0, second=0, microsecond=0),
        asked[1] - asked[0],
    )


def test_a_pbx_that_is_ahead_of_us_hides_nobody() -> None:
    told = Told()
    told.standing = {"p-6001": state("6001", AgentState.RINGING, 3)}
    wall, _ = wall_of(told, 0)

    assert [("May", "ringing")] == states_of(wall)


@pytest.fixture
async def it() -> AsyncIterator[Stage]:
    """A server with the wallboard."""
    async with stage(rooms=[WallboardRoom()]) as running:
        yield running


async def test_only_who_may_see_the_board_sees_the_wallboard(it: Stage) -> None:
    statuses = {}
    for who in (LIN, OU, MAY, TAM):
        seat = await it.enters(who)
        async with seat.browser.get("/wallboard") as answer:
            statuses[who.name] = answer.status
        async with seat.browser.get("/help") as answer:
            assert ("/wallboard" in await answer.text()) == (statuses[who.name] == 200)

    assert {"Lin": 200, "Ou": 200, "May": 403, "Tam": 403} == statuses


@pytest.mark.parametrize("locale", ["en", "zh-Hant", "zh-Hans"])
async def test_without_scripts_it_says_how_it_is(it: Stage, locale: str) -> None:
    said = {
        "en": ("Longest wait", "wrap-up", "critical", "Recordings are not collected"),
        "zh-Hant": ("最長等候", "話後處理", "嚴重", "目前無法收集錄音"),
        "zh-Hans": ("最长等候", "话后处理", "严重", "目前无法收集录音"),
    }[locale]
    at = "2026-11-22T03:59:51.000Z"
    agent = {"number": "6001", "name": "<b>May", "state": "wrap_up", "since": at}
    keys = ("longest_wait", "service_level", "recordings")
    alarms = [{"key": key, "level": "critical", "since": at} for key in keys]
    wall = {"waiting": 2, "longest": at, "states": {"wrap_up": 1}, "agents": [agent]}
    it.desk.set_board(wall=wall | {"alarms": alarms})

    lin = await it.enters(LIN)
    async with lin.browser.get("/wallboard", headers={"Accept-Language": locale}) as answer:
        text = await answer.text()

    for words in (*said, "0:09", "&lt;b&gt;May"):
        assert words in text, words
    assert "{" not in text


async def test_an_open_wallboard_keeps_its_login(it: Stage) -> None:
    lin = await it.enters(LIN)

    async with lin.browser.post("/wallboard/stay", headers=lin.headers) as answer:
        assert 204 == answer.status
        assert "cti" in answer.cookies
    async with lin.browser.post("/wallboard/stay") as answer:
        assert 403 == answer.status

    assert [lin.token] == it.accounts.prolonged


def test_a_wall_of_nobody_has_the_shape_of_a_wall() -> None:
    assert WallShape.model_validate(empty_wall()).alarms == []
