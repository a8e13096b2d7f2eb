"""The lunar calendar of the table, held against festivals that others computed."""

from datetime import date, timedelta

import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cti.lunar import FIRST, LAST, LunarDay, celebrated, lunar_day, new_year

FESTIVALS = holidays.country_holidays("TW", years=range(1990, 2051), language="en_US")


@pytest.mark.parametrize(("name", "month", "day"), [("Mid-Autumn", 8, 15), ("Dragon Boat", 5, 5)])
def test_festivals_fall_on_the_days_that_others_computed(name: str, month: int, day: int) -> None:
    theirs = {
        at.year: at for at, said in FESTIVALS.items() if name in said and "observed" not in said
    }

    assert len(theirs) > 50
    assert {year: celebrated(year, month, day) for year in theirs} == theirs


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2025, 1, 29), LunarDay(2025, 1, 1, leap=False, last=30)),
        (date(2025, 1, 28), LunarDay(2024, 12, 29, leap=False, last=29)),
        (date(2025, 7, 25), LunarDay(2025, 6, 1, leap=True, last=29)),
        (date(2025, 10, 6), LunarDay(2025, 8, 15, leap=False, last=29)),
        (date(2033, 12, 22), LunarDay(2033, 11, 1, leap=True, last=29)),
    ],
)
def test_a_day_is_found_with_its_leap_month(day: date, expected: LunarDay) -> None:
    assert lunar_day(day) == expected


def test_outside_the_table_nothing_is_said() -> None:
    assert lunar_day(date(1901, 2, 18)) is None
    assert lunar_day(date(2200, 1, 1)) is None
    assert lunar_day(new_year(LAST)) is not None


@given(st.dates(new_year(FIRST), new_year(LAST)))
def test_each_day_follows_the_one_before(day: date) -> None:
    before, after = lunar_day(day), lunar_day(day + timedelta(days=1))

    assert before
    assert after
    assert (after.day == before.day + 1) == (before.day < before.last)
    assert after.day == 1 or (after.month, after.leap) == (before.month, before.leap)


@given(st.integers(FIRST, LAST - 1), st.integers(1, 12), st.integers(1, 30))
def test_a_birthday_is_celebrated_once_in_each_lunar_year(year: int, month: int, day: int) -> None:
    found = lunar_day(celebrated(year, month, day))

    assert found
    assert (found.year, found.month, found.leap) == (year, month, False)
    assert found.day == min(day, found.last)
