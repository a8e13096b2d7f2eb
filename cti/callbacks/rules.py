"""When may a customer be called, when is a call that we owe due, and who may take it? Pure.

A callback is a call that the house owes. The kind `recovery` is owed to somebody whose call was
missed. Its states (requirement 22.3), as far as this kind uses them:

    planned ──▶ waiting ──▶ due ──▶ claimed ──▶ done, unreachable, refused, wrong_number, cancelled
       └───────────┴─────────┴─────────┴──▶ done, by any answered call with the number

`planned`: customers rest now; `waiting`: it may be called and is not due yet; `due`: its time
is over, which also marks it as breached. A claim that is given back, or whose lease ends, is
`waiting` or `due` again; an end is taken back by a supervisor alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from cti.calendar import Span
from cti.calls.record import MissedCall
from cti.duty.rules import DutySet
from cti.errors import Refused
from cti.house import House
from cti.people.rules import Person, Right
from cti.value import value
from cti.wall import Stretch, days_about, shown

LEASE: Final = timedelta(minutes=30)
"""Who takes a callback holds it so long; then others may take it."""
NOTE_LIMIT: Final = 500
LOOK_AHEAD: Final = timedelta(days=400)
"""A house in which nobody may be called for so long never calls."""

_DAY: Final = timedelta(days=1)
_NOON: Final = time(12)


class Kind(StrEnum):
    """Why we owe a call."""

    RECOVERY = "recovery"


class State(StrEnum):
    """Where a callback stands."""

    PLANNED = "planned"
    WAITING = "waiting"
    DUE = "due"
    CLAIMED = "claimed"
    DONE = "done"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    WRONG_NUMBER = "wrong_number"
    CANCELLED = "cancelled"


FREE: Final = (State.PLANNED, State.WAITING, State.DUE)
"""States in which nobody holds it."""
ENDS: Final = (
    State.DONE,
    State.UNREACHABLE,
    State.REFUSED,
    State.WRONG_NUMBER,
    State.CANCELLED,
)


class Result(StrEnum):
    """What became of it: by an answered call, or as a person says."""

    ANSWERED_CALL = "answered_call"
    SETTLED = "settled"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    WRONG_NUMBER = "wrong_number"
    NOT_NEEDED = "not_needed"


BY_HAND: Final[Mapping[Result, State]] = {
    Result.SETTLED: State.DONE,
    Result.UNREACHABLE: State.UNREACHABLE,
    Result.REFUSED: State.REFUSED,
    Result.WRONG_NUMBER: State.WRONG_NUMBER,
}
"""The results that whoever holds a callback may give, and the ends to which they lead."""


class WhyNone(StrEnum):
    """Why a missed call opened no callback."""

    WITHHELD = "withheld"
    EXCEPTED = "excepted"
    TEST_CALL = "test_call"
    NO_CALL_TIMES = "no_call_times"


@value
class Plan:
    """From when on the customer may be called, and when that is due."""

    from_at: datetime
    due_at: datetime


@value
class Callback:
    """One call that we owe. Instants are aware UTC; people, calls and itself by our ids.

    `owner` is who it is meant for, and who holds it while it is claimed; `epoch` counts who
    held it, so that a page of yesterday changes nothing. `contact_after` is from when on an
    answered call fulfils it. `reason` and `line` are those of the last missed call; `zone` and
    `policy` those by which it was planned.
    """

    id: str
    kind: Kind
    number: str
    department: str
    state: State
    reason: str
    line: str
    owed_since: datetime
    last_at: datetime
    times: int
    contact_after: datetime
    from_at: datetime
    due_at: datetime
    zone: str
    policy: str
    owner: str | None
    lease_until: datetime | None
    epoch: int
    breached: bool
    result: Result | None
    note: str
    fulfilled_by: str | None
    ended_by: str | None
    ended_at: datetime | None
    opened_at: datetime


# -- callable time


def is_callable(house: House, at: datetime) -> bool:
    """Tell whether customers may be called at an instant (CB-01, requirement 21.6)."""
    instant = at.astimezone(UTC)  # a time that the clock shows twice equals nothing elsewhere
    return opens_at(house, instant) == instant


def opens_at(house: House, at: datetime) -> datetime | None:
    """Give the first instant, `at` or later, at which customers may be called; None: never."""
    return after(house, at, timedelta())


def after(house: House, at: datetime, callable_time: timedelta) -> datetime | None:
    """Give when so much callable time has passed since an instant (MISS-05); None: never.

    That is always an instant at which customers may be called: time that runs out with a
    window is over when the next one begins.
    """
    left = callable_time
    for began, ended in stretches(house, at.astimezone(UTC)):
        if left < ended - began:
            return began + left
        left -= ended - began
    return None


def stretches(house: House, since: datetime) -> Iterator[Stretch]:
    """Give when customers may be called, from an instant (UTC) on, in order.

    An instant counts if the wall clock of the house shows a time inside a window of that day.
    Where a clock is set back over a window, its time counts twice; where one is set on, the
    time left out does not count.
    """
    end = since + LOOK_AHEAD
    while since < end:
        yield from _between(house, since, since + _DAY)
        since += _DAY


def _between(house: House, since: datetime, until: datetime) -> Iterator[Stretch]:
    found = sorted(
        piece
        for day in days_about(since, until, house.zone)
        for span in windows_on(house, day)
        for piece in shown(day, span, house.zone)
    )
    for began, ended in found:
        start, stop = max(began, since), min(ended, until)
        if start < stop:
            yield start, stop
            since = stop


def windows_on(house: House, day: date) -> tuple[Span, ...]:
    """Give the windows of a day of the house; a holiday has its own (requirement 21.6)."""
    windows, mode = house.call_times.windows, house.call_times.holiday_mode
    if mode == "normal" or not house.calendar.is_holiday(day):
        return windows
    if mode == "closed":
        return ()
    return tuple((max(start, _NOON), end) for start, end in windows if end > _NOON or end <= start)


# -- what a missed call opens


def why_none(house: House, miss: MissedCall, *, is_test: bool = False) -> WhyNone | None:
    """Tell why a missed call opens no callback; None if it opens one (MISS-05, LINE-07)."""
    if is_test:
        return WhyNone.TEST_CALL
    if miss.number is None:
        return WhyNone.WITHHELD
    if miss.reason in house.inbound.missed_call_callback_except:
        return WhyNone.EXCEPTED
    return None if plan(house, miss.at) else WhyNone.NO_CALL_TIMES


def plan(house: House, owed_since: datetime) -> Plan | None:
    """Plan a recovery call: due after so much callable time (MISS-05); None: never possible."""
    from_at = opens_at(house, owed_since)
    due_at = after(house, owed_since, house.inbound.missed_call_callback)
    return Plan(from_at=from_at, due_at=due_at) if from_at and due_at else None


def department_of(house: House, miss: MissedCall) -> str:
    """Give the department that serves the queue, else the line, of a call; empty: every one."""
    served = house.inbound.departments
    return next((served[one] for one in (*miss.queues, miss.dialled) if one in served), "")


def first_choice(rung: Sequence[str], duty: DutySet | None) -> str | None:
    """Give the first agent whose phone rang and who is still on duty; None: whoever takes it."""
    agents = {one.person for one in duty.agents} if duty else set[str]()
    return next((person for person in rung if person in agents), None)


def state_at(from_at: datetime, due_at: datetime, now: datetime) -> State:
    """Give the state of an open callback that nobody holds."""
    if now >= due_at:
        return State.DUE
    return State.WAITING if now >= from_at else State.PLANNED


# -- who may do what


def serves(person: Person, department: str) -> bool:
    """Tell whether somebody works for a department; no name means every one."""
    return not department or person.department in ("", department)


def may_see(person: Person, callback: Callback) -> bool:
    """Tell whether somebody may see a callback: one's own, one's department's, or all."""
    if person.may(Right.REVIEW) or person.may(Right.AUDIT):
        return True
    own = callback.owner == person.id
    return person.may(Right.OWN_WORK) and (own or serves(person, callback.department))


def check_duty(person: Person, duty: DutySet | None) -> None:
    """Refuse who is not on duty (callback_off_duty). A house without roster asks nobody."""
    if duty is None or not duty.agents or person.may(Right.REVIEW):
        return
    if person.id not in {one.person for one in duty.agents}:
        raise Refused("callback_off_duty", "only who is on duty may take a callback")


def check_take(callback: Callback, person: str, now: datetime, *, anyones: bool = False) -> None:
    """Refuse to take what is not free: callback_over, callback_taken, callback_owned.

    What is meant for somebody else is free for all (`anyones`: at once) when it is due.
    """
    check_open(callback)
    if callback.state is State.CLAIMED:
        raise Refused("callback_taken", "somebody has taken it", by=callback.owner)
    meant_for_other = callback.owner not in (None, person)
    if meant_for_other and not anyones and now < callback.due_at:
        raise Refused(
            "callback_owned",
            "it is meant for somebody else until it is due",
            by=callback.owner,
            until=callback.due_at,
        )


def check_open(callback: Callback) -> None:
    """Refuse what has ended (callback_over)."""
    if callback.state in ENDS:
        raise Refused("callback_over", "this callback has ended")


def check_held(callback: Callback, person: str, epoch: int) -> None:
    """Refuse who does not hold it, or no longer: callback_over, callback_not_held."""
    check_open(callback)
    held = callback.state is State.CLAIMED and callback.owner == person
    if not held or callback.epoch != epoch:
        raise Refused("callback_not_held", "take it first: you do not hold it, or no longer")


def checked_result(text: str) -> Result:
    """Read the result that somebody gives. Raises `Refused` (callback_result)."""
    if text not in list(BY_HAND):
        raise Refused("callback_result", "say what became of it")
    return Result(text)


def checked_note(text: str, *, needed: bool) -> str:
    """Give a note as it is kept: callback_note_long, callback_note_missing."""
    note = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    if len(note) > NOTE_LIMIT:
        raise Refused("callback_note_long", f"at most {NOTE_LIMIT} characters", n=NOTE_LIMIT)
    if needed and not note:
        raise Refused("callback_note_missing", "say why")
    return note
