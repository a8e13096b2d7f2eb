"""Holidays and worked weekends: the country's, and the house's own."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from cti import house_file
from cti.errors import HouseError
from cti.house import House

CARD = """[house]
id = "may"
timezone = "Asia/Taipei"
locale = "{locale}"
holidays = {{ country = "{country}", file = "{file}" }}
[penalties]
settlement = "none"
"""


def house(
    country: str,
    locale: str = "zh-Hans",
    year: int = 2025,
    own: str | None = None,
    folder: Path = Path(),
) -> House:
    """Give a house as it is seen in March of a year."""
    text = CARD.format(country=country, locale=locale, file="own.csv" if own is not None else "")
    now = datetime(year, 3, 7, 4, tzinfo=UTC)
    if own is None:
        return house_file.parse(text.encode(), now=now)
    (folder / "calendars").mkdir()
    (folder / "calendars" / "own.csv").write_text(own)
    (folder / "may.toml").write_text(text)
    return house_file.read(folder / "may.toml", now)


@pytest.mark.parametrize(
    ("country", "locale", "day", "name"),
    [
        ("CN", "zh-Hans", date(2025, 1, 29), "春节"),
        ("CN", "zh-Hans", date(2025, 10, 8), "休息日（由 2025-10-11 调休）"),
        ("CN", "zh-Hant", date(2025, 1, 29), "春節"),
        ("CN", "en", date(2025, 1, 1), "New Year's Day"),
        ("TW", "zh-Hant", date(2025, 10, 10), "國慶日"),
        ("TW", "zh-Hans", date(2025, 10, 10), "国庆日"),
        ("HK", "zh-Hant", date(2025, 7, 1), "香港特別行政區成立紀念日"),
        ("HK", "zh-Hant", date(2025, 10, 29), "重陽節"),
        ("MO", "zh-Hant", date(2025, 12, 20), "澳門特別行政區成立紀念日"),
        ("SG", "zh-Hans", date(2025, 8, 9), "National Day"),
    ],
)
def test_known_holidays_have_their_names(country: str, locale: str, day: date, name: str) -> None:
    assert house(country, locale).calendar.holidays[day] == name


def test_worked_weekends_of_the_mainland_are_working_days() -> None:
    calendar = house("CN", year=2025).calendar

    worked = [date(2025, 1, 26), date(2025, 2, 8), date(2025, 4, 27), date(2025, 9, 28)]
    assert [True] * 4 == [calendar.is_working_day(day) for day in worked]
    assert date(2025, 10, 11) in calendar.make_up_days
    assert not calendar.is_working_day(date(2025, 10, 12))


def test_taiwan_works_a_saturday_and_hong_kong_none() -> None:
    assert house("TW", year=2025).calendar.make_up_days >= {date(2025, 2, 8)}
    assert house("HK", year=2025).calendar.make_up_days == frozenset()


def test_the_calendar_goes_from_last_year_to_the_year_after_next() -> None:
    years = {day.year for day in house("HK", year=2025).calendar.holidays}

    assert years == {2024, 2025, 2026, 2027}


def test_a_term_of_working_days_leaves_out_a_holiday_and_counts_a_worked_weekend() -> None:
    calendar = house("CN", year=2025).calendar

    assert calendar.after(date(2025, 3, 28), 3) == date(2025, 4, 2)
    assert calendar.after(date(2025, 9, 26), 3) == date(2025, 9, 30)  # Sunday 28 is worked


def test_the_house_s_own_days_are_laid_over_the_country_s(tmp_path: Path) -> None:
    own = (
        "date,name,kind\n2025-10-31, 店庆 ,holiday\n2025-10-08,盘点,work\n\n2025-10-12,盘点,work\n"
    )

    calendar = house("CN", own=own, folder=tmp_path).calendar

    assert calendar.holidays[date(2025, 10, 31)] == "店庆"
    assert not calendar.is_holiday(date(2025, 10, 8))
    assert calendar.is_working_day(date(2025, 10, 8))
    assert calendar.is_working_day(date(2025, 10, 12))
    assert not calendar.is_working_day(date(2025, 10, 31))


def test_another_list_of_days_is_another_version(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()

    one = house("CN", own="date,name,kind\n2025-10-31,店庆,holiday\n", folder=tmp_path / "a")
    other = house("CN", own="date,name,kind\n2025-10-30,店庆,holiday\n", folder=tmp_path / "b")

    assert one.version != other.version


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ("", "line 1 must be: date,name,kind"),
        ("day,name,kind\n", "line 1 must be: date,name,kind"),
        ("date,name,kind\n2025-13-01,x,holiday\n", 'line 2: "2025-13-01" is no date as 2025-01-31'),
        ("date,name,kind\n20250101,x,holiday\n", 'line 2: "20250101" is no date as 2025-01-31'),
        (
            "date,name,kind\n2025-01-01,x,feast\n",
            'line 2: the kind must be one of holiday, work, not "feast"',
        ),
        ("date,name,kind\n2025-01-01,x\n", "line 2 must have the columns date,name,kind"),
        ("date,name,kind\n2025-01-01,,work\n", "line 2: the name must have 1 to 80 characters"),
        (
            "date,name,kind\n2025-01-01,x,work\n2025-01-01,y,holiday\n",
            "line 3: 2025-01-01 stands there twice",
        ),
        ("date,name,kind\n" + "\n" * 501, "more than 500 lines"),
    ],
)
def test_what_is_wrong_in_the_list_of_days_is_told(own: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(HouseError) as caught:
        house("CN", own=own, folder=tmp_path)

    lines = [finding.line() for finding in caught.value.findings]
    assert [f"house.holidays.file: {expected}"] == lines


def test_a_list_in_another_encoding_is_told(tmp_path: Path) -> None:
    (tmp_path / "calendars").mkdir()
    (tmp_path / "calendars" / "own.csv").write_bytes(
        "date,name,kind\n2025-10-31,店庆".encode("gbk")
    )
    path = tmp_path / "may.toml"
    path.write_text(CARD.format(country="CN", locale="en", file="own.csv"))

    with pytest.raises(HouseError, match=r"house.holidays.file: byte 26 is no UTF-8"):
        house_file.read(path)


def codes(country: str, year: int) -> list[str]:
    """Give the codes of what such a house is warned of."""
    return [one.code for one in house(country, year=year).warnings]


def test_a_year_whose_worked_weekends_are_not_announced_is_warned_of() -> None:
    assert (codes("CN", 2026), codes("CN", 2040), codes("HK", 2040)) == ([], ["no_make_up"], [])


def test_a_country_whose_holidays_nobody_knows_is_warned_of() -> None:
    assert codes("AC", 2025) == ["no_holidays"]
