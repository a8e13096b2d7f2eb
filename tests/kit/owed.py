"""Return visits to ask about: one customer of one house, and what was tried with him so far."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from cti.calendar import Calendar
from cti.house import House, HouseCard
from cti.house_visits import VisitRules
from cti.visits import times
from cti.visits.attempts import Refusal, Step, may_dial, next_attempt
from cti.visits.record import FREE_OF_CAPS, Kind, Outcome, State, Try, Visit, Wishes

SHANGHAI = "Asia/Shanghai"
STUDIO = VisitRules(same_day_retry=True)
"""What differs in the studio, as far as attempts go."""


def at(text: str, zone: str = SHANGHAI) -> datetime:
    """An instant, by the wall clock of a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def house(visits: VisitRules | None = None, zone: str = SHANGHAI, *holidays: str) -> House:
    """A house somewhere, with the reference windows."""
    named = {date.fromisoformat(day): "Holiday" for day in holidays}
    return House(
        card=HouseCard(timezone=zone),
        visits=visits or VisitRules(),
        calendar=Calendar(holidays=named),
    )


def visit(**more: Any) -> Visit:
    """A visit of the reference house, for the week from Monday, 3 March 2025."""
    given = {
        "id": "v1",
        "kind": Kind.VISIT,
        "origin": "rule:after_service:e1",
        "customer": "wang",
        "rule": "after_service",
        "purpose": "service",
        "period": "2025-03",
        "event": None,
        "campaign": None,
        "department": "",
        "form": "satisfaction",
        "script": "",
        "channels": ("phone",),
        "by": "",
        "at": None,
        "state": State.DUE,
        "from_at": at("2025-03-03T09:00"),
        "due_at": at("2025-03-06T21:00"),
        "give_up_at": at("2025-03-13T21:00"),
        "next_at": at("2025-03-03T09:00"),
        "appointment_at": None,
        "owner": None,
        "held_by": None,
        "lease_until": None,
        "dial_at": None,
        "epoch": 0,
        "attempts": 0,
        "explanations": 0,
        "avoid_agent": None,
        "avoid_daypart": None,
        "look_at": at("2025-03-05T03:00"),
        "warned": 0,
        "breached": False,
        "breach_cause": "",
        "fallback_sent": False,
        "outcome": None,
        "note": "",
        "zone": SHANGHAI,
        "policy": "p1",
        "merged_into": None,
        "ended_by": None,
        "ended_at": None,
        "opened_at": at("2025-03-03T08:00"),
    } | more
    return Visit(**given)


class Told:
    """What happens to one visit: each attempt in turn, and what follows from it."""

    def __init__(
        self, rules: House | None = None, owed: Visit | None = None, wishes: Wishes | None = None
    ) -> None:
        self.house, self.visit = rules or house(), owed or visit()
        self.wishes, self.tries = wishes or Wishes(), list[Try]()
        self.step = Step(state=None, why="", next_at=self.visit.next_at)

    def tried(
        self,
        when: str | datetime,
        outcome: Outcome,
        agent: str = "may",
        *,
        appointment: str | datetime | None = None,
        number: str = "13800138000",
    ) -> "Told":
        """An attempt that began and ended at an instant."""
        now = at(when) if isinstance(when, str) else when
        named = at(appointment) if isinstance(appointment, str) else appointment
        self.tries.append(self._try(now, outcome, agent, number))
        self.step = next_attempt(
            self.visit, outcome, self.tries, self.wishes, now, self.house, named
        )
        self.visit = replace(
            self.visit,
            next_at=self.step.next_at or self.visit.next_at,
            appointment_at=self.step.appointment_at,
            avoid_agent=self.step.avoid_agent,
            avoid_daypart=self.step.avoid_daypart,
            explanations=self.step.explanations,
            outcome=outcome,
            state=self.step.state or self.visit.state,
            attempts=self.visit.attempts + self.step.counts,
            ended_at=now if self.over else None,
        )
        return self

    def asked(self, when: str | datetime, agent: str = "may") -> str:
        """Whether an agent may dial now: the reason, or the code of the refusal."""
        now = at(when) if isinstance(when, str) else when
        said = may_dial(self.visit, self.wishes, self.tries, now, agent, self.house)
        return said.code if isinstance(said, Refusal) else said.reason

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.step.state is not None

    @property
    def then(self) -> str:
        """When it is tried again by the customer's clock; else what it came to, and why."""
        if self.step.state is not None:
            return f"{self.step.state} ({self.step.why})"
        assert self.step.next_at is not None
        zone = times.of_visit(self.visit, self.wishes, self.house).zone
        return f"{self.step.next_at.astimezone(zone):%a %m-%d %H:%M}"

    def _try(self, now: datetime, outcome: Outcome, agent: str, number: str) -> Try:
        return Try(
            id=f"a{len(self.tries)}",
            visit=self.visit.id,
            customer=self.visit.customer,
            number=number,
            agent=agent,
            purpose=self.visit.purpose,
            daypart=times.daypart(times.of_visit(self.visit, self.wishes, self.house), now),
            allowed="window",
            began_at=now,
            ended_at=now,
            outcome=outcome,
            counts=outcome not in FREE_OF_CAPS,
            call=None,
        )
