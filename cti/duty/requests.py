"""May a swap, a leave or a break be had? Pure: what was asked, roster and house rules in.

Each check raises `Refused` with a stable code, or returns: then it may be had.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from cti.calendar import Calendar
from cti.duty.plan import overlapping, times
from cti.duty.rules import SWAPPED, Assignment, on_duty
from cti.errors import Refused
from cti.house import House, ShiftRules
from cti.presence.states import AgentState, Interval, Source
from cti.value import value

TEXT_LIMIT: Final = 500
"""Characters of a reason."""
BREAK_MOST: Final = timedelta(hours=2)


class SwapState(StrEnum):
    """Where a swap stands (requirement 22.3)."""

    REQUESTED = "requested"
    ACCEPTED_BY_PEER = "accepted_by_peer"
    APPROVED = "approved"
    REFUSED = "refused"
    DONE = "done"
    PAID_BACK = "paid_back"


@value
class Swap:
    """Two people exchange two shifts: `peer` works `first`, `asker` works `back` for it."""

    id: str
    asker: str
    peer: str
    first: Assignment
    back: Assignment
    month: date
    """The first day of the month in which it counts, for both."""
    reason: str
    state: SwapState
    asked_at: datetime
    decided_at: datetime | None = None
    decided_by: str = ""
    why: str = ""


class Answer(StrEnum):
    """Where a leave or a break stands."""

    REQUESTED = "requested"
    APPROVED = "approved"
    REFUSED = "refused"


@value
class Leave:
    """Leave asked for one shift."""

    id: str
    person: str
    shift: Assignment
    reason: str
    state: Answer
    asked_at: datetime
    decided_at: datetime | None = None
    decided_by: str = ""
    why: str = ""


class Kind(StrEnum):
    """Why somebody is away while on duty."""

    BREAK = "break"
    CALLED_AWAY = "called_away"


@value
class Away:
    """A break, or being called away by the supervisor. It holds from `began_at`."""

    id: str
    person: str
    assignment: str
    kind: Kind
    minutes: int
    """How long was asked for; 0: until it is ended."""
    reason: str
    state: Answer
    asked_at: datetime
    began_at: datetime | None = None
    until_at: datetime | None = None
    """An approved break lasts no longer; the duty's end ends it too."""
    ended_at: datetime | None = None
    decided_by: str = ""
    why: str = ""

    @property
    def last(self) -> datetime | None:
        """When it was over, or will be; None: not known yet."""
        known = [end for end in (self.ended_at, self.until_at) if end is not None]
        return min(known, default=None)

    def holds(self, at: datetime) -> bool:
        """Tell whether somebody was away, with approval, at an instant."""
        if self.began_at is None or at < self.began_at:
            return False
        return self.last is None or at < self.last

    def interval(self) -> Interval | None:
        """Give it as a state of its agent; None if it was never had."""
        if self.began_at is None or (self.last is not None and self.last <= self.began_at):
            return None
        called = self.kind is Kind.CALLED_AWAY
        return Interval(
            person=self.person,
            state=AgentState.CALLED_AWAY if called else AgentState.BREAK_APPROVED,
            began_at=self.began_at,
            ended_at=self.last,
            source=Source.PERSON,
            cause=self.reason,
        )


def cleaned(text: str) -> str:
    """Give a text without control and direction characters, its lines kept."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join("".join(filter(str.isprintable, line)) for line in lines).strip()


def checked_reason(text: str, *, needed: bool = True) -> str:
    """Give a reason as it is kept. Raises `Refused` (duty_reason_missing, duty_too_long)."""
    text = cleaned(text)
    if needed and not text:
        raise Refused("duty_reason_missing", "a reason is needed")
    if len(text) > TEXT_LIMIT:
        raise Refused("duty_too_long", f"at most {TEXT_LIMIT} characters", limit=TEXT_LIMIT)
    return text


def swap_month(first: Assignment, back: Assignment) -> date:
    """Give the month in which a swap counts: that of the earlier of its two shifts (SHIFT-09)."""
    return min(first, back, key=lambda one: one.starts).day.replace(day=1)


def had(swap: Swap, at: datetime) -> SwapState:
    """Give the state that a swap has by now: once its shifts are worked, done and paid back."""
    if swap.state is not SwapState.APPROVED:
        return swap.state
    ends = sorted((swap.first.ends, swap.back.ends))
    if at >= ends[1]:
        return SwapState.PAID_BACK
    return SwapState.DONE if at >= ends[0] else SwapState.APPROVED


def check_swap(
    first: Assignment,
    back: Assignment,
    at: datetime,
    house: House,
    *,
    counted: Sequence[int],
    roster: Iterable[Assignment],
) -> None:
    """Refuse a swap that the house does not allow (SHIFT-09, SHIFT-11, V13).

    `counted` are the swaps that each of the two has in that month already; `roster` holds what
    else they are planned for.
    Raises `Refused`: duty_swap_unlike, duty_gone, duty_begun, duty_swap_holiday,
    duty_swap_limit, duty_overlap.
    """
    if first.person == back.person or first.supervises != back.supervises:
        raise Refused("duty_swap_unlike", "two people of the same kind of work swap")
    for one in (first, back):
        _check_ahead(one, at)
    _check_holidays((first, back), house.calendar, allowed=house.shifts.swap_on_holidays)
    if max(counted, default=0) >= house.shifts.swaps_per_month:
        limit = house.shifts.swaps_per_month
        raise Refused("duty_swap_limit", f"at most {limit} swaps a month", limit=limit)
    others = [one for one in roster if one.id not in (first.id, back.id)]
    for gives, takes in ((first, back), (back, first)):
        if overlapping(others, gives.person, takes.starts, takes.ends):
            raise Refused("duty_overlap", "one of you has another shift at that time")


def _check_ahead(one: Assignment, at: datetime) -> None:
    if not one.counts(at) or one.excused(at):
        raise Refused("duty_gone", "this shift is no longer in the plan")
    if one.starts <= at or one.clock_in is not None:
        raise Refused("duty_begun", "this shift has begun")


def _check_holidays(shifts: Iterable[Assignment], calendar: Calendar, *, allowed: bool) -> None:
    for one in shifts:
        if not allowed and calendar.is_holiday(one.day):
            raise Refused(
                "duty_swap_holiday",
                f"{one.day} is a holiday: no swap",
                day=one.day.isoformat(),
                holiday=calendar.holidays[one.day],
            )


def check_leave(one: Assignment, at: datetime, calendar: Calendar, rules: ShiftRules) -> None:
    """Refuse leave that the house does not give (SHIFT-10, SHIFT-11, V13).

    Raises `Refused`: duty_gone, duty_past, duty_leave_holiday, duty_leave_swapped.
    """
    if not one.counts(at) or one.excused(at):
        raise Refused("duty_gone", "this shift is no longer in the plan")
    if one.ends <= at:
        raise Refused("duty_past", "this shift is over")
    if calendar.is_holiday(one.day):
        raise Refused(
            "duty_leave_holiday",
            f"{one.day} is a holiday: no leave",
            day=one.day.isoformat(),
            holiday=calendar.holidays[one.day],
        )
    if one.source in SWAPPED and rules.leave_on_swapped == "absence":
        raise Refused("duty_leave_swapped", "no leave on a shift that was swapped or is paid back")


def check_break(
    one: Assignment,
    at: datetime,
    minutes: int,
    house: House,
    *,
    roster: Sequence[Assignment],
    away: Collection[Away],
) -> datetime:
    """Give until when a break beginning now would last, or refuse it (SHIFT-06).

    In meal windows `min_staff` agents stay: those who have clocked in, are not away, and whose
    duty lasts. Raises `Refused`: duty_bad_input, duty_break_running, duty_break_staff.
    """
    if not 1 <= minutes <= BREAK_MOST.total_seconds() // 60:
        raise Refused("duty_bad_input", "a break has 1 to 120 minutes")
    if any(each.person == one.person and each.holds(at) for each in away):
        raise Refused("duty_break_running", "you are away already")
    until = at + timedelta(minutes=minutes)
    if one.supervises:
        return until
    for moment in _meal_moments(at, until, roster, house):
        staying = _staying(moment, at, one, roster, away, house.shifts)
        if len(staying - {one.person}) < house.shifts.min_staff:
            wanted = house.shifts.min_staff
            raise Refused(
                "duty_break_staff",
                f"{wanted} must stay at meal times",
                wanted=wanted,
                staying=len(staying - {one.person}),
            )
    return until


def _meal_moments(
    at: datetime, until: datetime, roster: Iterable[Assignment], house: House
) -> list[datetime]:
    """Give the moments of meal time within a break at which fewer may be there than before."""
    local = at.astimezone(house.zone).date()
    days = [local + timedelta(days=n) for n in (-1, 0, 1)]
    spans = [times(day, span, house.zone) for day in days for span in house.shifts.meal_windows]
    moments = set[datetime]()
    for began, ended in spans:
        first, last = max(at, began), min(until, ended)
        if first < last:
            moments |= {first} | {one.ends for one in roster if first < one.ends < last}
    return sorted(moments)


def _staying(
    moment: datetime,
    at: datetime,
    one: Assignment,
    roster: Sequence[Assignment],
    away: Collection[Away],
    rules: ShiftRules,
) -> set[str]:
    """Tell which agents are here now, and still will be at a moment to come."""
    here = {each.id for each in roster if each.present(at)}
    gone = {each.person for each in away if each.holds(moment)}
    duty = on_duty(roster, moment, one.department, stay_until_relieved=rules.stay_until_relieved)
    return {agent.person for agent in duty.agents if agent.assignment in here} - gone
