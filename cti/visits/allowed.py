"""May this visit be dialled now, and if not, when? Pure (requirement 21.2).

What wins, from above: do-not-call and consent; a time that the customer named; his rest; the
caps. A missed deadline is a breach with a cause; a call in rest time is a defect.

`tries` are all attempts of the visit, and those with its customer since the beginning of his
calendar week, whatever they were for. They are the only thing by which caps are counted.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

from cti.house import House
from cti.value import value
from cti.visits import times
from cti.visits.record import FREE_OF_CAPS, MERCHANT, Outcome, Try, Visit, Wishes
from cti.visits.times import Hours, Piece

NO_GAP_AFTER: Final = frozenset(
    {Outcome.BUSY, Outcome.FAILED, Outcome.AGENT_NO_SHOW, Outcome.NOT_DIALLED}
)
"""After these the customer need not be left in peace (requirement 21.2.6)."""


ONLY_DIALLING: Final = frozenset(
    {
        "do_not_call",
        "no_consent",
        "rest",
        "no_call_times",
        "avoid_daypart",
        "customer_day",
        "marketing_week",
        "gap",
        "abandoned",
        "line_failures",
    }
)
"""Refusals that are about calling the customer, and nothing else."""


@value
class Allowed:
    """It may be dialled. `reason` is kept with the attempt: `appointment` or `window`."""

    reason: str


@value
class Refusal:
    """It may not be dialled, and the earliest instant at which this reason is gone.

    None: time alone does not change it. Codes: `over`, `do_not_call`, `no_consent`, `not_yet`,
    `rest`, `no_call_times`, `being_called`, `max_attempts`, `customer_day`, `marketing_week`,
    `gap`, `abandoned`, `line_failures`, `avoid_agent`, `avoid_daypart`.
    """

    code: str
    until: datetime | None = None


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
    asked = Asked.of(visit, wishes, tries, house, agent, number)
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
    asked = Asked.of(visit, wishes, tries, house, agent, number)
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


def may_take(visit: Visit, said: Allowed | Refusal, now: datetime) -> bool:
    """Tell whether somebody may take a visit of which `may_dial` said something.

    Where a restaurant is asked first, that its guest must not be called now keeps nobody from it
    (CB-REST-02); before the guest himself is called it is asked again.
    """
    if isinstance(said, Allowed):
        return True
    asks = MERCHANT in visit.channels and visit.next_at <= now
    return asks and said.code in ONLY_DIALLING


def in_appointment(visit: Visit, at: datetime, house: House) -> bool:
    """Tell whether an instant is at the time that the customer named, give or take."""
    named, give = visit.appointment_at, house.visits.appointment_tolerance
    return named is not None and named - give <= at <= named + give


# -- how one question is answered


@value
class Asked:
    """Everything by which one question about a visit is answered."""

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
    ) -> "Asked":
        return Asked(
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
        if self._must_not():
            return Refusal(code="avoid_agent")
        if (last := last_of(self.own)) and last.outcome is Outcome.AGENT_NO_SHOW:
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
        rested = self._rested()
        if rested is not None and at < rested:
            return Refusal(code="abandoned", until=rested)
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

    def _rested(self) -> datetime | None:
        """Give when he may be called again who picked up and met nobody."""
        rest = self.house.visits.abandoned.rest
        ends = [_ended(one) + rest for one in self.tries if one.outcome is Outcome.ABANDONED]
        return max(ends, default=None)

    def _must_not(self) -> bool:
        """Whether the agent is he who gave the solution that was refused (V8)."""
        one, rules = self.refused, self.house.visits.retry
        avoided = {self.visit.avoid_agent}
        if one is not None and rules.refused_other_agent:
            avoided.add(one.agent)
        return bool(self.agent) and self.agent in avoided

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
        if self._forbidden() or self._must_not():
            return
        named = self.visit.appointment_at
        if named is not None and in_appointment(self.visit, max(at, named), self.house):
            soonest = max(at, named - self.house.visits.appointment_tolerance)
            if isinstance(self.judge(soonest), Allowed):
                day, part = times.day_of(self.hours, soonest), times.daypart(self.hours, soonest)
                yield soonest, Piece(began=soonest, ended=soonest, day=day, daypart=part)
        avoided = self.avoided_dayparts()
        for piece in times.pieces(self.hours, at):
            if piece.daypart in avoided or not fits(piece):
                continue
            if (instant := self._within(piece)) is not None:
                yield instant, piece

    def _within(self, piece: Piece) -> datetime | None:
        """Give the first allowed instant of a piece."""
        at: datetime | None = piece.began
        while at is not None and at < piece.ended and isinstance(said := self.judge(at), Refusal):
            at = said.until
        return at if at is not None and at < piece.ended else None


def _uses(one: Try) -> bool:
    """Whether an attempt uses the caps; what is still going on does."""
    return one.outcome is None or one.outcome not in FREE_OF_CAPS


def _ended(one: Try) -> datetime:
    return one.ended_at or one.began_at


def last_of(tries: Sequence[Try]) -> Try | None:
    """Give the attempt that began last; None: there was none."""
    return max(tries, key=lambda one: one.began_at, default=None)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _next_monday(day: date) -> date:
    return _monday(day) + timedelta(weeks=1)
