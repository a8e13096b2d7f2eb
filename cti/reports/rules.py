"""How do counts of five minutes become a report's rows: hour, day, week, month, shift? Pure.

The house's zone decides what an hour and a day are. A call belongs to the shifts that the roster
has at its time; on a day without a roster to those of the house's hours. In an overlap it counts
in each.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from cti.calls.tally import Tally
from cti.duty.rules import Assignment
from cti.errors import Refused
from cti.house import ShiftType
from cti.value import value

LONGEST: Final = timedelta(days=366)
NO_SHIFT: Final = ""
"""The key of calls at a time that no shift covers, or of phones that nobody owns."""


class By(StrEnum):
    """What a report's rows are."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    HOUR = "hour"
    SHIFT = "shift"
    AGENT = "agent"
    REASON = "reason"


@value
class Period:
    """Days of the house, both included."""

    first: date
    last: date

    def instants(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Give the begin and the end (excluded), aware."""
        return (
            datetime.combine(self.first, time(), zone),
            datetime.combine(self.last + timedelta(days=1), time(), zone),
        )


@value
class Row:
    """One row: its key (`2026-11-22`, `2026-W47`, `2026-11`, `09`, a shift, a person, a reason)."""

    key: str
    calls: int = 0
    known: int = 0
    within: int = 0
    late: int = 0
    ring_ms: int = 0
    wait_ms: int = 0

    @property
    def rate(self) -> float | None:
        """The share within the standard, of the calls whose rings are known."""
        return self.within / self.known if self.known else None

    @property
    def ring(self) -> timedelta | None:
        """How long it rang, on average."""
        return timedelta(milliseconds=self.ring_ms / self.known) if self.known else None

    @property
    def wait(self) -> timedelta | None:
        """How long callers waited, on average."""
        return timedelta(milliseconds=self.wait_ms / self.calls) if self.calls else None


def period_of(first: str, last: str, today: date) -> Period:
    """Read the days of a report; empty: this month so far.

    Raises `Refused`: `report_day` (no such day), `report_range` (the wrong way round, too long).
    """
    period = Period(
        first=_day(first) if first else today.replace(day=1), last=_day(last) if last else today
    )
    if not timedelta() <= period.last - period.first < LONGEST:
        raise Refused("report_range", "the days are the wrong way round, or too many", n=366)
    return period


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if not 2000 <= day.year <= 2200:
        raise Refused("report_day", "no such day", day=text[:20])
    return day


def rows_of(
    tallies: Iterable[Tally],
    by: By,
    zone: ZoneInfo,
    shifts: Mapping[str, ShiftType],
    roster: Iterable[Assignment] = (),
) -> list[Row]:
    """Add counts up to the rows of a report, in the order of their keys."""
    keys = _keys_by(by, zone, shifts, _by_day(roster) if by is By.SHIFT else {})
    rows: dict[str, Row] = {}
    for tally in tallies:
        for key in keys(tally):
            rows[key] = _added(rows.get(key) or Row(key=key), tally)
    return [rows[key] for key in sorted(rows)]


def total_of(tallies: Iterable[Tally]) -> Row:
    """Add all counts up."""
    total = Row(key="")
    for tally in tallies:
        total = _added(total, tally)
    return total


def _added(row: Row, tally: Tally) -> Row:
    return replace(
        row,
        calls=row.calls + tally.calls,
        known=row.known + tally.known,
        within=row.within + tally.within,
        late=row.late + tally.late,
        ring_ms=row.ring_ms + tally.ring_ms,
        wait_ms=row.wait_ms + tally.wait_ms,
    )


def _by_day(roster: Iterable[Assignment]) -> dict[date, list[Assignment]]:
    days: dict[date, list[Assignment]] = {}
    for one in roster:
        days.setdefault(one.day, []).append(one)
    return days


def _keys_by(
    by: By,
    zone: ZoneInfo,
    shifts: Mapping[str, ShiftType],
    roster: Mapping[date, Sequence[Assignment]],
) -> Callable[[Tally], Iterable[str]]:
    def local(tally: Tally) -> datetime:
        assert tally.at is not None  # noqa: S101  counted by time
        return tally.at.astimezone(zone)

    match by:
        case By.DAY:
            return lambda tally: (f"{local(tally):%Y-%m-%d}",)
        case By.WEEK:
            return lambda tally: (f"{local(tally):%G-W%V}",)
        case By.MONTH:
            return lambda tally: (f"{local(tally):%Y-%m}",)
        case By.HOUR:
            return lambda tally: (f"{local(tally):%H}",)
        case By.SHIFT:
            return lambda tally: _shifts(local(tally), shifts, roster)
        case By.AGENT:
            return lambda tally: (tally.person or "",)
        case By.REASON:
            return lambda tally: (tally.reason or "",)


def _shifts(
    at: datetime, shifts: Mapping[str, ShiftType], roster: Mapping[date, Sequence[Assignment]]
) -> tuple[str, ...]:
    days = (at.date() - timedelta(days=1), at.date())  # a night shift is of the day before
    if days[1] not in roster:
        return shifts_at(at.time(), shifts)
    on = {one.shift for day in days for one in roster.get(day, ()) if one.starts <= at < one.ends}
    return tuple(sorted(on)) or (NO_SHIFT,)


def shifts_at(now: time, shifts: Mapping[str, ShiftType]) -> tuple[str, ...]:
    """Give the shifts whose hours cover a time of day; `NO_SHIFT` where none does."""
    found = tuple(
        shift.id
        for shift in shifts.values()
        if (
            shift.start <= now < shift.end
            if shift.start < shift.end
            else now >= shift.start or now < shift.end
        )
    )
    return found or (NO_SHIFT,)
