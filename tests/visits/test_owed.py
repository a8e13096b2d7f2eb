"""What is owed after an event, on a birthday and in a cycle, and until when."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cti import house_file, shipped
from cti.calendar import Calendar, Period
from cti.customers.events import Event
from cti.customers.rules import Birthday, Customer
from cti.house import House, HouseCard
from cti.house_visits import VisitRule, VisitRules
from cti.lunar import celebrated
from cti.visits import owed
from cti.visits.owed import Windows
from cti.visits.record import Owed
from tests.kit.owed import at, house

NOW = datetime(2025, 3, 1, tzinfo=UTC)
HOUSES = {
    name: replace(house_file.read(path, NOW), calendar=Calendar())
    for name, path in shipped.houses().items()
}
WANG = Customer(id="wang", name="王小明")
ZONES = ["America/New_York", "Europe/Berlin", "Australia/Sydney", "America/Santiago"]


def event(kind: str, day: str, **more: Any) -> Event:
    """Make what happened to Wang."""
    given: dict[str, Any] = {"id": "e1", "customer": "wang", "kind": kind, "ref": "R1"} | more
    return Event(day=date.fromisoformat(day), **given)


def after(rules: House, one: Event, whom: Customer = WANG) -> dict[str, Owed]:
    """Give what is owed after an event, by rule."""
    return {found.rule: found for found in owed.of_event(rules, one, whom, Windows(rules))}


# -- golden examples of days and deadlines


@pytest.mark.parametrize(
    ("kind", "day", "rule", "begins", "ends"),
    [
        ("booking", "2025-03-07", "booked", "2025-03-08T09:00", "2025-03-08T21:00"),
        ("session", "2025-03-07", "session", "2025-03-08T09:00", "2025-03-08T21:00"),
        ("viewing", "2025-03-10", "viewing", "2025-03-20T09:00", "2025-03-20T21:00"),
        ("collection", "2025-03-21", "collect", "2025-03-26T09:00", "2025-03-26T21:00"),
        ("wedding", "2025-03-21", "wedding", "2025-03-21T09:00", "2025-03-21T21:00"),
    ],
)
def test_the_studio_calls_on_the_days_of_its_milestones(
    kind: str, day: str, rule: str, begins: str, ends: str
) -> None:
    found = after(HOUSES["studio"], event(kind, day))

    assert list(found) == [rule]
    assert (found[rule].from_at, found[rule].due_at) == (at(begins), at(ends))
    assert found[rule].give_up_at == at(ends) + timedelta(days=7)


@pytest.mark.parametrize(
    ("dines", "begins", "ends"),
    [
        (time(18, 30), "18:40", "21:00"),
        (time(12, 5), "12:15", "21:00"),  # the guest may rest; the restaurant is asked
        (time(20, 55), "21:05", "00:00"),
        (None, "09:00", "21:00"),
    ],
)
def test_ten_minutes_after_the_dining_time_the_restaurant_is_asked(
    dines: time | None, begins: str, ends: str
) -> None:
    whom = replace(WANG, do_not_call=True)  # the restaurant may be called all the same

    found = after(HOUSES["booking"], event("booking", "2025-03-07", time=dines), whom)

    one = found["seating_check"]
    assert ("merchant", "phone") == one.channels
    day = "2025-03-08" if ends == "00:00" else "2025-03-07"
    assert (at(f"2025-03-07T{begins}"), at(f"{day}T{ends}")) == (one.from_at, one.due_at)


def test_a_complaint_handled_on_friday_evening_is_visited_until_monday_night() -> None:
    handled = event("complaint_handled", "2025-03-14", time=time(20, 50))

    found = after(house(), handled)["after_complaint"]

    assert (found.from_at, found.due_at) == (at("2025-03-14T20:50"), at("2025-03-17T21:00"))
    assert (found.origin, found.period, found.event) == ("rule:after_complaint:e1", "2025-03", "e1")


def test_an_exact_deadline_is_the_time_of_the_event() -> None:
    rules = house(VisitRules(deadline_edge="exact"))

    found = after(rules, event("complaint_handled", "2025-03-14", time=time(20, 50)))

    assert found["after_complaint"].due_at == at("2025-03-17T20:50")


def test_the_hotel_calls_on_the_day_after_check_out_by_the_guests_clock() -> None:
    guest = replace(WANG, zone="America/New_York")

    found = after(HOUSES["hotel"], event("check_out", "2025-03-14"), guest)["after_checkout"]

    assert found.from_at == at("2025-03-15T09:00", "America/New_York")
    assert (found.zone, found.form, found.script) == ("America/New_York", "stay", "hotel/stay")


def test_where_nobody_may_be_called_the_deadline_stands_and_is_missed() -> None:
    rules = house(None, "Asia/Shanghai", "2025-03-21")
    closed = replace(rules, call_times=replace(rules.call_times, holiday_mode="closed"))
    rule = VisitRule(id="x", purpose="service", event="booking", deadline=0)
    closed = replace(closed, visits=VisitRules(rules={"x": rule}))

    found = after(closed, event("booking", "2025-03-21"))["x"]

    assert found.from_at == at("2025-03-22T09:00")
    assert found.due_at == found.from_at


def test_a_deadline_on_a_closed_day_ends_with_the_last_open_one() -> None:
    rules = house(None, "Asia/Shanghai", "2025-03-17")
    closed = replace(rules, call_times=replace(rules.call_times, holiday_mode="closed"))

    found = after(closed, event("complaint_handled", "2025-03-14"))["after_complaint"]

    assert found.due_at == at("2025-03-16T21:00")


def test_an_event_that_ended_after_the_last_window_is_visited_the_next_day() -> None:
    rule = VisitRule(id="x", purpose="service", event="booking", deadline=0)

    found = after(
        house(VisitRules(rules={"x": rule})), event("booking", "2025-03-14", time=time(22))
    )["x"]

    assert found.from_at == found.due_at == at("2025-03-15T09:00")


# -- who is owed nothing


@pytest.mark.parametrize(
    ("said", "rule", "expected"),
    [
        ({"do_not_call": True}, "after_service", False),
        ({"consent": {"service": False}}, "after_service", False),
        ({"consent": {"marketing": True}}, "first_service", True),
        ({}, "first_service", False),
        ({"consent": {"care": False}}, "half_year", True),
        ({"do_not_call": True}, "half_year", True),
    ],
)
def test_who_said_no_is_owed_no_call(said: dict[str, Any], rule: str, expected: bool) -> None:
    rules = {**HOUSES["dealer"].visits.rules, **HOUSES["property"].visits.rules}

    assert owed.is_owed(rules[rule], replace(WANG, **said)) is expected


def test_a_cancelled_event_owes_nothing() -> None:
    booked = event("booking", "2025-03-07", cancelled=True)

    assert after(HOUSES["studio"], booked) == {}
    assert list(owed.reminders_of(HOUSES["studio"], replace(booked, kind="session"))) == []


def test_the_gown_is_chosen_five_days_before_the_session() -> None:
    (found,) = owed.reminders_of(HOUSES["studio"], event("session", "2025-03-20"))

    assert (found.day, found.to) == (date(2025, 3, 15), "shop_assistant")
    assert found.origin == "reminder:gown:e1"


# -- birthdays


def celebrates(born: Birthday, years: range) -> list[date]:
    """Give the days on which a birthday is celebrated, as the planner would find them."""
    key = born.month, born.day, born.lunar
    days = (date(year, 1, 1) + timedelta(days=n) for year in years for n in range(366))
    own = {day for day in days if day.year in years}
    return sorted(day for day in own if key in owed.birthdays_on(day))


def test_the_29th_of_february_is_celebrated_on_the_28th_of_common_years() -> None:
    assert celebrates(Birthday(month=2, day=29), range(2023, 2025)) == [
        date(2023, 2, 28),
        date(2024, 2, 29),
    ]


def test_a_lunar_birthday_is_celebrated_once_in_each_lunar_year() -> None:
    days = celebrates(Birthday(month=6, day=30, lunar=True), range(2024, 2027))

    assert days == [celebrated(year, 6, 30) for year in (2024, 2025, 2026)]


@given(st.integers(1, 12), st.integers(1, 30))
@settings(deadline=None, max_examples=20)
def test_every_lunar_birthday_is_celebrated_each_year(month: int, day: int) -> None:
    days = celebrates(Birthday(month=month, day=day, lunar=True), range(2024, 2027))

    years = [one for year in (2023, 2024, 2025, 2026) for one in [celebrated(year, month, day)]]
    assert days == [one for one in years if 2024 <= one.year <= 2026]


def test_a_birthday_is_greeted_on_its_day_from_ten() -> None:
    born = replace(WANG, birthday=Birthday(month=3, day=7))

    (found,) = owed.of_birthday(house(), born, date(2025, 3, 7), Windows(house()))

    assert (found.from_at, found.due_at) == (at("2025-03-07T10:00"), at("2025-03-07T21:00"))
    assert found.origin == "rule:birthday:wang:2025"


def test_the_year_of_a_lunar_birthday_is_the_lunar_one() -> None:
    born = replace(WANG, birthday=Birthday(month=12, day=29, lunar=True))
    day = celebrated(2024, 12, 29)

    (found,) = owed.of_birthday(house(), born, day, Windows(house()))

    assert (day, found.origin) == (date(2025, 1, 28), "rule:birthday:wang:2024")


def test_a_house_without_the_lunar_calendar_greets_by_the_other_alone() -> None:
    plain = House(card=HouseCard(lunar=False))
    born = replace(WANG, birthday=Birthday(month=12, day=29, lunar=True))

    assert list(owed.of_birthday(plain, born, date(2025, 1, 28), Windows(plain))) == []


# -- cycles


@given(
    st.sampled_from(
        [Period(days=90), Period(days=1), Period(days=365), Period(months=6), Period(half_months=1)]
    ),
    st.dates(date(2020, 1, 1), date(2040, 1, 1)),
    st.integers(0, 9999),
)
def test_everybody_has_one_turn_in_each_period(every: Period, day: date, spread: int) -> None:
    first, next_one = owed.period_of(every, day)

    days = [first + timedelta(days=n) for n in range((next_one - first).days)]
    turns = [
        one
        for one in days
        if owed.turn_on(every, one).low <= spread < owed.turn_on(every, one).high
    ]
    assert first <= day < next_one
    assert owed.period_of(every, next_one)[0] == next_one
    assert len(turns) == 1
    assert {owed.turn_on(every, one).began for one in days} == {first}


def test_turns_are_spread_evenly_over_a_period() -> None:
    every, first = Period(days=90), owed.period_of(Period(days=90), date(2025, 3, 7))[0]
    turns = [owed.turn_on(every, first + timedelta(days=n)) for n in range(90)]

    assert {111, 112} == set(Counter(turn.high - turn.low for turn in turns))


def test_periods_begin_where_the_rules_say() -> None:
    day = date(2025, 8, 20)

    assert owed.period_of(Period(half_months=1), day) == (date(2025, 8, 16), date(2025, 9, 1))
    assert owed.period_of(Period(half_months=1), day.replace(day=15))[1] == date(2025, 8, 16)
    assert owed.period_of(Period(months=6), day) == (date(2025, 7, 1), date(2026, 1, 1))


def test_who_was_without_a_service_for_a_year_is_asked_why_and_again_each_year() -> None:
    rule = HOUSES["dealer"].visits.rules["lost"]

    assert owed.days_without(rule, date(2025, 3, 7), 3) == [
        date(2024, 3, 7),
        date(2023, 3, 8),
        date(2022, 3, 8),
    ]


# -- nights in which clocks are set


@given(
    st.sampled_from(ZONES),
    st.dates(date(2025, 1, 1), date(2026, 12, 31)),
    st.times().map(lambda one: one.replace(second=0, microsecond=0)) | st.none(),
)
@settings(deadline=None)
def test_no_night_in_which_a_clock_is_set_loses_or_doubles_a_visit(
    zone: str, day: date, hour: time | None
) -> None:
    rules, guest = house(zone=zone), replace(WANG, zone=zone)
    happened = Event(id="e1", customer="wang", kind="service_done", ref="R", day=day, time=hour)

    found = after(rules, happened, guest)["after_service"]

    local = [one.astimezone(ZoneInfo(zone)) for one in (found.from_at, found.due_at)]
    late = hour is not None and hour >= time(21)
    assert local[0].date() == day + timedelta(days=int(late))
    assert (local[1].date(), local[1].time()) == (day + timedelta(days=3), time(21))
    assert found.period == f"{local[0]:%Y-%m}"
