"""What does a week's plan lack, and what would next week be? Pure: roster and house rules in.

A gap is a row of its own, found before the plan is published (SHIFT-01, V12).
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import groupby
from zoneinfo import ZoneInfo

from cti.calendar import Span
from cti.duty.rules import Assignment, serves
from cti.errors import Refused
from cti.house import WEEKDAYS, House, ShiftType
from cti.value import value

DAYS = 7
Times = tuple[datetime, datetime]


class Lack(StrEnum):
    """What a plan lacks."""

    STAFF = "staff"
    SUPERVISOR = "supervisor"
    RELIEF = "relief"


@value
class Gap:
    """A time in which the plan lacks something. `staff` agents are planned of `wanted`."""

    lack: Lack
    department: str
    began: datetime
    ended: datetime
    staff: int = 0
    wanted: int = 0
    shift: str = ""


@value
class Slot:
    """A place in a plan: who, when, which shift."""

    person: str
    day: date
    shift: str


def monday(day: date) -> date:
    """Give the first day of a day's week."""
    return day - timedelta(days=day.weekday())


def week_days(week: date) -> list[date]:
    """Give the days of a week."""
    return [week + timedelta(days=n) for n in range(DAYS)]


def times(day: date, span: Span, zone: ZoneInfo) -> Times:
    """Give a span of house time as instants; an end not later than the start is the next day.

    A time that the clock skips in spring, or shows twice in autumn, is its first reading.
    """
    start, end = span
    last = day if end > start else day + timedelta(days=1)
    return _instant(day, start, zone), _instant(last, end, zone)


def shift_times(kind: ShiftType, day: date, zone: ZoneInfo) -> Times:
    """Give when a shift of a day begins and ends."""
    return times(day, (kind.start, kind.end), zone)


def shift_type(house: House, shift: str) -> ShiftType:
    """Find a shift type. Raises `Refused` (duty_bad_input)."""
    if (found := house.shifts.types.get(shift)) is None:
        raise Refused("duty_bad_input", f"there is no shift {shift[:40]!r}")
    return found


def opening(house: House, day: date) -> list[Times]:
    """Give the hours of a day in which the hotline is open; no hours: the whole day."""
    if not house.hours:
        return [times(day, (time(), time()), house.zone)]
    spans = house.hours.get(WEEKDAYS[day.weekday()], house.hours.get("default", ()))
    return [times(day, span, house.zone) for span in spans]


def departments(house: House) -> list[str]:
    """Give the departments that serve the hotline; one without a name stands for all."""
    return sorted({name for name in house.inbound.departments.values() if name}) or [""]


def gaps(
    roster: Sequence[Assignment],
    week: date,
    house: House,
    *,
    own_supervisor: bool = False,
) -> list[Gap]:
    """Find what the plan of a week lacks, drafts included and dropped shifts left out.

    Too few agents at any time of the opening hours, days without a supervisor (unless the one
    agent is his own), and shifts that nobody relieves although their type says who should.
    """
    planned = [one for one in roster if one.removed_at is None and not one.dropping]
    planned = [one for one in planned if one.excused_from is None]
    found = list[Gap]()
    for department in departments(house):
        here = [one for one in planned if serves(one, department)]
        for day in week_days(week):
            hours = opening(house, day)
            for span in hours:
                found += _staff_gaps(here, department, span, house.shifts.min_staff)
            if hours and not own_supervisor:
                found += _without_supervisor(here, department, hours)
    if house.shifts.stay_until_relieved:
        found += _without_relief(planned, week)
    return sorted(found, key=lambda gap: (gap.began, gap.lack, gap.department))


def _staff_gaps(
    roster: Iterable[Assignment], department: str, span: Times, wanted: int
) -> Iterator[Gap]:
    agents = [one for one in roster if not one.supervises]
    for began, ended, staff in _counted(agents, span):
        if staff < wanted:
            yield Gap(
                lack=Lack.STAFF,
                department=department,
                began=began,
                ended=ended,
                staff=staff,
                wanted=wanted,
            )


def _counted(agents: Sequence[Assignment], span: Times) -> Iterator[tuple[datetime, datetime, int]]:
    """Cut a span where the number of planned agents changes."""
    began, ended = span
    edges = {edge for one in agents for edge in (one.starts, one.ends) if began < edge < ended}
    counts = {
        at: len({one.person for one in agents if one.starts <= at < one.ends})
        for at in (began, *sorted(edges))
    }
    for staff, run in groupby(counts, key=counts.__getitem__):
        first = next(run)
        yield (
            first,
            min((at for at in counts if at > first and counts[at] != staff), default=ended),
            staff,
        )


def _without_supervisor(
    roster: Iterable[Assignment], department: str, hours: Sequence[Times]
) -> Iterator[Gap]:
    began, ended = hours[0][0], max(end for _, end in hours)
    there = (one for one in roster if one.supervises and one.starts < ended and began < one.ends)
    if not any(there):
        yield Gap(lack=Lack.SUPERVISOR, department=department, began=began, ended=ended, wanted=1)


def _without_relief(roster: Sequence[Assignment], week: date) -> Iterator[Gap]:
    """Look once at each shift of each day: all of its people end at the same time."""
    agents = [one for one in roster if not one.supervises]
    shifts = {(one.day, one.shift, one.department): one for one in agents if one.relieved_by}
    for one in shifts.values():
        reliefs = (
            other
            for other in agents
            if other.shift == one.relieved_by and other.starts <= one.ends < other.ends
            if serves(other, one.department)
        )
        if monday(one.day) == week and not any(reliefs):
            yield Gap(
                lack=Lack.RELIEF,
                department=one.department,
                began=one.ends,
                ended=one.ends,
                wanted=1,
                shift=one.shift,
            )


def copied(
    last_week: Iterable[Assignment],
    this_week: Sequence[Assignment],
    house: House,
    people: Collection[str],
) -> list[Slot]:
    """Give the slots of last week's plan a week later, as far as they are free.

    Swaps were for once: who was planned first is planned again. Who has left, a shift type that
    is gone, and whoever has a shift at that time already are left out.
    """
    slots = list[Slot]()
    for one in sorted(last_week, key=lambda each: (each.starts, each.id)):
        planned = one.source == "plan" and not one.dropping
        stood = one.removed_at is None or one.swap
        if not (planned and stood and one.person in people and one.shift in house.shifts.types):
            continue
        slot = Slot(person=one.person, day=one.day + timedelta(days=DAYS), shift=one.shift)
        starts, ends = shift_times(house.shifts.types[slot.shift], slot.day, house.zone)
        if slot not in slots and not overlapping(this_week, slot.person, starts, ends):
            slots.append(slot)
    return slots


def overlapping(
    roster: Iterable[Assignment],
    person: str,
    starts: datetime,
    ends: datetime,
    *,
    but: Collection[str] = (),
) -> bool:
    """Tell whether somebody has a shift at that time already, some left out of account."""
    return any(
        one.person == person and one.starts < ends and starts < one.ends
        for one in roster
        if one.removed_at is None and not one.dropping and one.id not in but
    )


def _instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)
