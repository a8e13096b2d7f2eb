"""Which days are holidays here? Those of the country, changed by the house's own list.

The country's come from the package `holidays`; make-up work days too, once they are announced.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Final

from cti.calendar import Calendar
from cti.house import HouseCard
from cti.house_file.keys import ENTRIES, Reading, show

KEY: Final = "house.holidays.file"
KINDS: Final = ("holiday", "work")
"""Kinds of own days: a holiday, and a day that is worked whatever the country says."""
HEADING: Final = ["date", "name", "kind"]
_LANGUAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "zh-Hans": ("zh_CN", "zh_TW", "zh_HK", "zh_MO", "en_US"),
    "zh-Hant": ("zh_TW", "zh_HK", "zh_MO", "zh_CN", "en_US"),
    "en": ("en_US", "en_HK", "en_MO", "en_SG"),
}
"""Names of holidays by the house's language: the first that the country has."""


@dataclass(slots=True)
class OwnDays:
    """The house's own list, read: holidays by day, and days that are worked."""

    holidays: dict[date, str] = field(default_factory=dict)
    worked: set[date] = field(default_factory=set)


def calendar(card: HouseCard, own: OwnDays, today: date) -> Calendar:
    """Give the days from last year to the year after next, as seen on a day."""
    years = tuple(range(today.year - 1, today.year + 3))
    known, make_up = of_country(card.country, card.locale, years)
    days = {day: name for day, name in known.items() if day not in own.worked} | own.holidays
    worked = (make_up - own.holidays.keys()) | own.worked
    return Calendar(holidays=dict(sorted(days.items())), make_up_days=frozenset(worked))


@lru_cache(maxsize=64)
def of_country(
    country: str, locale: str, years: tuple[int, ...]
) -> tuple[Mapping[date, str], frozenset[date]]:
    """Give a country's holidays with their names, and its make-up days; nothing if unknown."""
    import holidays  # slow to load

    if country not in holidays.list_supported_countries():
        return {}, frozenset()
    kind = getattr(holidays, country)
    spoken = kind.supported_languages
    language = next((one for one in _LANGUAGES[locale] if one in spoken), None)
    found = holidays.country_holidays(country, years=years, language=language)
    days = {day: str(name)[:80] for day, name in found.items() if day.year in years}
    return days, frozenset(day for day in found.weekend_workdays if day.year in years)


def own_days(reading: Reading, content: bytes | None) -> OwnDays:
    """Read the house's own list: `date,name,kind`; what is wrong is noted line by line."""
    found = OwnDays()
    if content is None:
        return found
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig")), strict=True))
    except UnicodeDecodeError as fault:
        reading.wrong(KEY, "utf8", at=fault.start)
        return found
    except csv.Error as fault:
        reading.wrong(KEY, "csv", fault=str(fault))
        return found
    if not rows or [cell.strip() for cell in rows[0]] != HEADING:
        reading.wrong(KEY, "csv_heading", heading=",".join(HEADING))
        return found
    if len(rows) > ENTRIES:
        reading.wrong(KEY, "csv_long", most=ENTRIES)
        return found
    for place, row in enumerate(rows[1:], start=2):
        if row:
            _own_day(reading, found, place, [cell.strip() for cell in row])
    return found


def _own_day(reading: Reading, found: OwnDays, place: int, row: list[str]) -> None:
    day = _date(row[0])
    if len(row) != len(HEADING):
        reading.wrong(KEY, "csv_cells", line=place, heading=",".join(HEADING))
    elif day is None:
        reading.wrong(KEY, "csv_date", line=place, said=show(row[0]))
    elif row[2] not in KINDS:
        reading.wrong(KEY, "csv_kind", line=place, words=", ".join(KINDS), said=show(row[2]))
    elif not 0 < len(row[1]) <= 80 or not row[1].isprintable():
        reading.wrong(KEY, "csv_name_line", line=place)
    elif day in found.holidays or day in found.worked:
        reading.wrong(KEY, "csv_twice", line=place, day=day)
    elif row[2] == "work":
        found.worked.add(day)
    else:
        found.holidays[day] = row[1]


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == len("2025-01-31") else None
    except ValueError:
        return None
