"""How many of what was owed was made: coverage by rule and period, and each agent's quota. Pure.

coverage   covered + open + cancelled + merged = due (V10); only `done` is reached
quota      distinct members per week, 20 a week and 80 a month (CB-22, CB-23, X11)
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from cti.customers.rules import Customer
from cti.value import value
from cti.visits.record import COVERED, State

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What became of the visits of one rule in one period; breaches are counted besides."""

    rule: str
    period: str
    reached: int = 0
    covered: int = 0
    open: int = 0
    cancelled: int = 0
    merged: int = 0
    breached: int = 0

    @property
    def due(self) -> int:
        """All that was owed."""
        return self.covered + self.open + self.cancelled + self.merged

    @property
    def rate(self) -> Decimal | None:
        """The part that is covered, of what was neither cancelled nor merged; None: nothing."""
        return _part(self.covered, self.covered + self.open)

    @property
    def reached_rate(self) -> Decimal | None:
        """The part that was reached."""
        return _part(self.reached, self.covered + self.open)


def _part(some: int, of: int) -> Decimal | None:
    return (Decimal(some) / of).quantize(Decimal("0.0001")) if of else None


def coverage(
    counts: Iterable[tuple[str, str, str, bool, int]],
) -> dict[tuple[str, str], Coverage]:
    """Fold (rule, period, state, breached, how many) into one coverage for each rule and period."""
    found = dict[tuple[str, str], dict[str, int]]()
    for rule, period, state, breached, n in counts:
        sums = found.setdefault((rule, period), {})
        kinds = ["open"]
        if state in COVERED:
            kinds = ["covered", *(["reached"] if state == State.DONE else [])]
        elif state in (State.CANCELLED, State.MERGED):
            kinds = [str(state)]
        for kind in (*kinds, *(["breached"] if breached else [])):
            sums[kind] = sums.get(kind, 0) + n
    return {
        key: Coverage(rule=key[0], period=key[1], **sums) for key, sums in sorted(found.items())
    }


@value
class Made:
    """A visit that somebody made: with whom, and when."""

    person: str
    customer: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """What somebody made in a month, and what is lacking."""

    person: str
    month: date
    made: int
    target: int

    @property
    def lacking(self) -> int:
        """How many are lacking."""
        return max(self.target - self.made, 0)


def is_old_member(customer: Customer, at: date) -> bool:
    """Tell whether somebody was a member before the month of a day; since when unknown: he was."""
    since = customer.member_since
    return customer.is_member and (since is None or since < at.replace(day=1))


def per_week(made: Iterable[Made], zone: ZoneInfo) -> dict[tuple[str, date], set[str]]:
    """Give the distinct customers of each (person, Monday of the week): each counts once."""
    found = dict[tuple[str, date], set[str]]()
    for one in made:
        day = one.at.astimezone(zone).date()
        monday = day - timedelta(days=day.weekday())
        found.setdefault((one.person, monday), set()).add(one.customer)
    return found


def of_month(
    made: Iterable[Made], month: date, target: int, people: Iterable[str], zone: ZoneInfo
) -> list[Shortfall]:
    """Reckon a month (its first day) of some people: always against its target (X11).

    Within a week a customer counts once; a week that goes over the end of the month is cut
    there, so that each visit belongs to the month of its day.
    """
    after = month_after(month)
    mine = [one for one in made if month <= one.at.astimezone(zone).date() < after]
    counts: Mapping[tuple[str, date], set[str]] = per_week(mine, zone)
    return [
        Shortfall(
            person=person,
            month=month,
            made=sum(len(some) for (who, _week), some in counts.items() if who == person),
            target=target,
        )
        for person in sorted(people)
    ]


def of_week(made: Iterable[Made], monday: date, zone: ZoneInfo) -> dict[str, int]:
    """Count one calendar week, Monday to Sunday, of everybody who made any (CB-22, X11)."""
    return {
        person: len(some) for (person, week), some in per_week(made, zone).items() if week == monday
    }


def is_counted(customer: Customer, population: str, at: date) -> bool:
    """Tell whether a visit to somebody on a day counts: `members`, or `old_members`.

    Of who was erased since nobody knows it: then it counts, and no agent is held to account.
    """
    if not customer.name:
        return True
    return customer.is_member if population == "members" else is_old_member(customer, at)


def week_of(day: date) -> tuple[date, date]:
    """Give the Monday of a day's week, and the next one."""
    monday = day - day.weekday() * _DAY
    return monday, monday + 7 * _DAY


def month_after(month: date) -> date:
    """Give the first day of the month after that of a day."""
    return (month.replace(day=1) + 31 * _DAY).replace(day=1)


def counted_on(month: date, day: int) -> date:
    """Give the day on which a month is counted: one of the next month (CB-23)."""
    return month_after(month).replace(day=day)


def month_before(day: date) -> date:
    """Give the first day of the month before that of a day."""
    return (day.replace(day=1) - _DAY).replace(day=1)
