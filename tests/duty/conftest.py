"""A duty room of the reference house, with a clock that the test owns."""

from dataclasses import dataclass, field
from datetime import date, datetime

import pytest

from cti.clock import SetClock
from cti.db.engine import Database
from cti.duty.plan import monday, week_days
from cti.duty.rules import Assignment, By
from cti.duty.store import DutyStore
from cti.house import House
from cti.people.rules import Directory, Person
from tests.kit.roster import HOUSE, LIN, STAFF, local

MONDAY = date(2025, 3, 10)


@dataclass
class DutyRoom:
    """The store, and what it is given."""

    db: Database
    house: House = HOUSE
    people: Directory = field(default_factory=lambda: Directory(STAFF))
    clock: SetClock = field(default_factory=lambda: SetClock(local("07:00", MONDAY)))

    def __post_init__(self) -> None:
        self.store = DutyStore(
            self.db, self.clock, house=lambda: self.house, people=lambda: self.people
        )

    def at(self, clock: str, day: date = MONDAY) -> None:
        """Let it be a time of day."""
        self.clock.at = local(clock, day)

    async def plans(self, *people: tuple[Person, str], week: date = MONDAY, days: int = 5) -> None:
        """Publish a week in which these people have these shifts."""
        for person, shift in people:
            await self.store.add(by(LIN), person.id, shift, week_days(week)[:days])
        await self.store.publish(by(LIN), week)

    async def shift(self, person: Person, day: date = MONDAY) -> Assignment:
        """Find somebody's one shift of a day that is in the plan."""
        found = [
            one
            for one in await self.store.week(monday(day))
            if (one.person, one.day) == (person.id, day)
        ]
        assert len(found) == 1, found
        return found[0]

    async def on_duty(self, clock: str, day: date = MONDAY) -> list[str]:
        """Tell which agents were on duty."""
        found = await self.store.duty_at(local(clock, day))
        return [one.person for one in found.agents]


def on_monday(clock: str) -> datetime:
    """Give a time of day of that Monday."""
    return local(clock, MONDAY)


def by(person: Person) -> By:
    """Somebody at a computer of the house."""
    return By(person=person, address="10.0.0.7")


@pytest.fixture
def room(db: Database) -> DutyRoom:
    """A Monday morning at seven, nothing planned yet."""
    return DutyRoom(db)
