"""Who is on duty at an instant, and why? Pure: roster, clock, swaps, hand-over in; people out."""

from datetime import date, datetime
from enum import StrEnum

from cti.people.rules import Role
from cti.value import value


class DutyState(StrEnum):
    """Where an assignment stands (requirement 22.3)."""

    PLANNED = "planned"
    STARTED = "started"
    HANDING_OVER = "handing_over"
    ENDED = "ended"
    ABSENT = "absent"
    EXCUSED = "excused"


@value
class Assignment:
    """One person on one shift of one day. Instants are aware UTC.

    `source` is how it came about (plan, swap, pay_back, extra), `version` counts its changes.
    """

    id: str
    person: str
    role: Role
    department: str
    day: date
    shift: str
    starts: datetime
    ends: datetime
    relieved_by: str
    """Shift type whose person must accept the hand-over before this one ends; empty: none."""
    source: str
    state: DutyState
    clock_in: datetime | None = None
    clock_out: datetime | None = None
    handed_over_at: datetime | None = None
    """The hand-over was accepted, or an exception was made."""
    excused_from: datetime | None = None
    version: int = 1


@value
class OnDuty:
    """Somebody on duty, and why, in codes that pages have words for."""

    person: str
    assignment: str
    shift: str
    role: Role
    state: DutyState
    since: datetime
    """When this duty began: the clock-in, else the planned beginning."""
    why: tuple[str, ...]
    """Such as `planned`, `clocked_in`, `late`, `not_relieved`, `swap`, `extra`."""


@value
class DutySet:
    """Who was on duty at an instant (requirements MISS-02, 21.4 point 4, V12).

    `agents` and the one duty `supervisor` (None: none on duty); `published` counts the agents
    that the published plan had for the instant; `version` names the roster as it was.
    """

    at: datetime
    department: str
    agents: tuple[OnDuty, ...]
    supervisor: OnDuty | None
    published: int
    version: str
