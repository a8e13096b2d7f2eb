"""May this visit be dialled now, and what follows from an attempt? Pure (requirement 21.2).

What wins, from above: do-not-call and consent; a time that the customer named; his rest; the
caps; the deadline. A missed deadline is a breach with a cause; a call in rest time is a defect.

    may_dial      asked at the claim and again right before dialling (V6)
    next_attempt  asked when an attempt is over: an end, a person's decision, or when to try again
    nearest       when it might be dialled at the earliest, for whoever is refused
    watched       asked as time goes by: whom to alert, and whether the deadline is breached

`tries` are all attempts of the visit, and those with its customer since the Monday before
last, whatever they were for. They are the only thing by which caps are counted.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from typing import Final

from cti.errors import Refused
from cti.house import House
from cti.value import value
from cti.visits import times
from cti.visits.record import (
    ENDED_BY,
    FREE_OF_CAPS,
    Outcome,
    State,
    Try,
    Visit,
    Wishes,
)
from cti.visits.times import Hours, Piece

ALERTS: Final = (50, 80)
"""At so many hundredths of its time owner and supervisor are told (requirement 21.2.5)."""
NO_GAP_AFTER: Final = frozenset(
    {Outcome.BUSY, Outcome.FAILED, Outcome.AGENT_NO_SHOW, Outcome.NOT_DIALLED}
)
"""After these the customer need not be left in peace (requirement 21.2.6)."""
AT_ONCE: Final = frozenset({Outcome.AGENT_NO_SHOW, Outcome.NOT_DIALLED})
SOON: Final = frozenset({Outcome.BUSY, Outcome.FAILED}) | AT_ONCE
"""After these a time that the customer named still stands."""
APPOINTMENT_AHEAD: Final = timedelta(days=366)
"""No customer names a time further away."""


@value
class Allowed:
    """It may be dialled. `reason` is kept with the attempt: `appointment` or `window`."""

    reason: str


@value
class Refusal:
    """It may not be dialled, and the earliest instant at which this reason is gone.

    None: time alone does not change it. Codes: `over`, `do_not_call`, `no_consent`, `not_yet`,
    `rest`, `no_call_times`, `being_called`, `max_attempts`, `customer_day`, `marketing_week`,
    `gap`, `line_failures`, `avoid_agent`, `avoid_daypart`.
    """

    code: str
    until: datetime | None = None


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


@value
class Watched:
    """How a visit stands against its deadline: what is new of it.

    `warned` is the highest of `ALERTS` that has passed, 0 before; `alert` whether that is news.
    """

    warned: int
    alert: bool
    breached: bool
    cause: str


# -- may it be dialled?


def may_dial(
    visit: Visit,
    wishes: Wishes,
    tries: Sequence[Try],
    now: datetime,
    agent: str,
    house: House,
    *,
    number: str = "",
) -> Allowed | Refusal:
    """Tell whether an agent may dial a visit now, and why; in the order of requirement 21.2.

    `number` empty: line failures are counted whatever number they met. The attempt that is
    asked for is not yet among `tries`.
    """
    asked = _Asked.of(visit, wishes, tries, house, agent, number)
    said = asked.judge(now.astimezone(UTC))
    if isinstance(said, Allowed) and any(one.ended_at is None for one in tries):
        return Refusal(code="being_called")
    return said


def nearest(
    visit: Visit,
    wishes: Wishes,
    tries: Sequence[Try],
    at: datetime,
    agent: str,
    house: House,
    *,
    number: str = "",
) -> datetime | None:
    """Give the first instant, `at` or later, at which an agent might dial it; None: never.

    Nothing that may yet happen is known of: whoever dials then is asked again.
    """
    asked = _Asked.of(visit, wishes, tries, house, agent, number)
    return asked.first(at.astimezone(UTC))


def consent(purpose: str, wishes: Wishes) -> str:
    """Name what forbids to call somebody for a purpose; empty: nothing (requirement 21.6).

    Service and care: unless he said no; marketing: only if he said yes.
    """
    if wishes.do_not_call:
        return "do_not_call"
    opted_in = purpose != "marketing" or purpose in wishes.yes
    return "" if opted_in and purpose not in wishes.no else "no_consent"


def meant_for(visit: Visit, agent: str, now: datetime, house: House) -> bool:
    """Tell whether an agent may take a visit by whose it is (requirement 21.2.2).

    An owner has it for himself until `any_agent_from_attempt`, and until an appointment is
    `owner_fallback` past.
    """
    if visit.owner in (None, agent):
        return True
    rules = house.visits
    late = visit.appointment_at is not None and visit.appointment_at + rules.owner_fallback <= now
    return late or visit.attempts + 1 >= rules.any_agent_from_attempt


def in_appointment(visit: Visit, at: datetime, house: House) -> bool:
    """Tell whether an instant is at the time that the customer named, give or take."""
    named, give = visit.appointment_at, house.visits.appointment_tolerance
    return named is not None and named - give <= at <= named + give


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
    asked = _Asked.of(visit, wishes, tries, house, "")
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
    asked = _Asked.of(visit, wishes, settled, house, "")
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


def _stopped(asked: "_Asked", outcome: Outcome, now: datetime) -> Step | None:
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


def _step(asked: "_Asked", outcome: Outcome) -> Step:
    """The step of a visit that stays open, without its next instant."""
    visit, retry, last = asked.visit, asked.house.visits.retry, _last(asked.own)
    step = Step(
        state=None,
        why=outcome.value,
        avoid_agent=visit.avoid_agent,
        avoid_daypart=visit.avoid_daypart,
        explanations=sum(one.outcome is Outcome.SOLUTION_REFUSED for one in asked.own),
        counts=outcome not in FREE_OF_CAPS,
        release=outcome in (Outcome.AGENT_NO_SHOW, Outcome.SOLUTION_REFUSED),
    )
    if outcome is not Outcome.SOLUTION_REFUSED or last is None:
        return step
    return replace(
        step,
        avoid_agent=last.agent if retry.refused_other_agent else None,
        avoid_daypart=last.daypart if retry.refused_other_daypart else None,
        todo=("supervisor",),
    )


def _again(asked: "_Asked", outcome: Outcome, now: datetime, appointment: datetime | None) -> Step:
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
    }
    return waits.get(outcome, timedelta())


def _found(asked: "_Asked", outcome: Outcome, now: datetime) -> datetime | None:
    """Give the next allowed instant that suits an outcome; before the deadline, if any is."""
    at, last = asked.visit.next_at, _last(asked.own)
    fits = _fits(asked, outcome, now, last)
    found = asked.first(at, fits=fits)
    if outcome is Outcome.NO_ANSWER:
        found = _same_day(asked, found, now) or found
    limit = asked.visit.due_at if now < asked.visit.due_at else asked.visit.give_up_at
    if found is None or found >= limit:
        found = _hurried(asked, limit, outcome, last) or found
    return found or asked.first(at)


def _fits(
    asked: "_Asked", outcome: Outcome, now: datetime, last: Try | None
) -> Callable[[Piece], bool]:
    """Say in which pieces of his time an outcome is tried again (21.2.3)."""
    part = last.daypart if last is not None else times.daypart(asked.hours, now)
    today = times.day_of(asked.hours, now)

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
            return other
        case _:
            return lambda _: True


def _same_day(asked: "_Asked", found: datetime | None, now: datetime) -> datetime | None:
    """Give an instant of the same day-part, where only that is left of the working day (CB-18)."""
    rules, zone = asked.house.visits, asked.house.zone
    if not rules.same_day_retry:
        return None
    end = datetime.combine(now.astimezone(zone), rules.end_of_day, zone)
    if found is not None and found < end:
        return None
    again = asked.first(asked.visit.next_at)
    return again if again is not None and again < end else None


def _hurried(
    asked: "_Asked", limit: datetime, outcome: Outcome, last: Try | None
) -> datetime | None:
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


def watched(
    visit: Visit, tries: Sequence[Try], wishes: Wishes, now: datetime, house: House
) -> Watched:
    """Say whether owner and supervisor must be told of a visit, and whether it is breached.

    At 50 % and at 80 % of its time they are told; a breach stays, and has one cause: `not_tried`,
    `not_reached`, `appointment`, `solution_refused`, `line`, `no_agent`, `undecided` or
    `no_call_times` (requirement 21.2.5).
    """
    whole = visit.due_at - visit.from_at
    passed = [share for share in ALERTS if now >= visit.from_at + whole * share / 100]
    warned = max(passed, default=0)
    breached = visit.breached or now >= visit.due_at
    cause = visit.breach_cause or (_cause(visit, tries, wishes, house) if breached else "")
    alert = warned > visit.warned or (breached and not visit.breached)
    return Watched(warned=warned, alert=alert, breached=breached, cause=cause)


_CAUSES: Final[Mapping[Outcome, str]] = {
    Outcome.FAILED: "line",
    Outcome.AGENT_NO_SHOW: "no_agent",
    Outcome.NOT_DIALLED: "line",
    Outcome.SOLUTION_REFUSED: "solution_refused",
}


def _cause(visit: Visit, tries: Sequence[Try], wishes: Wishes, house: House) -> str:
    if visit.state == State.NEEDS_DECISION:
        return "undecided"
    if visit.appointment_at is not None and visit.appointment_at >= visit.due_at:
        return "appointment"
    last = _last([one for one in tries if one.visit == visit.id and one.outcome is not None])
    if last is not None and last.outcome is not None:
        return _CAUSES.get(last.outcome, "not_reached")
    opens = times.opens_at(times.of_visit(visit, wishes, house), visit.from_at)
    return "no_call_times" if opens is None or opens >= visit.due_at else "not_tried"


# -- how one question is answered


@value
class _Asked:
    """Everything by which one question is answered."""

    visit: Visit
    wishes: Wishes
    tries: Sequence[Try]
    house: House
    hours: Hours
    agent: str
    number: str

    @staticmethod
    def of(
        visit: Visit,
        wishes: Wishes,
        tries: Sequence[Try],
        house: House,
        agent: str,
        number: str = "",
    ) -> "_Asked":
        return _Asked(
            visit=visit,
            wishes=wishes,
            tries=sorted(tries, key=lambda one: one.began_at),
            house=house,
            hours=times.of_visit(visit, wishes, house),
            agent=agent,
            number=number,
        )

    @property
    def own(self) -> list[Try]:
        """The attempts of this visit."""
        return [one for one in self.tries if one.visit == self.visit.id]

    @property
    def refused(self) -> Try | None:
        """The last attempt in which the customer refused the solution."""
        found = [one for one in self.own if one.outcome is Outcome.SOLUTION_REFUSED]
        return found[-1] if found else None

    # -- one instant

    def judge(self, at: datetime) -> Allowed | Refusal:
        """Judge an instant, with when each refusal ends."""
        return (
            self._forbidden()
            or self._whose(at)
            or (self._at_appointment(at) if in_appointment(self.visit, at, self.house) else None)
            or self._early(at)
            or self._rest(at)
            or self._caps(at)
            or Allowed(reason="window")
        )

    def _forbidden(self) -> Refusal | None:
        """What no time changes."""
        if self.visit.is_over:
            return Refusal(code="over")
        if code := consent(self.visit.purpose, self.wishes):
            return Refusal(code=code)
        if self.used() >= self.house.visits.max_attempts:
            return Refusal(code="max_attempts")
        return None

    def _whose(self, at: datetime) -> Refusal | None:
        """Not over a line that fails, nor by who should not."""
        if self.failures(at) >= self.house.visits.retry.failed_per_day:
            return Refusal(code="line_failures", until=self._tomorrow(at))
        if not self.agent:
            return None
        if self.agent in (self.visit.avoid_agent, self._refused_agent()):
            return Refusal(code="avoid_agent")
        if (last := _last(self.own)) and last.outcome is Outcome.AGENT_NO_SHOW:
            free = _ended(last) + self.house.visits.owner_fallback
            if last.agent == self.agent and at < free:
                return Refusal(code="avoid_agent", until=free)
        return None

    def _at_appointment(self, at: datetime) -> Allowed | Refusal:
        """The customer named this time: neither rest nor the caps of his day stand in its way."""
        again = self.visit.next_at
        if self.visit.appointment_at is not None and at < again > self.visit.appointment_at:
            return Refusal(code="not_yet", until=again)
        return self._avoided(at) or Allowed(reason="appointment")

    def _early(self, at: datetime) -> Refusal | None:
        opens = max(self.visit.from_at, self.visit.next_at)
        if (named := self.visit.appointment_at) is not None and at < named:
            opens = named - self.house.visits.appointment_tolerance
        return Refusal(code="not_yet", until=opens) if at < opens else None

    def _rest(self, at: datetime) -> Refusal | None:
        opens = times.opens_at(self.hours, at)
        if opens is None:
            return Refusal(code="no_call_times")
        return Refusal(code="rest", until=opens) if opens > at else self._avoided(at)

    def _avoided(self, at: datetime) -> Refusal | None:
        """Not in the day-part in which he refused the solution (V8)."""
        avoided = self.avoided_dayparts()
        if times.daypart(self.hours, at) not in avoided:
            return None
        later = (one.began for one in times.pieces(self.hours, at) if one.daypart not in avoided)
        return Refusal(code="avoid_daypart", until=next(later, None))

    def _caps(self, at: datetime) -> Refusal | None:
        rules, day = self.house.visits, times.day_of(self.hours, at)
        if self._on(day) >= rules.per_customer_day:
            return Refusal(code="customer_day", until=self._tomorrow(at))
        if self._marketing(day) >= rules.marketing_per_week:
            return Refusal(code="marketing_week", until=self._starts(_next_monday(day)))
        free = self._gap_ends()
        return Refusal(code="gap", until=free) if free is not None and at < free else None

    # -- figures

    def used(self) -> int:
        return sum(_uses(one) for one in self.own)

    def _on(self, day: date) -> int:
        """Count the attempts with him on a day of his, over all visits."""
        return sum(_uses(one) and self._day(one) == day for one in self.tries)

    def _marketing(self, day: date) -> int:
        if self.visit.purpose != "marketing":
            return -1
        monday, end = _monday(day), _next_monday(day)
        return sum(
            _uses(one) and one.purpose == "marketing" and monday <= self._day(one) < end
            for one in self.tries
        )

    def failures(self, at: datetime) -> int:
        day = times.day_of(self.hours, at)
        return sum(
            one.outcome is Outcome.FAILED
            and self._day(one) == day
            and self.number in ("", one.number)
            for one in self.own
        )

    def beside(self, last: Try | None) -> int:
        """Count the attempts of this visit in the day-part of one, itself included."""
        slot = None if last is None else self.slot(last)
        return sum(_uses(one) and self.slot(one) == slot for one in self.own)

    def slot(self, one: Try) -> tuple[date, str]:
        """Give the day and day-part of an attempt."""
        return self._day(one), one.daypart

    def _gap_ends(self) -> datetime | None:
        """Give when he has been left in peace for long enough."""
        gap = self.house.visits.min_gap
        ends = [_ended(one) + gap for one in self.tries if one.outcome not in NO_GAP_AFTER]
        return max(ends, default=None)

    def _refused_agent(self) -> str | None:
        one, rules = self.refused, self.house.visits.retry
        return one.agent if one is not None and rules.refused_other_agent else None

    def avoided_dayparts(self) -> frozenset[str]:
        """The day-parts in which he must not be called after he refused the solution."""
        one, rules = self.refused, self.house.visits.retry
        if not rules.refused_other_daypart:
            return frozenset()
        found = {self.visit.avoid_daypart, one.daypart if one is not None else None}
        return frozenset(name for name in found if name is not None)

    def _day(self, one: Try) -> date:
        return times.day_of(self.hours, one.began_at)

    def _tomorrow(self, at: datetime) -> datetime:
        return self._starts(times.day_of(self.hours, at) + timedelta(days=1))

    def _starts(self, day: date) -> datetime:
        """Give when a day of the customer begins."""
        return datetime(day.year, day.month, day.day, tzinfo=self.hours.zone).astimezone(UTC)

    # -- from an instant on

    def first(
        self, at: datetime, *, fits: Callable[[Piece], bool] = lambda _: True
    ) -> datetime | None:
        """Give the first instant, `at` or later, that is allowed and lies in a piece that fits."""
        return next((instant for instant, _ in self.allowed(at, fits)), None)

    def allowed(
        self, at: datetime, fits: Callable[[Piece], bool]
    ) -> Iterator[tuple[datetime, Piece]]:
        """Give the pieces of his time that are allowed, each with its first allowed instant.

        A time that he named comes first, in whatever piece.
        """
        if self._forbidden():
            return
        named = self.visit.appointment_at
        if named is not None and in_appointment(self.visit, max(at, named), self.house):
            instant = max(at, named - self.house.visits.appointment_tolerance)
            if isinstance(self.judge(instant), Allowed):
                day, part = times.day_of(self.hours, instant), times.daypart(self.hours, instant)
                yield instant, Piece(began=instant, ended=instant, day=day, daypart=part)
        for piece in times.pieces(self.hours, at):
            if fits(piece) and (first := self._within(piece)) is not None:
                yield first, piece

    def _within(self, piece: Piece) -> datetime | None:
        """Give the first allowed instant of a piece."""
        at: datetime | None = piece.began
        while at is not None and at < piece.ended:
            said = self.judge(at)
            if isinstance(said, Allowed):
                return at
            at = said.until
        return None


def _settled(one: Try, visit: Visit, outcome: Outcome, now: datetime) -> Try:
    """Give an attempt of a visit as over."""
    if one.visit != visit.id or one.outcome is not None:
        return one
    counts = outcome not in FREE_OF_CAPS
    return replace(one, outcome=outcome, ended_at=one.ended_at or now, counts=counts)


def _uses(one: Try) -> bool:
    """Whether an attempt uses the caps; what is still going on does."""
    return one.outcome is None or one.outcome not in FREE_OF_CAPS


def _ended(one: Try) -> datetime:
    return one.ended_at or one.began_at


def _last(tries: Sequence[Try]) -> Try | None:
    return max(tries, key=lambda one: one.began_at, default=None)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _next_monday(day: date) -> date:
    return _monday(day) + timedelta(weeks=1)
