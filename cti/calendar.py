"""Which days are holidays, and which are worked? Pure; `house_file` fills it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import Final

Span = tuple[time, time]
"""From, to; a `to` not later than `from` ends the next day."""

_FRIDAY: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """How often something returns: every so many days, months, or half months.

    One field is set. A half month begins on the 1st and the 16th.
    """

    days: int = 0
    months: int = 0
    half_months: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Holidays with their names, and weekend days that are worked in their place."""

    holidays: Mapping[date, str] = field(default_factory=dict)
    make_up_days: frozenset[date] = frozenset()

    def is_holiday(self, day: date) -> bool:
        """Tell whether a day is a public holiday, or one of the house's own."""
        return day in self.holidays

    def is_working_day(self, day: date) -> bool:
        """Tell whether a day is worked: Monday to Friday less holidays, plus make-up days."""
        if day in self.make_up_days:
            return True
        return day.weekday() <= _FRIDAY and day not in self.holidays

    def after(self, day: date, working_days: int) -> date:
        """Give the last day of a window of working days that starts the day after `day`."""
        for _ in range(working_days):
            day += timedelta(days=1)
            while not self.is_working_day(day):
                day += timedelta(days=1)
        return day
