"""How many effective visits has each agent made, and what is lacking? Counted in one way.

The plan proposes what a month lacks, agents see their own figures, supervisors all of them: so
each of them asks here (CB-22, CB-23, REPORT-10, X11).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Final, Protocol

from cti.customers.rules import Customer
from cti.duty.rules import Assignment, DutyState
from cti.house import House
from cti.people.rules import Directory, Person, Role
from cti.value import value
from cti.visits.quota import (
    Made,
    Shortfall,
    counted_on,
    is_counted,
    month_after,
    of_month,
    of_week,
    week_of,
)


class Effective(Protocol):
    """Which visits count (`cti.results.store.ResultStore.effective_ones`)."""

    async def __call__(
        self, since: datetime, until: datetime, *, agent: str = ""
    ) -> Sequence[tuple[str, str, datetime]]:
        """Give (agent, customer, when) of each effective visit of a time; of one agent, or all."""
        ...


class Customers(Protocol):
    """Whom we visit (`cti.customers.store.CustomerStore`)."""

    async def some(self, ids: Collection[str]) -> Mapping[str, Customer]:
        """Give some customers by our ids."""
        ...


_AWAY: Final = frozenset({DutyState.ABSENT, DutyState.EXCUSED})


class Roster(Protocol):
    """What is asked of the roster (`cti.duty.store.DutyStore`)."""

    async def roster(self, began: datetime, ended: datetime) -> Sequence[Assignment]:
        """Give the published assignments that touch a time."""
        ...


@value
class Proposed:
    """A line of the penalties for what somebody's month lacks, as it stands."""

    person: str
    incident: str
    state: str
    amount: Decimal | None
    unit: str


class Lines(Protocol):
    """What was proposed for a month."""

    async def __call__(self, month: date) -> Sequence[Proposed]:
        """Give the lines for what visits of a month lack."""
        ...


@value
class Standing:
    """One agent's month. `week` is that of today, None in other months than this one."""

    person: str
    week: int | None
    made: int
    lacking: int
    lines: tuple[Proposed, ...] = ()


@value
class Month:
    """A month as supervisors see it: `counted_on` is the day from which it is proposed."""

    month: date
    counted_on: date
    is_counted: bool
    """Whether that day has come."""
    fined: bool
    """Whether the house has a penalty for what is lacking."""
    people: tuple[Standing, ...]


class Reckoner:
    """Counts effective visits. `house` and `people` are asked anew each time."""

    def __init__(
        self,
        *,
        made: Effective,
        customers: Customers,
        roster: Roster,
        house: Callable[[], House],
        people: Callable[[], Directory],
        lines: Lines | None = None,
    ) -> None:
        self._made, self._customers, self._roster = made, customers, roster
        self._house, self._people, self._lines = house, people, lines

    async def month(self, month: date) -> list[Shortfall]:
        """Reckon a month, given by its first day, of each agent who was on duty in it."""
        house, after = self._house(), month_after(month)
        made = await self._counted(month, after)
        who = await self._worked(month, after)
        return of_month(made, month, house.visits.quota.per_month, who, house.zone)

    async def week(self, day: date) -> Mapping[str, int]:
        """Count the week of a day, Monday to Sunday, of everybody who made any."""
        monday, after = week_of(day)
        return of_week(await self._counted(monday, after), monday, self._house().zone)

    async def of(self, person: str, day: date) -> tuple[int, int]:
        """Count the week and the month of a day of one person."""
        (monday, ended), month = week_of(day), day.replace(day=1)
        after = month_after(month)
        zone = self._house().zone
        made = await self._counted(min(monday, month), max(ended, after), person)
        (found,) = of_month(made, month, 0, [person], zone)
        return of_week(made, monday, zone).get(person, 0), found.made

    async def board(self, month: date, today: date) -> Month:
        """Give a month of everybody, with what is proposed for it."""
        house, now = self._house(), today.replace(day=1)
        lines = await self._lines(month) if self._lines else ()
        week = await self.week(today) if month == now else None
        known = await self.month(month)
        gone = {one.person for one in lines} - {one.person for one in known}
        if gone:
            made = await self._counted(month, month_after(month))
            known += of_month(made, month, house.visits.quota.per_month, gone, house.zone)
        due = counted_on(month, house.visits.quota.count_on_day)
        return Month(
            month=month,
            counted_on=due,
            is_counted=due <= today,
            fined=_fines(house),
            people=tuple(
                Standing(
                    person=one.person,
                    week=None if week is None else week.get(one.person, 0),
                    made=one.made,
                    lacking=one.lacking,
                    lines=tuple(line for line in lines if line.person == one.person),
                )
                for one in known
            ),
        )

    async def _counted(self, since: date, until: date, agent: str = "") -> list[Made]:
        """Give what counts of some days, by the house's clock, to before another one."""
        house = self._house()
        began, ended = (datetime.combine(day, time(), house.zone) for day in (since, until))
        made = [
            Made(person=person, customer=customer, at=at)
            for person, customer, at in await self._made(began, ended, agent=agent)
        ]
        known = await self._customers.some({one.customer for one in made})
        population = house.visits.quota.population
        return [
            one
            for one in made
            if one.customer in known
            and is_counted(known[one.customer], population, one.at.astimezone(house.zone).date())
        ]

    async def _worked(self, since: date, until: date) -> list[str]:
        """Name the agents who were on duty; without a roster, all of them."""
        zone = self._house().zone
        began, ended = (datetime.combine(day, time(), zone) for day in (since, until))
        agents = [one.id for one in self._people().people.values() if is_agent(one)]
        roster = await self._roster.roster(began, ended)
        worked = {one.person for one in roster if one.state not in _AWAY}
        return [one for one in agents if one in worked] if roster else agents


def is_agent(person: Person) -> bool:
    """Tell whether somebody is one of whom visits are owed."""
    return person.active and person.role is Role.AGENT


def _fines(house: House) -> bool:
    triggers = {rule.trigger for rule in house.penalties.rules.values()}
    return "visit_quota" in triggers and house.penalties.settlement != "none"
