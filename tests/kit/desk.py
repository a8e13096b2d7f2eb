"""A desk with stores in memory, and calls to show on it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cti.bus import Bus
from cti.calls.cards import card_states
from cti.calls.desk import Desk, Found, Turn, Update
from cti.calls.offers import agent_offers
from cti.calls.record import CallId, CallRecord
from cti.calls.store import Day, Told
from cti.clock import SetClock
from cti.customers.rules import Customer, normal
from cti.errors import StoreUnavailable
from cti.house import House, HouseCard
from cti.people.rules import Directory
from tests.kit import story
from tests.kit.exchange import BO, CAST, LIN, MAY
from tests.kit.story import Story
from tests.kit.until import until

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
WANG = Customer(id="c-wang", name="王小明", tier="VIP", phones=("+8613800138000",), area="上海")
WU = Customer(id="c-wu", name="吳美玲", phones=("+8613800138000",), company="吳記")
PEOPLE = {"PJSIP/6001": MAY.id, "PJSIP/6002": BO.id, "PJSIP/6003": LIN.id}
CHINA = House(card=HouseCard(country="CN", timezone="Asia/Shanghai"))


class Stores:
    """What the desk asks of the stores, in memory."""

    def __init__(self) -> None:
        self.days: list[tuple[datetime, datetime, int]] = []
        self.chosen: list[tuple[str, str | None]] = []
        self.told: list[tuple[Sequence[str], str]] = []
        self.today = Day(answered=0, missed=0, within_standard=0, counted=0, by_reason={})
        self.fault: StoreUnavailable | None = None

    async def day(self, start: datetime, end: datetime, standard: int) -> Day:
        """Count a day."""
        self.days.append((start, end, standard))
        if self.fault:
            raise self.fault
        return self.today

    async def choose(self, call: str, customer: str | None) -> bool:
        """Tie a call to a customer."""
        self.chosen.append((call, customer))
        return True

    def tell(self, people: Sequence[str], call: str) -> None:
        """Store hints."""
        if self.fault:
            raise self.fault
        self.told.append((people, call))


class Room:
    """A desk with its clock, its bus and its stores."""

    def __init__(self, house: House = CHINA, told: Told | None = None) -> None:
        self.bus, self.clock, self.stores = Bus(), SetClock(NOON), Stores()
        self.desk = Desk(
            bus=self.bus,
            clock=self.clock,
            house=house,
            directory=Directory(CAST),
            kept=self.stores,
            epoch="one",
            last_seq=told[-1][0] if told else 0,
            told=told or [],
        )

    async def shows(self, *updates: Update, told: Told | None = None, gone: Any = ()) -> None:
        """Show a stored change."""
        self.desk.committed(Turn(updates=list(updates), gone=list(gone)), told or [])
        async with self.showing():
            await until(lambda: self.desk._turns.empty())
            await asyncio.sleep(0)

    @asynccontextmanager
    async def showing(self) -> AsyncIterator[None]:
        """Let the desk's task run."""
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(self.desk.show())
            yield
            task.cancel()


def ringing(call: str = "k1", *phones: str, **facts: Any) -> CallRecord:
    """Wang waits; May's phone, or others, alert."""
    phones = phones or (story.MAY,)
    told = Story().calls(0, to="4000", name=facts.pop("name", None)).joins(0.5)
    record = told.asks(1, story.WANG, *phones).rang(1, *phones).now()
    return replace(record, id=CallId(call), **facts)


def talking(call: str = "k1") -> CallRecord:
    """Wang talks to May."""
    told = Story().calls(0, to="4000").joins(0.5).asks(1, story.WANG, story.MAY)
    return replace(told.rang(1, story.MAY).answered(4, story.MAY).now(), id=CallId(call))


def over(call: str = "k1") -> CallRecord:
    """Wang has talked to May."""
    told = Story().calls(0, to="4000").asks(1, story.WANG, story.MAY).rang(1, story.MAY)
    record = told.answered(4, story.MAY).leaves_for_good(9).gone(9, story.MAY).over()
    return replace(record, id=CallId(call))


def update(record: CallRecord, found: Any = None, **facts: Any) -> Update:
    """A call as the switchboard hands it on; `found` is known at once, or a future."""
    offers = agent_offers(record, PEOPLE.get)
    looked: asyncio.Future[Found] | None = found if isinstance(found, asyncio.Future) else None
    if isinstance(found, Found):
        looked = asyncio.get_running_loop().create_future()
        looked.set_result(found)
    return Update(
        record=record,
        offers=offers,
        number=facts.get("number", normal(record.caller, "CN")),
        cards=card_states(record, offers, PEOPLE.get),
        found=looked,
    )
