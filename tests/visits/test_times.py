"""When one customer may be called: his zone, his hours, restaurants, holidays, day-parts, DST."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cti.calendar import Calendar
from cti.callbacks import rules
from cti.house import CallTimes
from cti.house_visits import VisitRules
from cti.visits.record import Wishes
from cti.visits.times import (
    closes_at,
    daypart,
    hours_of,
    is_callable,
    of_visit,
    opens_at,
    pieces,
    stretches,
)
from cti.wall import joined
from tests.kit.owed import at, house, visit

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Sydney", "America/Santiago")
"""Both hemispheres; Santiago sets its clocks at midnight."""
NIGHTS = {
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Sydney": ("2026-10-04", "2026-04-05"),
    "America/Santiago": ("2026-09-06", "2026-04-05"),
}
"""Nights in which clocks go on, and back."""
NIGHT = CallTimes(windows=((time(0, 30), time(1, 15)), (time(1, 40), time(4))))
"""Windows in the hours in which clocks are set."""
NATIONAL_DAY = "2025-10-01"


def opens(wishes: Wishes, when: str, purpose: str = "service", *holidays: str) -> str:
    """When a customer of the house in Shanghai may be called, by the house's clock."""
    rules = house(None, "Asia/Shanghai", *holidays)
    found = opens_at(hours_of(rules, wishes, purpose), at(when))
    return f"{found.astimezone(rules.zone):%m-%d %H:%M}" if found else "never"


@pytest.mark.parametrize(
    ("wishes", "when", "expected"),
    [
        (Wishes(), "2025-03-03T08:00", "03-03 09:00"),
        (Wishes(), "2025-03-03T12:30", "03-03 14:00"),
        (Wishes(zone="Asia/Tokyo"), "2025-03-03T07:00", "03-03 08:00"),
        (Wishes(zone="Asia/Tokyo"), "2025-03-03T20:00", "03-04 08:00"),
        (Wishes(hours=((time(19), time(22)),)), "2025-03-03T10:00", "03-03 19:00"),
        (Wishes(hours=((time(19), time(22)),)), "2025-03-03T21:00", "03-04 19:00"),
        (Wishes(hours=((time(23), time(10)),)), "2025-03-03T10:00", "03-04 09:00"),
        (Wishes(hours=((time(22), time(23)),)), "2025-03-03T10:00", "never"),
    ],
)
def test_he_is_called_by_his_own_clock_and_in_hours_that_he_likes(
    wishes: Wishes, when: str, expected: str
) -> None:
    assert expected == opens(wishes, when)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2025-03-03T10:59", "03-03 10:59"),
        ("2025-03-03T11:00", "03-03 14:00"),
        ("2025-03-03T17:00", "03-03 20:00"),
        ("2025-03-03T20:30", "03-03 20:30"),
    ],
)
def test_a_restaurant_has_its_own_quiet_times(when: str, expected: str) -> None:
    assert expected == opens(Wishes(merchant=True), when)


def test_a_restaurant_is_asked_about_a_booking_while_its_guests_arrive() -> None:
    dinner, restaurant = at("2025-03-03T18:30"), Wishes(merchant=True)

    assert is_callable(hours_of(house(), restaurant, "service", seating=True), dinner)
    assert not is_callable(hours_of(house(), restaurant, "marketing", seating=True), dinner)


def test_whether_a_visit_is_about_a_booking_is_read_from_its_rule() -> None:
    booked = replace(VisitRules().rules["after_service"], id="seating", event="booking")
    known = house(VisitRules(rules={"seating": booked}))

    assert () == of_visit(visit(rule="seating"), Wishes(merchant=True), known).quiet
    assert (
        VisitRules().merchant_quiet
        == of_visit(visit(rule="gone"), Wishes(merchant=True), known).quiet
    )


@pytest.mark.parametrize(
    ("purpose", "expected"),
    [("service", "10-01 14:00"), ("care", "10-01 09:00"), ("marketing", "10-01 14:00")],
)
def test_only_greetings_are_welcome_in_the_morning_of_a_holiday(
    purpose: str, expected: str
) -> None:
    assert expected == opens(Wishes(), f"{NATIONAL_DAY}T08:00", purpose, NATIONAL_DAY)


def test_a_house_that_is_closed_on_holidays_does_not_greet_either() -> None:
    closed = replace(
        house(None, "Asia/Shanghai", NATIONAL_DAY), call_times=CallTimes(holiday_mode="closed")
    )

    found = opens_at(hours_of(closed, Wishes(), "care"), at(f"{NATIONAL_DAY}T08:00"))

    assert at("2025-10-02T09:00") == found


def test_a_visit_that_begins_at_ten_is_not_made_earlier_on_any_day() -> None:
    birthday = of_visit(visit(at=time(10)), Wishes(), house())

    assert at("2025-03-03T10:00") == opens_at(birthday, at("2025-03-03T09:00"))
    assert at("2025-03-04T10:00") == opens_at(birthday, at("2025-03-03T21:00"))


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        (Wishes(), "2025-03-17T21:00"),
        (Wishes(hours=((time(9), time(11)),)), "2025-03-17T11:00"),
        (Wishes(hours=((time(22), time(23)),)), None),
    ],
)
def test_his_day_closes_with_his_last_window(wishes: Wishes, expected: str | None) -> None:
    found = closes_at(hours_of(house(), wishes, "service"), date(2025, 3, 17))

    assert (expected and at(expected)) == found


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2025-03-03T09:00", "weekday:morning"),
        ("2025-03-03T12:00", ""),
        ("2025-03-03T17:59", "weekday:afternoon"),
        ("2025-03-03T18:00", "weekday:evening"),
        ("2025-03-03T21:30", ""),
        ("2025-03-08T18:00", "weekend:evening"),
        ("2025-10-01T15:00", "weekend:afternoon"),  # a holiday
    ],
)
def test_each_instant_lies_in_one_part_of_his_day(when: str, expected: str) -> None:
    hours = hours_of(house(None, "Asia/Shanghai", NATIONAL_DAY), Wishes(), "service")

    assert expected == daypart(hours, at(when))


def test_a_day_that_is_worked_in_place_of_a_holiday_is_a_weekday() -> None:
    worked = replace(house(), calendar=Calendar(make_up_days=frozenset({date(2025, 3, 8)})))

    assert "weekday:morning" == daypart(
        hours_of(worked, Wishes(), "service"), at("2025-03-08T09:00")
    )


def test_a_day_part_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    night = house(VisitRules(dayparts={"night": (time(22), time(2))}))

    assert "weekday:night" == daypart(hours_of(night, Wishes(), "care"), at("2025-03-08T01:00"))


def test_his_time_is_cut_where_the_day_or_its_part_changes() -> None:
    hours = hours_of(house(), Wishes(), "service")

    found = [
        f"{one.day:%d} {one.daypart} {one.began.astimezone(hours.zone):%H:%M}"
        for one in islice(pieces(hours, at("2025-03-07T15:00")), 4)
    ]

    assert [
        "07 weekday:afternoon 15:00",
        "07 weekday:evening 18:00",
        "08 weekend:morning 09:00",
        "08 weekend:afternoon 14:00",
    ] == found


@settings(deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    change=st.integers(0, 1),
    minutes=st.integers(-3 * 24 * 60, 3 * 24 * 60),
    purpose=st.sampled_from(["service", "care"]),
    likes=st.sampled_from([(), ((time(0), time(1, 30)),), ((time(1), time(0, 45)),)]),
)
@example(zone="America/Santiago", change=0, minutes=30, purpose="service", likes=())
def test_no_night_in_which_clocks_are_set_wakes_him(
    zone: str, change: int, minutes: int, purpose: str, likes: tuple[tuple[time, time], ...]
) -> None:
    """Whoever is called, his clock shows a time inside the windows and inside his own hours."""
    rules = replace(house(), call_times=NIGHT)
    night = datetime.fromisoformat(NIGHTS[zone][change]).replace(tzinfo=ZoneInfo(zone))
    hours = hours_of(rules, Wishes(zone=zone, hours=likes), purpose)

    began = opens_at(hours, night.astimezone(UTC) + timedelta(minutes=minutes))

    assert began is not None
    wall = began.astimezone(ZoneInfo(zone)).time()
    assert any(start <= wall < end for start, end in NIGHT.windows)
    assert not likes or any(
        start <= wall < end if start < end else (wall >= start or wall < end)
        for start, end in likes
    )


@settings(deadline=None)
@given(zone=st.sampled_from(ZONES), change=st.integers(0, 1), hours=st.integers(-30, 30))
def test_his_time_is_that_of_a_house_in_his_zone_and_its_pieces_lose_none_of_it(
    zone: str, change: int, hours: int
) -> None:
    night = datetime.fromisoformat(NIGHTS[zone][change]).replace(tzinfo=ZoneInfo(zone))
    since = night.astimezone(UTC) + timedelta(hours=hours)
    his = hours_of(replace(house(), call_times=NIGHT), Wishes(zone=zone), "service")
    theirs = replace(house(None, zone), call_times=NIGHT)

    end = since + timedelta(days=3)
    found = joined(one for one in islice(stretches(his, since), 40) if one[0] < end)
    cut = [(one.began, one.ended) for one in islice(pieces(his, since), 80) if one.began < end]

    assert found == joined(
        one for one in islice(rules.stretches(theirs, since), 40) if one[0] < end
    )
    assert _whole(found) == _whole(cut)


def _whole(some: list[tuple[datetime, datetime]]) -> timedelta:
    return sum((ended - began for began, ended in some), timedelta())
