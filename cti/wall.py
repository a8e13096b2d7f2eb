"""When does the wall clock of a place show a time between two? Pure.

An hour that a clock leaves out is shown never, one that it repeats is shown twice.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cti.calendar import Span

Stretch = tuple[datetime, datetime]
"""From, to (excluded); aware UTC."""

_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)


def shown(day: date, span: Span, zone: ZoneInfo) -> Iterator[Stretch]:
    """Give when a wall clock shows the times of a span that begins on a day: none, one or two."""
    begins, ends = _on(day, span)
    low = min(_utc(begins, zone, fold) for fold in (0, 1))
    high = max(_utc(ends, zone, fold) for fold in (0, 1))
    change = _change(low, high, zone)
    for since, until in ((low, change), (change, high)):
        offset = _offset(since, zone)
        began = max(since, begins.replace(tzinfo=UTC) - offset)
        ended = min(until, ends.replace(tzinfo=UTC) - offset)
        if began < ended:
            yield began, ended


def days_about(since: datetime, until: datetime, zone: ZoneInfo) -> list[date]:
    """Give the days whose spans may reach into a stretch of time, the one before included."""
    first, last = since.astimezone(zone).date(), until.astimezone(zone).date()
    return [first + timedelta(days=n) for n in range(-1, (last - first).days + 2)]


def both(some: Sequence[Stretch], others: Sequence[Stretch]) -> list[Stretch]:
    """Give what lies in both of two sets of stretches, in order."""
    found = ((max(a, c), min(b, d)) for a, b in some for c, d in others)
    return sorted((began, ended) for began, ended in found if began < ended)


def without(some: Iterable[Stretch], taken: Iterable[Stretch]) -> list[Stretch]:
    """Give what of some stretches is left when others are taken away."""
    left = list(some)
    for began, ended in taken:
        left = [
            piece
            for since, until in left
            for piece in ((since, min(until, began)), (max(since, ended), until))
            if piece[0] < piece[1]
        ]
    return left


def joined(some: Iterable[Stretch]) -> list[Stretch]:
    """Give stretches in order, of which none touches the next."""
    found = list[Stretch]()
    for began, ended in sorted(some):
        if found and began <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], ended))
        else:
            found.append((began, ended))
    return found


def _on(day: date, span: Span) -> Stretch:
    """Give a span of a day as times of the wall clock, without zone."""
    start, end = span
    ends = day + _DAY if end <= start else day
    return datetime.combine(day, start), datetime.combine(ends, end)


def _change(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """Give when the clock is set between two instants; the later one if it is not."""
    before = _offset(low, zone)
    if _offset(high, zone) == before:
        return high
    while high - low > _SECOND:
        middle = low + _SECOND * ((high - low) // _SECOND // 2)
        if _offset(middle, zone) == before:
            low = middle
        else:
            high = middle
    return high


def _utc(wall: datetime, zone: ZoneInfo, fold: int) -> datetime:
    return wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()
