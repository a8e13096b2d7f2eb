"""What were people doing? All sources joined, as the penalties room is told."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from cti.calls.record import CallId, Direction
from cti.calls.store import CallStore, calls
from cti.customers.events import EventEntry
from cti.customers.rules import Entry
from cti.customers.store import CustomerStore, EventStore
from cti.db.engine import Database
from cti.house import House
from cti.office import States, names_of, order_of
from cti.presence.states import AgentState, Interval, Source
from cti.visits.store import VisitStore
from tests.kit.desk import NOON, Room, ringing, update
from tests.kit.exchange import MAY

BUSY, ON, WRAP = AgentState.BUSY_ELSEWHERE, AgentState.ON_CALL, AgentState.WRAP_UP
TEN = timedelta(seconds=10)


class Phones:
    """May's phone is busy, by the PBX; nobody is on a break."""

    async def intervals(
        self, _people: Collection[str], began: datetime, ended: datetime
    ) -> Sequence[Interval]:
        """Give what the phones did."""
        since = began - timedelta(hours=1)
        busy = {"state": BUSY, "began_at": since, "ended_at": None, "source": Source.DEVICE}
        return [Interval(person=MAY.id, **busy)]

    async def away(self, *_asked: Any) -> Sequence[Interval]:
        """Know of no break."""
        return ()


def dialling(direction: str, answered_at: datetime | None) -> dict[str, Any]:
    """A call that May's phone began at noon, that was over half a minute later."""
    return {
        "id": "k1",
        "pbx": "main",
        "boot": "boot",
        "direction": direction,
        "state": "ended",
        "dialled": "13800138000",
        "channel": "PJSIP/6001-00000007",
        "seen_at": NOON,
        "ended_at": NOON + 3 * TEN,
        "answered_at": answered_at,
        "queues": [],
        "recordings": [],
        "house": "",
        "approximate": False,
        "over": True,
    }


@pytest.mark.parametrize(
    ("direction", "answered_at", "states"),
    [
        (
            "outbound",
            None,
            [(BUSY, None), (ON, NOON), (WRAP, NOON + 3 * TEN), (BUSY, NOON + 6 * TEN)],
        ),
        (
            "outbound",
            NOON + TEN,
            [(BUSY, None), (ON, NOON), (WRAP, NOON + TEN), (BUSY, NOON + 4 * TEN)],
        ),
        ("internal", None, [(BUSY, None)]),
    ],
)
async def test_who_dials_a_customer_is_on_a_call_until_he_answers_or_does_not(
    sqlite_db: Database,
    direction: str,
    answered_at: datetime | None,
    states: list[tuple[AgentState, datetime | None]],
) -> None:
    async with sqlite_db.write() as conn:
        await conn.execute(insert(calls).values(dialling(direction, answered_at)))
    asked: Any = Phones()
    visits = VisitStore(sqlite_db)
    room = States(asked, CallStore(sqlite_db), Room().desk, asked, visits, House)

    found = await room.states({MAY.id}, NOON - TEN, NOON + 9 * TEN)

    told = [(one.state, max(one.began_at, NOON - TEN)) for one in found]
    assert [(state, began or NOON - TEN) for state, began in states] == told


async def test_who_is_dialling_a_customer_now_is_on_a_call_with_one() -> None:
    room, live = Room(), ringing("k1")
    dials = replace(live, direction=Direction.OUTBOUND, channel="PJSIP/6001-00000007")
    asks = replace(dials, id=CallId("k2"), direction=Direction.INTERNAL)

    await room.shows(update(dials), update(asks))

    talks = [(one.person, one.state, one.cause) for one in room.desk.talks()]
    assert [(MAY.id, AgentState.ON_CALL, "k1")] == talks


async def test_a_caller_is_named_with_his_tier(sqlite_db: Database) -> None:
    store = CustomerStore(sqlite_db)
    wang = await store.add(Entry(name="王小明", tier="vip"))
    wu = await store.add(Entry(name="吳美玲"))

    named = await names_of(store, [wang.id, wu.id, "nobody"], House())

    assert {wang.id: "王小明 · VIP", wu.id: "吳美玲"} == named


@pytest.mark.parametrize(
    ("told", "restaurant", "numbers"),
    [
        ("R-17", "老正兴", ["021 6322 2624"]),
        ("021-6322-2624", "老正兴", ["021 6322 2624"]),
        ("02161234567", "", ["021 6123 4567"]),
        ("the one at the corner", "the one at the corner", []),
        ("", "", []),
    ],
)
async def test_the_restaurant_of_a_booking_is_found_by_its_id_or_its_number(
    sqlite_db: Database, told: str, restaurant: str, numbers: list[str]
) -> None:
    store, events = CustomerStore(sqlite_db), EventStore(sqlite_db)
    phones = (("+862163222624", "021 6322 2624"),)
    await store.add(Entry(name="老正兴", external_id="R-17", phones=phones))
    guest = await store.add(Entry(name="王小明"))
    booked = EventEntry(kind="booking", day=NOON.date(), ref="B-1", merchant=told)
    async with sqlite_db.write() as conn:
        await events.keep(conn, [(guest.id, booked)], now=NOON, source="form", who="p-may")
    (event,) = await events.of_customer(guest.id)

    order = await order_of(events, store, event.id, "CN")

    assert order
    assert (restaurant, numbers) == (order.restaurant, list(order.numbers))
    assert await order_of(events, store, "nothing", "CN") is None
