"""When may this customer be called, and in which part of his day? Pure.

His callable time is what the house's windows and holidays leave (by his own clock), within the
hours that he prefers, less the quiet times of a restaurant (requirement 21.6, CUST-20). A time
that he named himself needs none of this: `attempts.may_dial`.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from cti.calendar import Span
from cti.callbacks.rules import windows_on
from cti.house import House, covers
from cti.value import value
from cti.visits.record import Visit, Wishes
from cti.wall import Stretch, both, days_about, joined, shown, without

SEATING: Final = frozenset({"booking"})
"""Events about which a restaurant may be asked in its quiet times too."""
LOOK_AHEAD: Final = timedelta(days=60)
"""Whoever cannot be called for so long is never called."""

_DAY: Final = timedelta(days=1)
_MIDNIGHT: Final = time()
_WHOLE_DAY: Final[Span] = (_MIDNIGHT, _MIDNIGHT)


@value
class Hours:
    """By what it is found when one customer may be called for one purpose.

    `preferred` empty: whenever the house allows. `greets`: the morning of a holiday too.
    """

    house: House
    zone: ZoneInfo
    preferred: tuple[Span, ...]
    quiet: tuple[Span, ...]
    greets: bool
    not_before: time | None


@value
class Piece:
    """A stretch of callable time in one day and one day-part of the customer."""

    began: datetime
    ended: datetime
    day: date
    daypart: str


def hours_of(
    house: House,
    wishes: Wishes,
    purpose: str,
    *,
    seating: bool = False,
    not_before: time | None = None,
) -> Hours:
    """Give the hours of a customer for a purpose: service, care or marketing.

    `seating`: about a guest of his house, which he expects in his quiet times too.
    """
    exempt = not wishes.merchant or (seating and purpose == "service")
    return Hours(
        house=house,
        zone=ZoneInfo(wishes.zone) if wishes.zone else house.zone,
        preferred=wishes.hours,
        quiet=() if exempt else house.visits.merchant_quiet,
        greets=purpose == "care",
        not_before=not_before,
    )


def of_visit(visit: Visit, wishes: Wishes, house: House) -> Hours:
    """Give the hours of a customer for a visit that we owe him."""
    rule = house.visits.rules.get(visit.rule)
    seating = rule is not None and rule.event in SEATING
    return hours_of(house, wishes, visit.purpose, seating=seating, not_before=visit.at)


# -- callable time


def is_callable(hours: Hours, at: datetime) -> bool:
    """Tell whether he may be called at an instant (CB-01)."""
    instant = at.astimezone(UTC)
    return any(began <= instant for began, _ in _between(hours, instant, instant + _DAY))


def opens_at(hours: Hours, at: datetime) -> datetime | None:
    """Give the first instant, `at` or later, at which he may be called; None: never."""
    return next((began for began, _ in stretches(hours, at)), None)


def closes_at(hours: Hours, day: date) -> datetime | None:
    """Give when his callable time of a day ends for good; None: he may not be called that day."""
    since = datetime.combine(day, _MIDNIGHT, hours.zone).astimezone(UTC)
    ends = [
        ended
        for began, ended in _between(hours, since, since + 2 * _DAY)
        if began.astimezone(hours.zone).date() == day
    ]
    return max(ends, default=None)


def stretches(hours: Hours, since: datetime) -> Iterator[Stretch]:
    """Give when he may be called, from an instant on, in order; aware UTC."""
    since = since.astimezone(UTC)
    end = since + LOOK_AHEAD
    while since < end:
        yield from _between(hours, since, since + _DAY)
        since += _DAY


def pieces(hours: Hours, since: datetime) -> Iterator[Piece]:
    """Give his callable time from an instant on, cut where the day or the day-part changes."""
    parts = (*hours.house.visits.dayparts.values(), _WHOLE_DAY)
    for began, ended in stretches(hours, since):
        days = days_about(began, ended, hours.zone)
        edges = {edge for one in _shown(days, parts, hours.zone) for edge in one}
        cuts = [began, *sorted(edge for edge in edges if began < edge < ended), ended]
        for start, stop in pairwise(cuts):
            yield Piece(
                began=start,
                ended=stop,
                day=day_of(hours, start),
                daypart=daypart(hours, start),
            )


def _between(hours: Hours, since: datetime, until: datetime) -> list[Stretch]:
    days = days_about(since, until, hours.zone)
    found = both(
        [(since, until)],
        [piece for day in days for piece in _shown([day], _windows(hours, day), hours.zone)],
    )
    if hours.preferred:
        found = both(found, list(_shown(days, hours.preferred, hours.zone)))
    if hours.not_before is not None:
        later = (hours.not_before, _MIDNIGHT)
        found = both(found, list(_shown(days, (later,), hours.zone)))
    return joined(without(found, _shown(days, hours.quiet, hours.zone)))


def _windows(hours: Hours, day: date) -> tuple[Span, ...]:
    """Give the house's windows; greetings are welcome in the morning of a holiday too."""
    times = hours.house.call_times
    if hours.greets and times.holiday_mode == "afternoon_only":
        return times.windows
    return windows_on(hours.house, day)


def _shown(days: Iterable[date], spans: Iterable[Span], zone: ZoneInfo) -> Iterator[Stretch]:
    spans = tuple(spans)
    return (one for day in days for span in spans for one in shown(day, span, zone))


# -- day-parts


def day_of(hours: Hours, at: datetime) -> date:
    """Give the day by the customer's clock."""
    return at.astimezone(hours.zone).date()


def daypart(hours: Hours, at: datetime) -> str:
    """Name the part of the customer's day, as `weekday:morning`; empty: in none.

    Days that are not worked are weekend, holidays too (requirement 21.2).
    """
    local = at.astimezone(hours.zone)
    for day in (local.date(), local.date() - _DAY):
        for name, span in hours.house.visits.dayparts.items():
            if covers(span, local.time(), next_day=day != local.date()):
                working = hours.house.calendar.is_working_day(day)
                return f"{'weekday' if working else 'weekend'}:{name}"
    return ""
