"""A house that makes return visits: claims, dials, records, with the world as a test sets it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import cti
from cti.calls.store import Contact
from cti.clock import SetClock
from cti.customers.rules import Customer
from cti.customers.store import EventStore
from cti.db.schema import Connection
from cti.dials.rules import AttemptState
from cti.dials.store import Switch
from cti.duty.rules import Assignment
from cti.house import House
from cti.house_file import read
from cti.people.rules import Directory, Person, Role
from cti.results.desk import ResultDesk, WorkBook
from cti.results.routes import ResultPages
from cti.results.store import ResultStore
from cti.visits.calling import VisitCalls
from cti.visits.desk import Order, VisitDesk
from cti.visits.lists import VisitLists
from cti.visits.owed import wishes_of
from cti.visits.reckoner import Proposed, Reckoner
from cti.visits.record import Visit, Wishes
from cti.visits.routes import VisitPages
from cti.visits.selections import Selections
from cti.web.site import Site
from tests.kit.web import NothingRecorded, Seat, Stage, stage
from tests.visits.conftest import BO, LIN, MAY, TEN, Debts
from tests.visits.test_calling import World

OU = Person(id="p-ou", number="9002", name="Ou", role=Role.AUDITOR)
CHEN = Person(id="p-chen", number="6003", name="Chen", department="sales")
CAST = (MAY, BO, CHEN, LIN, OU)
BOOKING = Path(cti.__file__).parents[1] / "config" / "houses" / "booking.toml"
HOTEL = Path(cti.__file__).parents[1] / "config" / "houses" / "hotel.toml"


@dataclass
class Switched:
    """Whether dialling is switched off."""

    now: Switch | None = None

    async def switched(self) -> Switch | None:
        return self.now


@dataclass
class Visited:
    """A house at ten in the morning, with an empty book of debts."""

    debts: Debts
    rules: House
    clock: SetClock = field(default_factory=lambda: SetClock(TEN))
    talk: timedelta | None = timedelta(seconds=90)
    recorded: bool = True
    contacts: list[Contact] = field(default_factory=list)
    switch: Switched = field(default_factory=Switched)
    orders: dict[str, Order] = field(default_factory=dict)
    proposed: list[tuple[date, Proposed]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world = World(self.debts.db, self.clock)
        self.results = ResultStore(self.debts.db)
        self.lists = VisitLists(self.debts.db)
        self.calls = VisitCalls(
            self.debts.db,
            self.debts.store,
            dialer=self.world,
            attempts=self.world,
            customers=self.debts.customers,
            duty=self.world,
            plant=self.world,
            live=self.world,
            todo=WorkBook(self.results, self.house),
            house=self.house,
            people=self.people,
            clock=self.clock,
        )
        self.result_desk = ResultDesk(
            self.results,
            self.debts.store,
            finisher=self.calls,
            evidence=self.evidence,
            wishes=self.wishes,
            events=EventStore(self.debts.db),
            orders=self.seat,
            house=self.house,
            clock=self.clock,
        )
        self.desk = VisitDesk(
            self.debts.store,
            self.lists,
            self.results,
            Selections(self.debts.db),
            calls=self.calls,
            customers=self.debts.customers,
            contacts=self.last_calls,
            wishes=self.wishes,
            events=EventStore(self.debts.db),
            reckoner=Reckoner(
                made=self.results.effective_ones,
                customers=self.debts.customers,
                roster=self,
                house=self.house,
                people=self.people,
                lines=self.shortfalls,
            ),
            orders=self.order,
            house=self.house,
            people=self.people,
            clock=self.clock,
        )

    def house(self) -> House:
        """The rules in force."""
        return self.rules

    def people(self) -> Directory:
        """The cast."""
        return Directory.of(*CAST)

    async def wishes(self, customer: str) -> Wishes:
        """What a customer wants."""
        known = await self.debts.customers.get(customer)
        return wishes_of(known) if known else Wishes(do_not_call=True)

    async def evidence(self, call: str) -> tuple[timedelta | None, bool]:
        """How long was talked, and whether it was recorded."""
        return self.talk, self.recorded

    async def roster(self, began: datetime, ended: datetime) -> Sequence[Assignment]:
        """A house without roster."""
        return ()

    async def shortfalls(self, month: date) -> Sequence[Proposed]:
        """What was proposed for a month of visits."""
        return [one for when, one in self.proposed if when == month]

    async def seat(self, conn: Connection, event: str, seating: str, note: str) -> None:
        """Note on an order what became of its table."""
        self.orders[event] = replace(self.orders[event], seating=seating, note=note)

    async def order(self, event: str) -> Order | None:
        """What is booked."""
        return self.orders.get(event)

    async def last_calls(self, customer: Customer, limit: int) -> Sequence[Contact]:
        """The last calls with anybody."""
        return self.contacts[:limit]

    async def now(self, visit: Visit) -> Visit:
        """A visit as it is now."""
        found = await self.debts.store.get(visit.id)
        assert found is not None
        return found

    async def talks(self, visit: Visit, person: Person = MAY) -> Visit:
        """Let somebody take a visit, call, and hang up after a talk."""
        held = await self.calls.claim(person, visit.id)
        made = await self.calls.dial(person, held.id, held.epoch)
        self.world.ends(made, AttemptState.ANSWERED)
        await self.calls.look()
        return await self.now(visit)

    async def says(self, visit: Visit, person: Person = MAY, **said: Any) -> Any:
        """Let somebody say what came of a visit that he holds."""
        fields = {name: [one] if isinstance(one, str) else one for name, one in said.items()}
        now = await self.now(visit)
        return await self.result_desk.result(person, now.id, now.epoch, fields, "127.0.0.1")


WHOLE = {
    "outcome": "done",
    "answer_satisfaction": "satisfied",
    "answer_opinion": "Friendly.",
    "answer_result": "nothing",
    "identity": "1",
}
"""A record in which nothing is missing, by the plain form."""


def visited(debts: Debts, rules: House | None = None) -> Visited:
    """A house with the plain form, or with rules of its own."""
    plain = House(version="v1")
    rules = rules or replace(plain, dialing=replace(plain.dialing, trunks=("PJSIP/trunk",)))
    return Visited(debts, rules)


def hotel() -> House:
    """The hotel of the samples, with its forms and scripts."""
    house = read(HOTEL, TEN)
    return replace(house, dialing=replace(house.dialing, trunks=("PJSIP/trunk",)))


def booking() -> House:
    """The booking house of the samples, with its forms and scripts."""
    house = read(BOOKING, TEN)
    return replace(house, dialing=replace(house.dialing, trunks=("PJSIP/trunk",)))


@dataclass
class Screens:
    """A house that is seen in a browser."""

    it: Visited
    stage: Stage
    site: Site

    async def sees(self, who: Person, path: str, locale: str = "en") -> tuple[int, str]:
        """What somebody gets."""
        seat = await self.stage.enters(who)
        async with seat.browser.get(path, headers={"Accept-Language": locale}) as answer:
            return answer.status, await answer.text()

    async def sends(self, who: Person, path: str, **fields: Any) -> tuple[int, str]:
        """Send a form, and follow where it leads."""
        seat: Seat = await self.stage.enters(who)
        data = [("csrf", seat.csrf)]
        for key, said in fields.items():
            data += [(key, str(one)) for one in (said if isinstance(said, list) else [said])]
        async with seat.browser.post(path, data=data) as answer:
            return answer.status, await answer.text()


@asynccontextmanager
async def screens(it: Visited) -> AsyncIterator[Screens]:
    """Show the pages of a house."""
    site = Site(house="小南國", house_locale="zh-Hant", zone=ZoneInfo("Asia/Shanghai"))
    players = NothingRecorded()
    rooms = [
        VisitPages(it.desk, it.result_desk, players, it.switch),
        ResultPages(it.result_desk, players, it.desk.whose, house=it.house, people=it.people),
    ]
    async with stage(site=site, clock=it.clock, people=CAST, rooms=rooms) as shown:
        yield Screens(it, shown, site)
