"""What is allowed in a house file, and should be known: said loudly, refused never. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import pairwise
from typing import Final

from cti.calendar import Span
from cti.house import LEAST_RINGS, WEEKDAYS, Amounts, Caution, House
from cti.house_file.keys import DAY, label, length, minute

FORBIDDEN: Final = ("CN-GD", "TW", "HK")
"""Where a rule that fines people is unlawful, or wages may hardly be touched (requirement 21.5)."""
DOUBTED: Final = "CN"
"""Where lawyers doubt that an employer may fine at all."""
NOON: Final = 12 * 60
NOTICE: Final = timedelta(days=45)
"""So long before a year begins its make-up days should have been announced."""


def cautions(house: House, today: date) -> tuple[Caution, ...]:
    """Give what the house's manager should know about these rules, as seen on a day."""
    return tuple(
        caution
        for found in (_waits(house, today), _money(house), _gaps(house))
        for caution in found
    ) + tuple(
        caution
        for found in (
            _uncovered(house),
            _ringing(house),
            _holidays(house, today),
            _deadlines(house, today),
            _dayparts(house),
            _questions(house),
            _mode(house),
        )
        for caution in found
    )


def _mode(house: House) -> Iterator[Caution]:
    """Warn that customers may pick up and meet nobody: the house must mean it."""
    if house.visits.mode == "customer_first":
        seconds = f"{house.visits.abandoned.within.total_seconds():g}"
        yield Caution(key="visits.mode", code="mode_customer_first", facts={"seconds": seconds})


def _waits(house: House, today: date) -> Iterator[Caution]:
    if house.effective_from and house.effective_from > today:
        yield Caution(key="effective_from", code="waits", facts={"day": house.effective_from})


def _money(house: House) -> Iterator[Caution]:
    """Warn of fines in money where the law forbids or doubts them."""
    place = house.card.jurisdiction
    if house.penalties.settlement != "bonus":
        return
    forbidden = place in FORBIDDEN or place.split("-")[0] in FORBIDDEN
    if forbidden or place.split("-")[0] == DOUBTED:
        code = "money_forbidden" if forbidden else "money_doubted"
        yield Caution(key="penalties.settlement", code=code, facts={"place": place})


def _gaps(house: House) -> Iterator[Caution]:
    rates: dict[str, tuple[Amounts, ...]] = {
        "penalties.missed_call.dated": house.penalties.missed_call.dated
    }
    for rule in house.penalties.rules.values():
        rates[f"penalties.rules.{rule.id}.dated"] = rule.dated
    one_day = timedelta(days=1)
    for key, dated in rates.items():
        for before, after in pairwise(dated):
            if before.until and after.since and before.until + one_day < after.since:
                facts = {"since": before.until + one_day, "until": after.since - one_day}
                yield Caution(key=key, code="gap", facts=facts)


def _uncovered(house: House) -> Iterator[Caution]:
    """Find opening hours that no shift type covers, alike days together."""
    shifts = [(one.start, one.end) for one in house.shifts.types.values()]
    covered = _minutes_of(shifts)
    days = defaultdict[tuple[int, int], list[str]](list)
    for day in WEEKDAYS:
        spans = house.hours.get(day, house.hours.get("default", ()))
        for start, end in spans:
            first = minute(start)
            missing = [
                at for at in range(first, first + length(start, end)) if at % DAY not in covered
            ]
            for hole in _holes(missing):
                days[hole].append(day)
    for (first, last), which in days.items():
        facts = {"start": label(first), "end": label(last), "days": tuple(which)}
        yield Caution(key="shifts.types", code="uncovered", facts=facts)


def _minutes_of(spans: list[Span]) -> frozenset[int]:
    return frozenset(
        at % DAY
        for start, end in spans
        for at in range(minute(start), minute(start) + length(start, end))
    )


def _holes(minutes: list[int]) -> Iterator[tuple[int, int]]:
    """Join minutes that follow each other: (first, the one after the last)."""
    if not minutes:
        return
    first = last = minutes[0]
    for at in minutes[1:]:
        if at != last + 1:
            yield first, last + 1
            first = at
        last = at
    yield first, last + 1


def _ringing(house: House) -> Iterator[Caution]:
    rings, cycle = house.dialing.ring_for // house.ring.cycle, house.ring.cycle
    if rings < LEAST_RINGS:
        seconds = f"{cycle.total_seconds():g}"
        facts = {"rings": rings, "seconds": seconds, "least": LEAST_RINGS}
        yield Caution(key="dialing.ring_for", code="few_rings", facts=facts)


def _holidays(house: House, today: date) -> Iterator[Caution]:
    """Warn where the country's holidays, or its make-up days of this year, are not known."""
    if not house.calendar.holidays:
        facts: Mapping[str, str] = {"country": house.card.country}
        yield Caution(key="house.holidays", code="no_holidays", facts=facts)
    elif house.card.country == "CN":
        known = {day.year for day in house.calendar.make_up_days}
        for year in sorted({today.year, (today + NOTICE).year} - known):
            yield Caution(key="house.holidays", code="no_make_up", facts={"year": year})


def _deadlines(house: House, today: date) -> Iterator[Caution]:
    """Find visits whose deadline no window can meet, always or on holidays."""
    last = max(_end(span) for span in house.call_times.windows)
    run = _longest_rest(house, today)
    for rule in house.visits.rules.values():
        key = f"visits.rules.{rule.id}"
        days = house.visits.deadline if rule.deadline is None else rule.deadline
        if rule.at is not None and minute(rule.at) >= last:
            facts: Mapping[str, object] = {"at": label(minute(rule.at)), "end": label(last)}
            yield Caution(key=f"{key}.at", code="at_never", facts=facts)
        if rule.event and days == rule.offset == 0 and house.visits.deadline_edge == "exact":
            yield Caution(key=f"{key}.deadline", code="deadline_at_once")
        if len(run) > days and "phone" in rule.channels:
            facts = {"since": run[0], "until": run[-1]}
            yield Caution(key=f"{key}.deadline", code="deadline_rest", facts=facts)


def _end(span: Span) -> int:
    return minute(span[0]) + length(*span)


def _longest_rest(house: House, today: date) -> list[date]:
    """Give the longest run of coming days on which nobody is called at all."""
    times = house.call_times
    afternoon = any(_end(span) > NOON for span in times.windows)
    if times.holiday_mode == "normal" or (times.holiday_mode == "afternoon_only" and afternoon):
        return []
    runs = list[list[date]]()
    for day in sorted(one for one in house.calendar.holidays if one >= today):
        if runs and runs[-1][-1] + timedelta(days=1) == day:
            runs[-1].append(day)
        else:
            runs.append([day])
    return max(runs, key=len, default=[])


def _dayparts(house: House) -> Iterator[Caution]:
    """Find callable time that belongs to no part of the day: nothing is ever tried then."""
    parts = _minutes_of(list(house.visits.dayparts.values()))
    for span in house.call_times.windows:
        missing = [at for at in range(minute(span[0]), _end(span)) if at not in parts]
        for first, last in _holes(missing):
            facts = {"start": label(first), "end": label(last)}
            yield Caution(key="visits.dayparts", code="no_daypart", facts=facts)


def _questions(house: House) -> Iterator[Caution]:
    """Find forms that ask more than a visit may last (CB-12)."""
    most = house.visits.max_questions
    for rule in house.visits.rules.values():
        form = house.forms.get(rule.form)
        asked = len(form.fields) - ("result" in {one.id for one in form.fields}) if form else 0
        if asked > most:
            facts = {"form": rule.form, "asked": asked, "most": most}
            yield Caution(key=f"visits.rules.{rule.id}.form", code="questions", facts=facts)
