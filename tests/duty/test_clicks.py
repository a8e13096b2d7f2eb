"""No order of clicks raises anything but a refusal, and none breaks what must hold (V12, V13)."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cti.db.engine import Database
from cti.duty.requests import SwapState
from cti.duty.store import Pick
from cti.errors import Refused
from cti.people.rules import Person
from tests.conftest import sqlite_url
from tests.duty.conftest import MONDAY, DutyRoom, by
from tests.kit.roster import BO, CHEN, LIN, MAY, STAFF, TAN

Deed = Callable[[DutyRoom, Person, "Hand"], Coroutine[Any, Any, Any]]


class Hand:
    """What a click points at: the n-th of what is there."""

    def __init__(self, n: int) -> None:
        self.n = n

    def of(self, things: Any, otherwise: Any = "nothing") -> Any:
        """Choose one."""
        return things[self.n % len(things)] if things else otherwise


async def shift(room: DutyRoom, hand: Hand, person: Person | None = None) -> str:
    found = [one for one in await room.store.week(MONDAY) if not person or one.person == person.id]
    return str(hand.of([one.id for one in found]))


async def picks(room: DutyRoom, hand: Hand) -> list[Pick]:
    one = hand.of(await room.store.week(MONDAY), None)
    return [Pick(one.id, one.version)] if one else []


async def ask_swap(room: DutyRoom, who: Person, hand: Hand) -> None:
    first = await shift(room, hand, who)
    peer = hand.of([one for one in STAFF if one.id != who.id])
    await room.store.ask_swap(by(who), first, await shift(room, hand, peer), "errand")


async def swap(room: DutyRoom, hand: Hand) -> str:
    return str(hand.of([one.id for one in await room.store.swaps()]))


async def leave(room: DutyRoom, hand: Hand) -> str:
    return str(hand.of([one.id for one in await room.store.leaves()]))


async def away(room: DutyRoom, hand: Hand) -> str:
    return str(hand.of([one.id for one in await room.store.away_at(room.clock.at)]))


async def handover(room: DutyRoom, hand: Hand) -> str:
    return str(hand.of([one.id for one in await room.store.handovers(room.clock.at)]))


async def add(room: DutyRoom, who: Person, hand: Hand) -> None:
    person, shifts = hand.of(STAFF), sorted(room.house.shifts.types)
    await room.store.add(by(who), person.id, hand.of(shifts), [MONDAY + timedelta(days=hand.n % 3)])


async def move(room: DutyRoom, who: Person, hand: Hand) -> None:
    await room.store.move(by(who), await picks(room, hand), MONDAY + timedelta(days=1), "late")


async def call_away(room: DutyRoom, who: Person, hand: Hand) -> None:
    await room.store.call_away(by(who), await shift(room, hand), "errand")


async def let_go(room: DutyRoom, who: Person, hand: Hand) -> None:
    await room.store.let_go(by(who), await shift(room, hand), "errand")


async def check_off(room: DutyRoom, who: Person, hand: Hand) -> None:
    await room.store.check_off(by(who), await shift(room, hand, who), "end", ["lock"])


CLICKS: Final[Mapping[str, Deed]] = {
    "add": add,
    "move": move,
    "ask_swap": ask_swap,
    "call_away": call_away,
    "let_go": let_go,
    "check_off": check_off,
    "copy": lambda room, who, _: room.store.copy_week(by(who), MONDAY + timedelta(days=7)),
    "publish": lambda room, who, _: room.store.publish(by(who), MONDAY),
    "clock_in": lambda room, who, _: room.store.clock_in(by(who)),
    "clock_out": lambda room, who, _: room.store.clock_out(by(who)),
    "offer": lambda room, who, _: room.store.offer(by(who), "notes", ""),
    "ask_break": lambda room, who, hand: room.store.ask_break(by(who), hand.n),
    "call_in": lambda room, who, hand: room.store.call_in(by(who), hand.of(STAFF).id, "late"),
}


async def click(room: DutyRoom, what: str, who: Person, hand: Hand) -> None:
    """Let somebody click on something."""
    store, me = room.store, by(who)
    yes, why = bool(hand.n % 2), "because"
    match what:
        case "remove":
            await store.remove(me, await picks(room, hand))
        case "keep":
            await store.keep(me, await picks(room, hand))
        case "answer_swap":
            await store.answer_swap(me, await swap(room, hand), yes=yes)
        case "withdraw_swap":
            await store.withdraw_swap(me, await swap(room, hand))
        case "decide_swap":
            await store.decide_swap(me, await swap(room, hand), yes=yes, why=why)
        case "ask_leave":
            await store.ask_leave(me, await shift(room, hand, who), why)
        case "decide_leave":
            await store.decide_leave(me, await leave(room, hand), yes=yes, why=why)
        case "excuse":
            await store.excuse(me, await shift(room, hand), why)
        case "decide_break":
            await store.decide_break(me, await away(room, hand), yes=yes, why=why)
        case "end_away":
            await store.end_away(me, await away(room, hand))
        case "accept":
            await store.accept(me, await handover(room, hand))
        case "seat":
            await store.seat(me, await shift(room, hand), give=yes)
        case "wait":
            room.clock.go(timedelta(minutes=7 * hand.n))
        case _:
            await CLICKS[what](room, who, hand)


OTHERS = "remove keep answer_swap withdraw_swap decide_swap ask_leave decide_leave excuse"
OTHERS += " decide_break end_away accept seat wait"
ANY = st.tuples(
    st.sampled_from([*CLICKS, *OTHERS.split()]), st.sampled_from(STAFF), st.integers(0, 60)
)


async def clicked(url: str, clicks: list[tuple[str, Person, int]]) -> None:
    """Let people click on a planned week, and hold what must hold after each click."""
    db = await Database.open(url)
    try:
        room = DutyRoom(db)
        planned = ((MAY, "early"), (BO, "late"), (CHEN, "middle"), (LIN, "early"), (TAN, "late"))
        await room.plans(*planned, days=3)
        for what, who, n in clicks:
            try:
                await click(room, what, who, Hand(n))
            except Refused:
                continue
            await holds(room)
    finally:
        await db.close()


async def holds(room: DutyRoom) -> None:
    duty = await room.store.duty_at(room.clock.at)
    people = [one.person for one in duty.agents]
    assert len(people) == len(set(people))
    used = [
        (person, one.month)
        for one in await room.store.swaps()
        if one.state is SwapState.APPROVED
        for person in (one.asker, one.peer)
    ]
    most = room.house.shifts.swaps_per_month
    assert all(used.count(each) <= most for each in used)
    week = [
        one
        for one in await room.store.week(MONDAY)
        if not (one.dropping or one.excused(room.clock.at))  # who was let go may be planned again
    ]
    for one in week:
        clash = [each for each in week if each.person == one.person and each.starts < one.ends]
        assert [one.id] == [each.id for each in clash if one.starts < each.ends], (one, clash)


@pytest.fixture
def copies(tmp_path: Path, made: dict[str, str]) -> Callable[[], Coroutine[Any, Any, str]]:
    """Give a fresh database for each example."""
    count = iter(range(1000))

    async def fresh() -> str:
        directory = tmp_path / str(next(count))
        directory.mkdir()
        return await sqlite_url(directory, made)

    return fresh


async def test_who_was_let_go_from_a_shift_may_be_planned_for_it_again(
    copies: Callable[[], Coroutine[Any, Any, str]],
) -> None:
    again = [("excuse", MAY, n) for n in range(5)] + [("add", BO, 48), ("add", BO, 30)]

    await clicked(await copies(), again)


@given(st.lists(ANY, min_size=5, max_size=25))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_order_of_clicks_breaks_the_duty_room(
    copies: Callable[[], Coroutine[Any, Any, str]], clicks: list[tuple[str, Person, int]]
) -> None:
    async def run() -> None:
        await clicked(await copies(), clicks)

    asyncio.run(run())
