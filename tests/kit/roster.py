"""A roster to decide on: shifts of the reference house in March 2025, in its own time.

The cast: May, Bo and Chen are agents, Lin and Tan supervise.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from cti.calendar import Calendar
from cti.duty.plan import shift_times
from cti.duty.rules import Assignment, DutyState
from cti.house import House
from cti.people.rules import Person, Role

MAY = Person(id="p-may", number="6001", name="May")
BO = Person(id="p-bo", number="6002", name="Bo")
CHEN = Person(id="p-chen", number="6003", name="Chen")
LIN = Person(id="p-lin", number="5001", name="Lin", role=Role.SUPERVISOR)
TAN = Person(id="p-tan", number="5002", name="Tan", role=Role.SUPERVISOR)
STAFF = (MAY, BO, CHEN, LIN, TAN)

QINGMING = date(2025, 4, 4)
HOUSE = House(calendar=Calendar(holidays={QINGMING: "清明节"}))
DAY = date(2025, 3, 14)
"""A Friday."""
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)


def local(clock: str, day: date = DAY) -> datetime:
    """Give a time of day of the house as an instant."""
    hours, minutes = map(int, clock.split(":"))
    return datetime(day.year, day.month, day.day, hours, minutes, tzinfo=HOUSE.zone).astimezone(UTC)


def on(
    person: Person, shift: str, day: date = DAY, *, came: str | None = None, **facts: Any
) -> Assignment:
    """Put somebody on a shift of the published roster; `came` is when they clocked in."""
    kind = HOUSE.shifts.types[shift]
    starts, ends = shift_times(kind, day, HOUSE.zone)
    given: dict[str, Any] = {
        "id": f"{person.id}-{shift}-{day}",
        "person": person.id,
        "role": person.role,
        "department": "",
        "day": day,
        "shift": shift,
        "starts": starts,
        "ends": ends,
        "relieved_by": kind.relieved_by,
        "source": "plan",
        "state": DutyState.PLANNED,
        "published_at": LONG_AGO,
        "clock_in": local(came, day) if came else None,
    }
    return Assignment(**given | facts)


def days(first: date, count: int) -> Iterable[date]:
    """Give some days in a row."""
    return (first + timedelta(days=n) for n in range(count))
