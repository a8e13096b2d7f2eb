"""Which day of the Chinese lunar calendar is it? By a table of the years 1901 to 2100. Pure.

The table is one number per lunar year: the length of each month in its order (bit set: 30 days,
else 29), which month is a leap month, and on which day of January or February the year begins.
It was made from the astronomical calendar of `lunar-python`, and the tests compare its New Years
and mid-autumns with those of the package `holidays`.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

FIRST: Final = 1901
_YEARS: Final = (
    0x1D4833,
    0x3A9428,
    0x59295D,
    0x192C30,
    0x2A6C24,
    0x555919,
    0x15A82D,
    0x2D6422,
    0x5D4896,
    0x1D482A,
    0x6C959E,
    0x2C9432,
    0x292C26,
    0x52AD5A,
    0x0AB42E,
    0x15AC23,
    0x2DA497,
    0x36A42B,
    0x7649E1,
    0x3A4834,
    0x349428,
    0x69355C,
    0x295830,
    0x0AD825,
    0x56D518,
    0x1B502D,
    0x3AA422,
    0x7A4897,
    0x3A482A,
    0x34999E,
    0x14AC31,
    0x295C26,
    0x4AD95A,
    0x2D682E,
    0x1B5024,
    0x3B24D8,
    0x1D242B,
    0x5A4DDF,
    0x2A4C33,
    0x14AC28,
    0x296D9B,
    0x2AB42F,
    0x15A825,
    0x6D5519,
    0x2E902D,
    0x2D2422,
    0x6A4C96,
    0x2A542A,
    0x54B5DD,
    0x14D831,
    0x2AB426,
    0x56A95B,
    0x16C82E,
    0x369423,
    0x7528D8,
    0x35282C,
    0x2A561F,
    0x2A5C32,
    0x155828,
    0x2AD59C,
    0x2B542F,
    0x1B4825,
    0x3A9519,
    0x3A942D,
    0x192822,
    0x325CD5,
    0x2A6C29,
    0x5569DE,
    0x15A831,
    0x2DA426,
    0x5D495B,
    0x2D482F,
    0x2C9423,
    0x592D17,
    0x292C2B,
    0x52AE1F,
    0x0AB432,
    0x15B427,
    0x2DA59C,
    0x36A430,
    0x364825,
    0x749519,
    0x34942D,
    0x6936A2,
    0x295834,
    0x0AD829,
    0x16D59D,
    0x1B5431,
    0x3AA426,
    0x7A495B,
    0x3A482F,
    0x349824,
    0x2958D7,
    0x295C2A,
    0x535A1F,
    0x0D6833,
    0x1B5427,
    0x5B255C,
    0x1D2430,
    0x1A4C25,
    0x54AD18,
    0x14AC2C,
    0x296C21,
    0x556896,
    0x15A829,
    0x6D55DD,
    0x2E9032,
    0x2D2427,
    0x6A4D5A,
    0x2A542E,
    0x14B423,
    0x2AB517,
    0x2AD42A,
    0x56AA5F,
    0x174833,
    0x369428,
    0x75299C,
    0x352830,
    0x325425,
    0x54B919,
    0x15582C,
    0x2AD421,
    0x56C896,
    0x1B482A,
    0x3A959D,
    0x1C9431,
    0x192C26,
    0x325D5A,
    0x32AC2D,
    0x156823,
    0x2B58D7,
    0x2DA42B,
    0x5D4ADF,
    0x2D4833,
    0x2C9428,
    0x692D9C,
    0x292C2F,
    0x12AC24,
    0x156D58,
    0x16B42C,
    0x2DA821,
    0x6D4896,
    0x36482A,
    0x7495DE,
    0x349431,
    0x295426,
    0x52B55A,
    0x12D82E,
    0x16D422,
    0x36A8D7,
    0x3B242B,
    0x7A4A21,
    0x3A4833,
    0x349828,
    0x29599C,
    0x295C2F,
    0x135824,
    0x1B5518,
    0x1D542C,
    0x1D2422,
    0x3A4CD5,
    0x1A4C29,
    0x54ADDD,
    0x14AC31,
    0x296C25,
    0x55695A,
    0x15A82E,
    0x2D9423,
    0x5D2917,
    0x2D282B,
    0x6A561F,
    0x2A5433,
    0x14B427,
    0x2AB59B,
    0x2AD42F,
    0x16A825,
    0x2E9518,
    0x36942C,
    0x352822,
    0x7254D6,
    0x325829,
    0x6539DD,
    0x155831,
    0x2AD426,
    0x56C95A,
    0x1B482E,
    0x3A9423,
    0x392918,
    0x1A2C2A,
    0x325E1E,
    0x12AC32,
    0x156C27,
    0x2B599B,
    0x2DA82F,
    0x1D4825,
    0x5C9519,
    0x2D142C,
    0x2A2C21,
    0x526C95,
    0x12AC29,
)
"""Bits 10 to 22: long months in their order; 6 to 9: the leap month; 5: February; 0 to 4: day."""
LAST: Final = FIRST + len(_YEARS) - 1


@dataclass(frozen=True, slots=True)
class LunarDay:
    """A day of the lunar calendar. `last` is how many days its month has."""

    year: int
    month: int
    day: int
    leap: bool
    last: int


def lunar_day(day: date) -> LunarDay | None:
    """Give the lunar day of a day; None before 1901-02-19 and after the table ends."""
    for year in (day.year, day.year - 1):
        if not FIRST <= year <= LAST:
            continue
        left = (day - new_year(year)).days
        if left < 0:
            continue
        for month, leap, length in _months(year):
            if left < length:
                return LunarDay(year, month, left + 1, leap, length)
            left -= length
    return None


def new_year(year: int) -> date:
    """Give the first day of a lunar year of the table."""
    code = _YEARS[year - FIRST]
    return date(year, 2 if code & 0x20 else 1, code & 0x1F)


def celebrated(year: int, month: int, day: int) -> date:
    """Give the day of a lunar year on which a birthday is celebrated.

    In the ordinary month, not the leap month; the 30th of a short month on its 29th.
    """
    start = new_year(year)
    for one, leap, length in _months(year):
        if one == month and not leap:
            return start + timedelta(days=min(day, length) - 1)
        start += timedelta(days=length)
    raise ValueError(f"there is no lunar month {month}")


@lru_cache(maxsize=256)
def _months(year: int) -> tuple[tuple[int, bool, int], ...]:
    code = _YEARS[year - FIRST]
    leap, lengths = (code >> 6) & 0xF, code >> 10
    months = [(month, False) for month in range(1, 13)]
    if leap:
        months.insert(leap, (leap, True))
    return tuple(
        (month, is_leap, 29 + (lengths >> place & 1))
        for place, (month, is_leap) in enumerate(months)
    )
