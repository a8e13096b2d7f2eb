"""Which visits does the house owe, from when, until when? Pure (requirements 6, 22.2, 23).

    events      so many days after what happened to a customer: `of_event`
    birthdays   each year, by the calendar of the customer: `birthdays_on`, `of_birthday`
    cycles      once per period for each of a population, on a day by his place: `turn_on`,
                `of_turn`; those without a service for so long: `days_without`, `of_lapse`

Days are those of the customer's clock. `origin` names what a visit is owed for: planned again, by
other rules or another clock, it is the same one. What forbids to call somebody is asked here once
(nothing is planned for nobody), and again before each attempt.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cti.calendar import Period
from cti.customers.events import Event
from cti.customers.rules import SPREAD, Customer
from cti.house import House
from cti.house_visits import Reminder, VisitRule
from cti.lunar import lunar_day
from cti.value import value
from cti.visits.allowed import consent
from cti.visits.record import MERCHANT, Kind, Owed, Wishes
from cti.visits.times import Hours, closes_at, hours_of, opens_at
from cti.wall import shown

SERVED: Final = ("service_done", "purchase")
"""Events by which a customer was with the house: since then he is without a service."""
AT_PHONE: Final = frozenset({"phone", "sms"})
"""Channels that a customer who must not be called rules out."""
_EPOCH: Final = date(2000, 1, 3)
"""Cycles of days are counted from this Monday."""
_DAY: Final = timedelta(days=1)
_FEBRUARY: Final = 2


@value
class Window:
    """From when, until when, and how long after that a visit is tried. Aware UTC."""

    from_at: datetime
    due_at: datetime
    give_up_at: datetime


@value
class Turn:
    """The day of a cycle: its period's first day, and whose turn it is, by place.

    Places from `low` to below `high`; who has an earlier one had his turn, a later one will.
    """

    began: date
    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminding:
    """Work for somebody else on a day: choose the gown five days before the session."""

    origin: str
    reminder: str
    customer: str
    event: str
    to: str
    day: date


def wishes_of(customer: Customer) -> Wishes:
    """Give what a customer wants, as the rules of calling read it."""
    return Wishes(
        do_not_call=customer.do_not_call,
        no=frozenset(name for name, yes in customer.consent.items() if not yes),
        yes=frozenset(name for name, yes in customer.consent.items() if yes),
        zone=customer.zone,
        hours=customer.hours,
        merchant=customer.merchant,
    )


def is_owed(rule: VisitRule, customer: Customer) -> bool:
    """Tell whether a customer may get such a visit: consent, or a channel that is no call."""
    why = consent(rule.purpose, wishes_of(customer))
    return not why or (why == "do_not_call" and not set(rule.channels) <= AT_PHONE)


class Windows:
    """The windows of a house's visits; the same question is answered once."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._known: dict[tuple[str, str, date, time | None], Window] = {}

    def of(self, rule: VisitRule, zone: str, day: date, at: time | None = None) -> Window:
        """Give the window of a visit whose event was on a day, at a time if that is known.

        It opens with the callable time of its first day, never before its event. The deadline is
        the end of that of its last day, or (`deadline_edge = "exact"`) the very time of the
        event, so many days later. Where nobody may be called on these days, the windows' own end
        stands: a deadline is missed then, and said to be.
        """
        key = rule.id, zone, day, at
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._window(rule, zone, day, at)
        return found

    def _window(self, rule: VisitRule, zone: str, day: date, at: time | None) -> Window:
        hours = hours_of(self._house, Wishes(zone=zone), rule.purpose, not_before=rule.at)
        rules = self._house.visits
        first = day + timedelta(days=rule.offset)
        days = rules.deadline if rule.deadline is None else rule.deadline
        last = first + timedelta(days=days)
        begins = _instant(first, time(), hours.zone)
        if at is not None and rule.offset == 0:
            begins = max(begins, _instant(day, at, hours.zone) + rule.after)
        if at is not None and rules.deadline_edge == "exact":
            due_at = _instant(last, at, hours.zone)
        else:
            due_at = self._end(hours, first, last)
        from_at = opens_at(hours, begins) or begins
        if MERCHANT in rule.channels and at is not None:
            # a restaurant expects it; when the guest himself may be called is asked then
            from_at = begins
            if due_at <= begins:
                due_at = _instant(begins.astimezone(hours.zone).date() + _DAY, time(), hours.zone)
        due_at = max(due_at, from_at)
        return Window(from_at=from_at, due_at=due_at, give_up_at=due_at + rules.give_up_after)

    def _end(self, hours: Hours, first: date, last: date) -> datetime:
        """Give the end of the last callable time from one day to another."""
        for back in range((last - first).days + 1):
            if (ends := closes_at(hours, last - back * _DAY)) is not None:
                return ends
        spans = self._house.call_times.windows
        shut = [until for span in spans for _since, until in shown(last, span, hours.zone)]
        return max(shut) if shut else _instant(last + _DAY, time(), hours.zone)


def _instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Give the first instant at which a zone's clock shows a time, or would have."""
    return datetime.combine(day, at, zone).astimezone(UTC)


# -- events


def of_event(house: House, event: Event, customer: Customer, windows: Windows) -> Iterator[Owed]:
    """Give the visits that are owed after an event; none after a cancelled one (V15)."""
    for rule in house.visits.rules.values():
        if rule.event == event.kind and not event.cancelled and is_owed(rule, customer):
            window = windows.of(rule, _zone(house, customer), event.day, event.time)
            yield _owed(
                house,
                rule,
                customer,
                window,
                origin=f"rule:{rule.id}:{event.id}",
                period=_month(window, _zone(house, customer)),
                event=event.id,
                department=event.department,
            )


def reminders_of(house: House, event: Event) -> Iterator[Reminding]:
    """Give the work for others that an event brings; none for a cancelled one."""
    for one in house.visits.reminders:
        if one.event == event.kind and not event.cancelled:
            yield _reminding(one, event)


def _reminding(one: Reminder, event: Event) -> Reminding:
    return Reminding(
        origin=f"reminder:{one.id}:{event.id}",
        reminder=one.id,
        customer=event.customer,
        event=event.id,
        to=one.to,
        day=event.day + timedelta(days=one.offset),
    )


# -- birthdays


def birthdays_on(day: date) -> Iterator[tuple[int, int, bool]]:
    """Give (month, day, lunar) of the birthdays that are celebrated on a day (V16).

    The 29th of February on the 28th of a common year; of a lunar month with 29 days, the last
    day stands for the 30th; a leap month has none of its own.
    """
    yield day.month, day.day, False
    if (day.month, day.day) == (_FEBRUARY, 28) and (day + _DAY).month != _FEBRUARY:
        yield _FEBRUARY, 29, False
    moon = lunar_day(day)
    if moon is not None and not moon.leap:
        yield moon.month, moon.day, True
        if moon.day == moon.last == 29:
            yield moon.month, 30, True


def of_birthday(house: House, customer: Customer, day: date, windows: Windows) -> Iterator[Owed]:
    """Give the visits that are owed for a birthday that is celebrated on a day."""
    born = customer.birthday
    if born is None or (born.lunar and not house.card.lunar):
        return
    moon = lunar_day(day) if born.lunar else None
    year = moon.year if moon else day.year
    for rule in house.visits.rules.values():
        if rule.event == "birthday" and is_owed(rule, customer):
            window = windows.of(rule, _zone(house, customer), day)
            yield _owed(
                house,
                rule,
                customer,
                window,
                origin=f"rule:{rule.id}:{customer.id}:{year}",
                period=_month(window, _zone(house, customer)),
            )


# -- cycles


def period_of(every: Period, day: date) -> tuple[date, date]:
    """Give the first day of the period in which a day lies, and the first day of the next."""
    if every.half_months:
        first = day.replace(day=16 if day.day >= 16 else 1)
        return first, first.replace(day=16) if first.day == 1 else _month_after(first, 1)
    if every.months:
        months = day.year * 12 + day.month - 1
        first = _first_of(months - months % every.months)
        return first, _month_after(first, every.months)
    began = _EPOCH + (day - _EPOCH).days // every.days * every.days * _DAY
    return began, began + every.days * _DAY


def turn_on(every: Period, day: date) -> Turn:
    """Give whose turn it is on a day of a cycle: everybody has one in each period."""
    began, ends = period_of(every, day)
    length, place = (ends - began).days, (day - began).days
    return Turn(
        began=began,
        low=-(-place * SPREAD // length),
        high=-(-(place + 1) * SPREAD // length),
    )


def of_turn(
    house: House,
    rule: VisitRule,
    customer: Customer,
    day: date,
    windows: Windows,
    *,
    began: date,
    department: str = "",
    owner: str | None = None,
) -> Owed | None:
    """Give the visit of a customer whose turn it is; None if he is not to be called."""
    if not is_owed(rule, customer):
        return None
    window = windows.of(rule, _zone(house, customer), day)
    about = f":{department}" if department else ""
    return _owed(
        house,
        rule,
        customer,
        window,
        origin=f"rule:{rule.id}:{customer.id}:{began}{about}"[:160],
        period=began.isoformat(),
        department=department,
        owner=owner,
    )


def days_without(rule: VisitRule, day: date, most: int) -> Sequence[date]:
    """Give the days of a last service from which such a rule falls due on a day.

    So many days without a service, and again with each period after that, `most` of them.
    """
    wait = timedelta(days=int(rule.population.partition(":")[2].removesuffix("d")))
    found = list[date]()
    for n in range(most):
        found.append(_back(rule.every, n, day) - wait)
    return found


def _back(every: Period | None, times: int, day: date) -> date:
    """Give the day so many periods before one."""
    if every is None or not times:
        return day
    if every.half_months:
        return day - timedelta(days=15 * times)
    if every.months:
        months = day.year * 12 + day.month - 1 - every.months * times
        first = _first_of(months)
        return min(first + timedelta(days=day.day - 1), _month_after(first, 1) - _DAY)
    return day - timedelta(days=every.days * times)


def _first_of(months: int) -> date:
    return date(months // 12, months % 12 + 1, 1)


def _month_after(first: date, months: int) -> date:
    return _first_of(first.year * 12 + first.month - 1 + months)


# -- pieces


def _owed(
    house: House,
    rule: VisitRule,
    customer: Customer,
    window: Window,
    *,
    origin: str,
    period: str,
    event: str | None = None,
    department: str = "",
    owner: str | None = None,
) -> Owed:
    return Owed(
        kind=Kind.VISIT,
        origin=origin,
        customer=customer.id,
        rule=rule.id,
        purpose=rule.purpose,
        period=period,
        from_at=window.from_at,
        due_at=window.due_at,
        give_up_at=window.give_up_at,
        zone=_zone(house, customer),
        event=event,
        department=department,
        form=rule.form,
        script=rule.script or house.visits.script,
        channels=rule.channels,
        by=rule.by,
        at=rule.at,
        owner=owner,
    )


def _zone(house: House, customer: Customer) -> str:
    return customer.zone or house.card.timezone


def _month(window: Window, zone: str) -> str:
    return f"{window.from_at.astimezone(ZoneInfo(zone)):%Y-%m}"
