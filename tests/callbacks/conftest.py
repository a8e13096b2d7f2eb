"""A house with callbacks on each database: calls as they happened, a roster, a set clock."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from cti.callbacks.desk import CallbackDesk
from cti.callbacks.rules import Callback
from cti.callbacks.store import CallbackStore, Wanted
from cti.calls.record import AnsweredCall, MissedCall
from cti.clock import SetClock
from cti.customers.rules import Entry
from cti.customers.store import CustomerStore
from cti.db.engine import Database
from cti.duty.rules import DutySet, DutyState, OnDuty
from cti.errors import Refused
from cti.house import House
from cti.people.rules import Directory, Person, Role
from tests.calls.conftest import db as db  # one PostgreSQL database, emptied: a copy costs more

TEN = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
"""Monday, ten in Shanghai."""
WANG, WU = "+8613800138000", "+8613900139000"
MAY = Person(id="p-may", number="6001", name="May")
BO = Person(id="p-bo", number="6002", name="Bo")
CHEN = Person(id="p-chen", number="6003", name="Chen", department="sales")
LIN = Person(id="p-lin", number="5001", name="Lin", role=Role.SUPERVISOR)
OU = Person(id="p-ou", number="9002", name="Ou", role=Role.AUDITOR)
TAM = Person(id="p-tam", number="9001", name="Tam", role=Role.TECHNICIAN)


def minutes(n: float) -> timedelta:
    """So many minutes."""
    return timedelta(minutes=n)


@dataclass
class Calls:
    """Calls that the PBX saw; `seen` until when they are known."""

    missed: list[MissedCall] = field(default_factory=list)
    answered: list[AnsweredCall] = field(default_factory=list)
    asked: list[datetime] = field(default_factory=list)

    async def missed_since(self, since: datetime) -> Sequence[MissedCall]:
        self.asked.append(since)
        return sorted((one for one in self.missed if one.at >= since), key=lambda one: one.at)

    async def answered_with(
        self, numbers: Iterable[str], since: datetime
    ) -> Sequence[AnsweredCall]:
        wanted = set(numbers)
        found = (one for one in self.answered if one.number in wanted and one.at >= since)
        return sorted(found, key=lambda one: one.at)


@dataclass
class Roster:
    """Who is on duty, from when to when; without an end for good."""

    people: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    asked: list[tuple[datetime, str]] = field(default_factory=list)

    async def duty_at(self, at: datetime, department: str) -> DutySet:
        self.asked.append((at, department))
        agents = tuple(
            OnDuty(
                person=person,
                assignment=f"a-{person}",
                shift="early",
                role=Role.AGENT,
                state=DutyState.STARTED,
                since=began,
                why=("planned",),
            )
            for person, (began, ended) in self.people.items()
            if began <= at < ended
        )
        return DutySet(
            at=at,
            department=department,
            agents=agents,
            supervisor=None,
            published=len(agents),
            version="1",
        )


@dataclass
class Tests:
    """Calls that tested our own lines."""

    calls: set[str] = field(default_factory=set)

    async def test_calls(self, calls: Collection[str]) -> Collection[str]:
        return self.calls & set(calls)


class Story:
    """Tell what happened, let the desk look, see what is owed."""

    def __init__(self, db: Database, house: House | None = None) -> None:
        self.db, self.clock = db, SetClock(TEN)
        self.calls, self.roster, self.tests = Calls(), Roster(), Tests()
        self.rules = house or House(version="v1")
        self.store = CallbackStore(db)
        self.customers = CustomerStore(db, self.clock)
        self.desk = self.new_desk()

    def new_desk(self, settle: timedelta = timedelta()) -> CallbackDesk:
        """Another desk on the same database, as after a restart."""
        return CallbackDesk(
            self.store,
            calls=self.calls,
            customers=self.customers,
            house=lambda: self.rules,
            people=lambda: Directory.of(MAY, BO, CHEN, LIN, OU, TAM),
            clock=self.clock,
            duty=self.roster,
            tests=self.tests,
            settle=settle,
        )

    async def begins(self) -> None:
        """Let the daemon start for the first time."""
        await self.desk.look()

    def misses(
        self,
        call: str,
        number: str | None = WANG,
        *,
        ago: float = 0,
        reason: str = "rang_out",
        rung: Iterable[Person] = (),
        queues: Sequence[str] = (),
        dialled: str = "4000",
    ) -> MissedCall:
        """Let a call be missed, some minutes ago."""
        missed = MissedCall(
            call=call,
            number=number,
            at=self.clock.now() - minutes(ago),
            reason=reason,
            dialled=dialled,
            queues=tuple(queues),
            rung=tuple(person.id for person in rung),
        )
        self.calls.missed.append(missed)
        return missed

    def reaches(
        self, call: str, number: str = WANG, *, ago: float = 0, by: Person | None = MAY
    ) -> AnsweredCall:
        """Let one of us talk with a customer, since some minutes."""
        answer = AnsweredCall(
            call=call,
            number=number,
            at=self.clock.now() - minutes(ago),
            person=by.id if by else None,
        )
        self.calls.answered.append(answer)
        return answer

    def on_duty(self, *people: Person, since: float = 60, until: float = 60 * 24) -> None:
        """Let people be on duty, from some minutes ago for some minutes."""
        now = self.clock.now()
        for person in people:
            self.roster.people[person.id] = (now - minutes(since), now + minutes(until))

    async def after(self, n: float) -> None:
        """Let minutes pass, then let the desk look."""
        self.clock.go(minutes(n))
        await self.desk.look()

    async def owes(self, call: str = "m1", number: str = WANG, **facts: object) -> Callback:
        """Miss a call, look, and give the callback."""
        self.misses(call, number, **facts)  # type: ignore[arg-type]
        await self.desk.look()
        found = await self.store.owed_to(number)
        assert found is not None
        return found

    async def all(self) -> list[Callback]:
        """Everything, the earliest due first."""
        found = await self.store.find(Wanted(state=""), 1000)
        return sorted(found, key=lambda one: (one.due_at, one.owed_since))

    async def now(self, callback: Callback) -> Callback:
        """The callback as it is now."""
        found = await self.store.get(callback.id)
        assert found is not None
        return found

    async def knows(self, name: str, number: str = WANG, **facts: object) -> None:
        """Add a customer."""
        phones = ((number, number),)
        await self.customers.add(Entry(name=name, phones=phones, **facts))  # type: ignore[arg-type]


@pytest.fixture
async def it(db: Database) -> Story:
    """A house that is at work, on each database."""
    story = Story(db)
    await story.begins()
    return story


def code(caught: pytest.ExceptionInfo[Refused]) -> str:
    """The code of a refusal."""
    return caught.value.code
