"""Who is on duty at an instant, and why? Pure: roster, clock, swaps, hand-over in; people out.

Every fact of an assignment is an instant, and a fact counts from its instant on. So the same
roster answers for now and for any time ago, and what is edited later changes no earlier answer.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from cti.errors import Refused
from cti.people.rules import Person, Role
from cti.value import value


class DutyState(StrEnum):
    """Where an assignment stands (requirement 22.3)."""

    PLANNED = "planned"
    STARTED = "started"
    HANDING_OVER = "handing_over"
    ENDED = "ended"
    ABSENT = "absent"
    EXCUSED = "excused"


LONGEST: Final = timedelta(days=1)
"""No shift lasts longer, so a relief that covers a planned end is over a day after it."""
SUPERVISING: Final = frozenset({Role.SUPERVISOR, Role.MANAGER, Role.OWNER})
"""Roles that count as supervisor on the roster; all others count as agents."""
SWAPPED: Final = frozenset({"swap", "pay_back"})
"""Sources of a shift that came by a swap: no leave on it (SHIFT-10)."""


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
    offered_at: datetime | None = None
    """The hand-over was offered."""
    took_over_at: datetime | None = None
    """A hand-over was accepted by this one."""
    published_at: datetime | None = None
    """None: a draft, which binds nobody."""
    removed_at: datetime | None = None
    """Taken out of the published plan."""
    dropping: bool = False
    """Taken out when the week is published next."""
    swap: str = ""
    """The swap by which it came, or went."""

    @property
    def supervises(self) -> bool:
        """Whether this is a supervisor's duty."""
        return self.role in SUPERVISING

    @property
    def begins(self) -> datetime:
        """When the duty begins: as planned, or earlier when a hand-over was accepted."""
        return min(self.starts, self.took_over_at or self.starts)

    def counts(self, at: datetime) -> bool:
        """Tell whether it stood in the published roster at an instant."""
        return _since(self.published_at, at) and not _since(self.removed_at, at)

    def excused(self, at: datetime) -> bool:
        """Tell whether the person was on leave by then."""
        return _since(self.excused_from, at)

    def present(self, at: datetime) -> bool:
        """Tell whether the person had come and not gone again."""
        return _since(self.clock_in, at) and not _since(self.clock_out, at)


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


@value
class By:
    """Who does something, and from which address; `cti` itself has no person."""

    person: Person
    address: str = ""


def on_duty(
    roster: Iterable[Assignment],
    at: datetime,
    department: str = "",
    *,
    stay_until_relieved: bool = True,
    own_supervisor: str = "",
    version: str = "",
) -> DutySet:
    """Tell who was on duty at an instant, by the roster as it was then.

    `department` "" asks for all; an assignment without a department serves every one.
    `own_supervisor` is the one agent of a house without a supervisor (ORG-02). Never raises;
    the order of the roster changes nothing.
    """
    known = [one for one in roster if one.counts(at) and serves(one, department)]
    there = [
        (one, state)
        for one, state in zip(known, states(known, at, stay=stay_until_relieved), strict=True)
        if state is not None and state in _ON
    ]
    found = sorted((_told(one, state, at) for one, state in there), key=_order)
    agents = _once(one for one in found if one.role not in SUPERVISING)
    supervisors = [one for one in found if one.role in SUPERVISING]
    return DutySet(
        at=at,
        department=department,
        agents=agents,
        supervisor=supervisors[0] if supervisors else _own(agents, own_supervisor),
        published=published(known, at),
        version=version,
    )


def published(roster: Iterable[Assignment], at: datetime) -> int:
    """Count the agents whom the published plan had for an instant, whether they came or not."""
    return len(
        {
            one.person
            for one in roster
            if one.counts(at) and not one.supervises and one.source != "extra"
            if one.starts <= at < one.ends
        }
    )


def serves(one: Assignment, department: str) -> bool:
    """Tell whether a duty serves a department."""
    return not department or one.department in ("", department)


_ON: Final = frozenset({DutyState.PLANNED, DutyState.STARTED, DutyState.HANDING_OVER})


def seen(
    one: Assignment, roster: Iterable[Assignment], at: datetime, *, stay: bool = True
) -> DutyState | None:
    """Give the state that an assignment had at an instant; None before its duty began.

    Absent is said at the planned end, when nobody came; until then it is planned (22.3).
    """
    if one.excused(at):
        return DutyState.EXCUSED
    if at < one.begins:
        return None
    came = one.clock_in is not None and one.clock_in <= at
    if at >= one.ends and not came:
        return DutyState.ABSENT
    if at >= one.ends + LONGEST or at >= until(one, roster, at, stay=stay):
        return DutyState.ENDED
    if at >= one.ends or (_since(one.offered_at, at) and came):
        return DutyState.HANDING_OVER
    return DutyState.STARTED if came else DutyState.PLANNED


def states(
    roster: Sequence[Assignment], at: datetime, *, stay: bool = True
) -> list[DutyState | None]:
    """Give the state of each assignment of a roster, in its order, as `seen` does."""
    shifts = dict[str, list[Assignment]]()
    for one in roster:
        shifts.setdefault(one.shift, []).append(one)
    return [seen(one, shifts.get(one.relieved_by, ()), at, stay=stay) for one in roster]


def until(
    one: Assignment, roster: Iterable[Assignment], at: datetime, *, stay: bool = True
) -> datetime:
    """Give the end of a duty, as far as it was known at an instant (SHIFT-04, V12).

    It ends at its planned end; where another shift relieves it, when the hand-over was accepted
    or excepted. Nobody waits for a shift that has nobody in it, nor longer than that shift lasts.
    """
    if one.handed_over_at is not None and one.handed_over_at <= at:
        return one.handed_over_at
    if not stay or not one.relieved_by or not _since(one.clock_in, at):
        return one.ends
    awaited = (
        other.ends
        for other in roster
        if other.starts <= one.ends < other.ends and relieves(other, one)
        if other.counts(at) and not other.excused(at)
    )
    return max(awaited, default=one.ends)


def relieves(incoming: Assignment, outgoing: Assignment) -> bool:
    """Tell whether one duty is such as takes over from another: shift, kind and department."""
    return (
        incoming.shift == outgoing.relieved_by
        and incoming.id != outgoing.id
        and incoming.supervises == outgoing.supervises
        and serves(incoming, outgoing.department)
    )


def _told(one: Assignment, state: DutyState, at: datetime) -> OnDuty:
    came = one.clock_in if _since(one.clock_in, at) else None
    return OnDuty(
        person=one.person,
        assignment=one.id,
        shift=one.shift,
        role=one.role,
        state=state,
        since=came or one.begins,
        why=tuple(_reasons(one, came, at)),
    )


def _reasons(one: Assignment, came: datetime | None, at: datetime) -> Iterable[str]:
    yield "planned" if one.source == "plan" else one.source
    if came is not None:
        yield "clocked_in"
    if (came or at) > one.starts:
        yield "late"
    if _since(one.took_over_at, at):
        yield "took_over"
    if _since(one.clock_out, at):
        yield "clocked_out"
    if at >= one.ends:
        yield "not_relieved"


def _order(one: OnDuty) -> tuple[bool, datetime, str]:
    """Put first who started first; who has not come stands behind those who have."""
    return "clocked_in" not in one.why, one.since, one.assignment


def _once(found: Iterable[OnDuty]) -> tuple[OnDuty, ...]:
    people: dict[str, OnDuty] = {}
    for one in found:
        people.setdefault(one.person, one)
    return tuple(people.values())


def _own(agents: Sequence[OnDuty], own_supervisor: str) -> OnDuty | None:
    return next((one for one in agents if one.person == own_supervisor), None)


def own_supervisor(people: Iterable[Person]) -> str:
    """Give the one agent of a house that has no supervisor, who is then his own (ORG-02)."""
    at_work = [one for one in people if one.active]
    agents = [one.id for one in at_work if one.role is Role.AGENT]
    supervisors = [one for one in at_work if one.role in {Role.SUPERVISOR, Role.MANAGER}]
    return agents[0] if len(agents) == 1 and not supervisors else ""


def _since(fact: datetime | None, at: datetime) -> bool:
    return fact is not None and fact <= at


CLOCK_IN_FROM: Final = timedelta(hours=1)
"""Nobody clocks in for a shift that begins later than this: it would be for the wrong one."""


@value
class Attendance:
    """What the clock says about one assignment (SHIFT-12). None: not so, or not yet known."""

    late: timedelta | None = None
    early: timedelta | None = None
    absent: bool = False


def attendance(one: Assignment, at: datetime) -> Attendance:
    """Tell late, early and absent from roster and clock, as known at an instant.

    Who has not come yet is late by what has passed, and absent from the planned end on.
    """
    if not one.counts(at) or one.excused(at):
        return Attendance()
    if one.clock_in is None and at >= one.ends:
        return Attendance(absent=True)
    late = (one.clock_in or at) - one.starts
    early = one.ends - one.clock_out if one.clock_out else timedelta()
    nothing = timedelta()
    return Attendance(
        late=late if late > nothing else None, early=early if early > nothing else None
    )


def to_clock_in(mine: Iterable[Assignment], at: datetime) -> Assignment:
    """Find the shift for which somebody clocks in now, or comes back to after clocking out.

    Raises `Refused` (duty_no_shift, duty_clocked).
    """
    near = [
        one
        for one in mine
        if one.counts(at) and not one.excused(at)
        if one.starts - CLOCK_IN_FROM <= at < one.ends
    ]
    wanted = [one for one in near if not one.present(at)]
    if wanted:
        return min(wanted, key=lambda one: one.starts)
    if near:
        raise Refused("duty_clocked", "you have clocked in already")
    raise Refused("duty_no_shift", "no shift of yours is on now, or begins within the hour")


def to_clock_out(mine: Iterable[Assignment], at: datetime) -> Assignment:
    """Find the shift from which somebody clocks out. Raises `Refused` (duty_no_shift)."""
    here = [one for one in mine if one.counts(at) and one.present(at)]
    if not here:
        raise Refused("duty_no_shift", "you have not clocked in")
    return max(here, key=lambda one: one.starts)


class HandoverState(StrEnum):
    """Where a hand-over stands (requirement 22.3)."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    EXCEPTION = "exception"


@value
class Handover:
    """One shift's hand-over: what is passed on, and who took it, or who let it pass."""

    id: str
    assignment: str
    person: str
    shift: str
    relieved_by: str
    ends: datetime
    notes: str
    open_items: str
    state: HandoverState
    offered_at: datetime
    to_person: str = ""
    decided_at: datetime | None = None
    decided_by: str = ""
    why: str = ""


def check_offer(one: Assignment, at: datetime, arrive_before: timedelta) -> None:
    """Refuse a hand-over that nobody needs, or that comes too early.

    The next shift arrives `arrive_before` its beginning at the earliest, so a hand-over is
    offered that long before the planned end at the earliest.
    Raises `Refused` (duty_no_relief, duty_too_early).
    """
    if not one.relieved_by or one.handed_over_at is not None:
        raise Refused("duty_no_relief", "this shift hands over to nobody")
    if at < one.ends - arrive_before:
        minutes = int(arrive_before.total_seconds() // 60)
        raise Refused(
            "duty_too_early", f"hand over from {minutes} min before the end", minutes=minutes
        )


def to_accept(mine: Iterable[Assignment], outgoing: Assignment, at: datetime) -> Assignment:
    """Find the shift with which somebody takes over. Raises `Refused` (duty_may_not_accept)."""
    for one in mine:
        ready = one.counts(at) and one.present(at) and not one.excused(at) and at < one.ends
        if ready and one.person != outgoing.person and relieves(one, outgoing):
            return one
    raise Refused(
        "duty_may_not_accept", "only who has clocked in for the relieving shift may accept"
    )


def excepted_at(one: Assignment, at: datetime) -> datetime:
    """Give when a duty ends by an exception: nobody need be awaited, but no one leaves early."""
    return max(at, one.ends)


def turn(day: date, people: Collection[str]) -> str | None:
    """Tell whose turn it is on a day, by turns among those who are there (SHIFT-17)."""
    names = sorted(set(people))
    return names[day.toordinal() % len(names)] if names else None


def cleaner(roster: Iterable[Assignment], day: date, shift: str, at: datetime) -> str | None:
    """Tell which agent of a day's shift cleans: by turns among those who are planned for it."""
    there = (one for one in roster if one.counts(at) and not one.excused(at))
    return turn(
        day,
        {
            one.person
            for one in there
            if (one.day, one.shift) == (day, shift) and not one.supervises
        },
    )


CHECKLISTS: Final[Mapping[str, tuple[str, ...]]] = {
    "start": (
        "arrived",
        "dressed",
        "meeting",
        "tidy",
        "computers",
        "promotions",
        "chat",
        "phone",
        "recorder",
    ),
    "end": ("statistics", "handover", "cleaning", "power", "lights", "lock"),
}
"""What is looked after at the start and the end of a shift (SHIFT-15, SHIFT-16)."""
