"""What follows from an attempt: an end, a person's decision, or when to try again? Pure.

Requirement 21.2. Whether a visit may be dialled at all is `allowed`.

    next_attempt  asked when an attempt is over
    breach_cause  asked when the deadline passes
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Final

from cti.errors import Refused
from cti.house import House
from cti.value import value
from cti.visits import times
from cti.visits.allowed import Allowed as Allowed
from cti.visits.allowed import Asked, consent, in_appointment, last_of
from cti.visits.allowed import Refusal as Refusal
from cti.visits.allowed import may_dial as may_dial
from cti.visits.allowed import may_take as may_take
from cti.visits.allowed import meant_for as meant_for
from cti.visits.allowed import nearest as nearest
from cti.visits.record import ENDED_BY, FREE_OF_CAPS, OPEN, Outcome, State, Try, Visit, Wishes
from cti.visits.times import Piece

SOON: Final = frozenset({Outcome.BUSY, Outcome.FAILED, Outcome.AGENT_NO_SHOW, Outcome.NOT_DIALLED})
"""After these a time that the customer named still stands."""
RELEASED: Final = frozenset({Outcome.AGENT_NO_SHOW, Outcome.ABANDONED, Outcome.SOLUTION_REFUSED})
"""After these whoever is there may take it."""
APPOINTMENT_AHEAD: Final = timedelta(days=366)
"""No customer names a time further away."""


@value
class Step:
    """What follows from an attempt.

    `state` is an end, `NEEDS_DECISION`, or None: it stays open and is tried again at `next_at`.
    The fields up to `explanations` replace those of the visit. `todo` are work items for
    people: `fallback`, `data_fix`, `do_not_call`, `supervisor`. `release`: whoever is there may
    take it, whosever it was.
    """

    state: State | None
    why: str
    next_at: datetime | None = None
    appointment_at: datetime | None = None
    avoid_agent: str | None = None
    avoid_daypart: str | None = None
    explanations: int = 0
    counts: bool = True
    todo: tuple[str, ...] = ()
    release: bool = False


# -- what follows from an attempt


def next_attempt(
    visit: Visit,
    outcome: Outcome,
    tries: Sequence[Try],
    wishes: Wishes,
    now: datetime,
    house: House,
    appointment: datetime | None = None,
) -> Step:
    """Say what follows from an attempt that ended as `outcome` (requirement 21.2.1 to 21.2.7).

    `tries` includes the attempt; if it is still open there, it counts as over now. The
    `appointment` is a time that the customer named; ask `check_appointment` before.
    """
    now = now.astimezone(UTC)
    tries = [_settled(one, visit, outcome, now) for one in tries]
    asked = Asked.of(visit, wishes, tries, house, "")
    ended = _ended_by(outcome) or _stopped(asked, outcome, now)
    return ended or _again(asked, outcome, now, appointment)


def check_appointment(
    visit: Visit,
    outcome: Outcome,
    at: datetime,
    tries: Sequence[Try],
    wishes: Wishes,
    now: datetime,
    house: House,
) -> None:
    """Refuse a time that a customer cannot have named, or that cannot be kept.

    `visit_time_past`, `visit_time_far`; after a refused solution `visit_same_daypart` (V8).
    """
    if at <= now:
        raise Refused("visit_time_past", "this time has passed")
    if at > now + APPOINTMENT_AHEAD:
        raise Refused("visit_time_far", "a time within a year")
    settled = [_settled(one, visit, outcome, now) for one in tries]
    asked = Asked.of(visit, wishes, settled, house, "")
    if times.daypart(asked.hours, at) in asked.avoided_dayparts():
        raise Refused("visit_same_daypart", "after a refused solution: in another part of the day")


_TODO: Final[Mapping[Outcome, tuple[str, ...]]] = {
    Outcome.REFUSED_CONTACT: ("do_not_call",),
    Outcome.WRONG_NUMBER: ("data_fix",),
    Outcome.CLOSED: ("data_fix",),
}


def _ended_by(outcome: Outcome) -> Step | None:
    """Ends to which an outcome leads by itself (21.2.1)."""
    counts = outcome not in FREE_OF_CAPS
    if outcome is Outcome.UNKNOWN:
        return Step(state=State.NEEDS_DECISION, why="unknown", counts=counts)
    state, todo = ENDED_BY.get(outcome), _TODO.get(outcome, ())
    if state is None:
        return None
    return Step(state=state, why=outcome.value, counts=counts, todo=todo)


def _stopped(asked: Asked, outcome: Outcome, now: datetime) -> Step | None:
    """Ends to which the attempts together lead: consent, explanations, failures, caps."""
    step = _step(asked, outcome)
    rules = asked.house.visits
    if code := consent(asked.visit.purpose, asked.wishes):
        return replace(step, state=State.REFUSED, why=code)
    if outcome is Outcome.SOLUTION_REFUSED and step.explanations > rules.retry.refused_max:
        decide = State.NEEDS_DECISION
        return replace(step, state=decide, why="explanations", todo=("supervisor",))
    if outcome is Outcome.FAILED and asked.failures(now) >= rules.retry.failed_per_day:
        return replace(step, state=State.NEEDS_DECISION, why="line_failures")
    if asked.used() >= rules.max_attempts:
        return _given_up(step, "max_attempts")
    return None


def _given_up(step: Step, why: str) -> Step:
    """Covered, not reached: somebody writes to the customer instead (21.2.7)."""
    return replace(step, state=State.UNREACHABLE, why=why, todo=("fallback",))


def _step(asked: Asked, outcome: Outcome) -> Step:
    """The step of a visit that stays open, without its next instant."""
    visit, retry, last = asked.visit, asked.house.visits.retry, last_of(asked.own)
    step = Step(
        state=None,
        why=outcome.value,
        avoid_agent=visit.avoid_agent,
        avoid_daypart=visit.avoid_daypart,
        explanations=sum(one.outcome is Outcome.SOLUTION_REFUSED for one in asked.own),
        counts=outcome not in FREE_OF_CAPS,
        release=outcome in RELEASED,
    )
    if outcome is not Outcome.SOLUTION_REFUSED or last is None:
        return step
    return replace(
        step,
        avoid_agent=last.agent if retry.refused_other_agent else None,
        avoid_daypart=last.daypart if retry.refused_other_daypart else None,
        todo=("supervisor",),
    )


def _again(asked: Asked, outcome: Outcome, now: datetime, appointment: datetime | None) -> Step:
    """Say when it is tried again, moved into the customer's allowed time."""
    step, visit = _step(asked, outcome), asked.visit
    if appointment is not None:
        return replace(step, why="appointment", next_at=appointment, appointment_at=appointment)
    wait = _wait(outcome, asked.house)
    named = visit.appointment_at if outcome in SOON else None
    if named is not None and not in_appointment(visit, max(now + wait, named), asked.house):
        named = None
    then = replace(
        visit,
        next_at=now + wait,
        appointment_at=named,
        avoid_agent=step.avoid_agent,
        avoid_daypart=step.avoid_daypart,
    )
    found = _found(replace(asked, visit=then), outcome, now)
    if found is None:
        never = times.opens_at(asked.hours, now) is None
        why = "no_call_times" if never else "no_daypart"
        return replace(step, state=State.NEEDS_DECISION, why=why)
    if found >= visit.give_up_at and named is None:
        if outcome is Outcome.SOLUTION_REFUSED:
            return replace(step, state=State.NEEDS_DECISION, why="given_up")
        return _given_up(step, "given_up")
    return replace(step, next_at=found, appointment_at=named)


def _wait(outcome: Outcome, house: House) -> timedelta:
    """How long the outcome asks to wait; the gap between attempts comes on top of it."""
    retry = house.visits.retry
    waits = {
        Outcome.BUSY: retry.busy_after,
        Outcome.FAILED: retry.failed_after,
        Outcome.SOLUTION_REFUSED: retry.refused_min_gap,
        Outcome.ABANDONED: house.visits.abandoned.rest,
    }
    return waits.get(outcome, timedelta())


def _found(asked: Asked, outcome: Outcome, now: datetime) -> datetime | None:
    """Give the next allowed instant that suits an outcome; before the deadline, if any is."""
    at, last = asked.visit.next_at, last_of(asked.own)
    fits = _fits(asked, outcome, now, last)
    found = asked.first(at, fits=fits)
    if outcome is Outcome.NO_ANSWER:
        found = _same_day(asked, found, now) or found
    limit = asked.visit.due_at if now < asked.visit.due_at else asked.visit.give_up_at
    if found is None or found >= limit:
        found = _hurried(asked, limit, outcome, last) or found
    return found or asked.first(at)


def _fits(
    asked: Asked, outcome: Outcome, now: datetime, last: Try | None
) -> Callable[[Piece], bool]:
    """Say in which pieces of his time an outcome is tried again (21.2.3)."""
    part = last.daypart if last is not None else times.daypart(asked.hours, now)
    today = times.day_of(asked.hours, last.began_at if last is not None else now)

    def other(piece: Piece) -> bool:
        return piece.daypart != part

    match outcome:
        case Outcome.REJECTED:
            return lambda piece: piece.day > today
        case Outcome.MACHINE | Outcome.APPOINTMENT:
            return other
        case Outcome.NO_ANSWER if asked.house.visits.retry.no_answer_other_daypart:
            return other
        case Outcome.BUSY if asked.beside(last) >= asked.house.visits.retry.busy_same_daypart:
            return lambda piece: (piece.day, piece.daypart) != (today, part)
        case _:
            return lambda _: True


def _same_day(asked: Asked, found: datetime | None, now: datetime) -> datetime | None:
    """Give an instant of the same day-part, where only that is left of the working day (CB-18)."""
    rules, zone = asked.house.visits, asked.house.zone
    if not rules.same_day_retry:
        return None
    end = datetime.combine(now.astimezone(zone), rules.end_of_day, zone)
    if found is not None and found < end:
        return None
    again = asked.first(asked.visit.next_at)
    return again if again is not None and again < end else None


def _hurried(asked: Asked, limit: datetime, outcome: Outcome, last: Try | None) -> datetime | None:
    """Give an instant before a limit: of a day-part that was not tried yet, else of any (21.2.5).

    Who rejected a call is left in peace at least for that part of his day.
    """
    tried = {asked.slot(one) for one in asked.own}
    spared = {asked.slot(last)} if outcome is Outcome.REJECTED and last is not None else set()
    left = [
        (instant, (piece.day, piece.daypart))
        for instant, piece in takewhile(
            lambda one: one[0] < limit, asked.allowed(asked.visit.next_at, lambda _: True)
        )
    ]
    fresh = [instant for instant, slot in left if slot not in tried]
    again = [instant for instant, slot in left if slot not in spared]
    return next(iter(fresh or again), None)


# -- as time goes by


_CAUSES: Final[Mapping[Outcome, str]] = {
    Outcome.FAILED: "line",
    Outcome.NOT_DIALLED: "line",
    Outcome.AGENT_NO_SHOW: "no_agent",
    Outcome.ABANDONED: "no_agent",
    Outcome.SOLUTION_REFUSED: "solution_refused",
}


def breach_cause(visit: Visit) -> str:
    """Say why a visit is not done when its deadline passes (requirement 21.2).

    `undecided`, `appointment` (the customer named a later time), `under_way` (he was being
    called, or the record was being written), `line`, `no_agent`, `solution_refused`,
    `not_reached`; never tried: `not_tried` by its owner, or `nobody`'s.
    What was planned too late has its cause from the plan (`record.PLANNED_LATE`).
    """
    if visit.state == State.NEEDS_DECISION:
        return "undecided"
    if visit.appointment_at is not None and visit.appointment_at >= visit.due_at:
        return "appointment"
    if visit.state in (State.IN_ATTEMPT, State.WRAP_UP):
        return "under_way"
    if visit.outcome is not None:
        return _CAUSES.get(visit.outcome, "not_reached")
    return "not_tried" if visit.owner else "nobody"


def cause_of_end(visit: Visit, tries: Sequence[Try]) -> str:
    """Say why a visit that ends now, after its deadline, was not done in time.

    `visit` as it stood before its end: an attempt that began in time was under way then.
    """
    last = last_of([one for one in tries if one.visit == visit.id])
    if last is not None and last.began_at >= visit.due_at:
        visit = replace(visit, state=OPEN)
    return breach_cause(visit)


def _settled(one: Try, visit: Visit, outcome: Outcome, now: datetime) -> Try:
    """Give an attempt of a visit as over."""
    if one.visit != visit.id or one.outcome is not None:
        return one
    counts = outcome not in FREE_OF_CAPS
    return replace(one, outcome=outcome, ended_at=one.ended_at or now, counts=counts)
