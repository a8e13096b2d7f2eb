"""What a plan lacks, and what copying a week gives: SHIFT-01, V12."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cti.duty import plan
from cti.duty.plan import Gap, Lack, Slot
from cti.duty.rules import Assignment
from cti.errors import Refused
from cti.house import House, HouseCard, InboundRules, ShiftType
from tests.kit.roster import BO, CHEN, DAY, HOUSE, LIN, MAY, STAFF, TAN, days, local, on

WEEK = date(2025, 3, 10)
OPEN = replace(HOUSE, hours={"default": ((time(8, 15), time(22)),), "sun": ()})


def full_week() -> list[Assignment]:
    """Plan a week that lacks nothing, Sunday off."""
    return [
        on(person, shift, day)
        for day in days(WEEK, 6)
        for person, shift in ((MAY, "early"), (BO, "late"), (LIN, "early"), (TAN, "late"))
    ]


def test_a_full_week_lacks_nothing() -> None:
    assert [] == plan.gaps(full_week(), WEEK, OPEN)


def test_too_few_agents_are_a_gap_of_their_own_from_when_to_when() -> None:
    roster = [one for one in full_week() if (one.person, one.day) != (BO.id, DAY)]

    assert [
        Gap(
            lack=Lack.RELIEF,
            department="",
            began=local("17:15"),
            ended=local("17:15"),
            wanted=1,
            shift="early",
        ),
        Gap(
            lack=Lack.STAFF,
            department="",
            began=local("17:15"),
            ended=local("22:00"),
            staff=0,
            wanted=1,
        ),
    ] == plan.gaps(roster, WEEK, OPEN)


def test_days_without_a_supervisor_are_found() -> None:
    roster = [one for one in full_week() if not (one.supervises and one.day == DAY)]

    (found,) = plan.gaps(roster, WEEK, OPEN)

    assert (Lack.SUPERVISOR, local("08:15"), local("22:00")) == (
        found.lack,
        found.began,
        found.ended,
    )
    assert [] == plan.gaps(roster, WEEK, OPEN, own_supervisor=True)


@pytest.mark.parametrize(
    "fact", [{"dropping": True}, {"removed_at": local("08:00")}, {"excused_from": local("08:00")}]
)
def test_who_will_not_be_there_fills_no_gap(fact: dict[str, bool]) -> None:
    roster = [
        replace(one, **fact) if (one.person, one.day) == (BO.id, DAY) else one
        for one in full_week()
    ]

    assert {Lack.STAFF, Lack.RELIEF} == {gap.lack for gap in plan.gaps(roster, WEEK, OPEN)}


def test_drafts_fill_gaps_before_they_are_published() -> None:
    drafts = [replace(one, published_at=None) for one in full_week()]

    assert [] == plan.gaps(drafts, WEEK, OPEN)


def test_each_department_has_gaps_of_its_own() -> None:
    house = replace(OPEN, inbound=InboundRules(departments={"4000": "sales", "5000": "service"}))
    roster = [replace(one, department="sales") for one in full_week()]

    found = plan.gaps(roster, WEEK, house)

    assert {"service"} == {gap.department for gap in found}
    assert {Lack.STAFF, Lack.SUPERVISOR} == {gap.lack for gap in found}


def test_min_staff_is_the_house_s() -> None:
    house = replace(OPEN, shifts=replace(OPEN.shifts, min_staff=2))

    found = [gap for gap in plan.gaps(full_week(), WEEK, house) if gap.began < local("0:00", WEEK)]

    assert [] == found
    monday = [
        (gap.began, gap.ended, gap.staff)
        for gap in plan.gaps(full_week(), WEEK, house)
        if gap.ended <= local("22:00", WEEK)
    ]
    assert [
        (local("08:15", WEEK), local("13:00", WEEK), 1),
        (local("17:15", WEEK), local("22:00", WEEK), 1),
    ] == monday


def test_a_house_without_hours_is_always_open() -> None:
    assert [(local("00:00"), local("00:00", DAY + timedelta(days=1)))] == plan.opening(HOUSE, DAY)


SHIFTS = st.tuples(
    st.sampled_from(STAFF), st.sampled_from(["early", "middle", "late"]), st.integers(0, 6)
)


@given(st.lists(SHIFTS, max_size=20), st.integers(1, 3), st.integers(0, 7 * 24 * 12 - 1))
def test_each_instant_of_the_opening_hours_is_staffed_or_in_a_gap(
    planned: list[tuple[object, str, int]], wanted: int, five_minutes: int
) -> None:
    house = replace(OPEN, shifts=replace(OPEN.shifts, min_staff=wanted))
    roster = [on(who, shift, WEEK + timedelta(days=n)) for who, shift, n in planned]  # type: ignore[arg-type]
    at = local("00:00", WEEK) + timedelta(minutes=5 * five_minutes)
    staff = {one.person for one in roster if not one.supervises and one.starts <= at < one.ends}

    covering = [
        gap.staff
        for gap in plan.gaps(roster, WEEK, house)
        if gap.lack is Lack.STAFF and gap.began <= at < gap.ended
    ]

    short = house.is_open(at) and len(staff) < wanted
    assert covering == ([len(staff)] if short else [])


# -- times


def test_shifts_over_midnight_end_the_next_day() -> None:
    night = ShiftType(id="night", start=time(22), end=time(6))

    assert (local("22:00"), local("06:00", date(2025, 3, 15))) == plan.shift_times(
        night, DAY, HOUSE.zone
    )


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2025, 3, 29), 7), (date(2025, 10, 25), 9), (date(2025, 6, 1), 8)]
)
def test_a_night_in_which_the_clock_changes_is_an_hour_shorter_or_longer(
    day: date, hours: int
) -> None:
    night = ShiftType(id="night", start=time(22), end=time(6))

    starts, ends = plan.shift_times(night, day, ZoneInfo("Europe/Berlin"))

    assert timedelta(hours=hours) == ends - starts


def test_a_skipped_hour_still_gives_an_instant() -> None:
    kind = ShiftType(id="odd", start=time(2, 30), end=time(6))

    starts, _ = plan.shift_times(kind, date(2025, 3, 30), ZoneInfo("Europe/Berlin"))

    assert datetime(2025, 3, 30, 1, 30, tzinfo=UTC) == starts


def test_a_shift_that_the_house_does_not_have_is_refused() -> None:
    with pytest.raises(Refused, match="no shift 'noon'"):
        plan.shift_type(HOUSE, "noon")


def test_a_week_begins_on_monday() -> None:
    assert WEEK == plan.monday(DAY) == plan.monday(WEEK)
    assert [WEEK, date(2025, 3, 16)] == plan.week_days(WEEK)[:: plan.DAYS - 1]


# -- copying a week

ALL = frozenset(one.id for one in STAFF)


def test_copying_gives_the_same_plan_a_week_later() -> None:
    last = [on(MAY, "early", WEEK), on(BO, "late", WEEK)]

    assert [
        Slot(person=MAY.id, day=date(2025, 3, 17), shift="early"),
        Slot(person=BO.id, day=date(2025, 3, 17), shift="late"),
    ] == plan.copied(last, [], HOUSE, ALL)


def test_swaps_were_for_once_and_what_was_dropped_stays_so() -> None:
    last = [
        on(MAY, "early", WEEK, removed_at=local("08:00"), swap="s1"),
        on(BO, "early", WEEK, source="swap", swap="s1"),
        on(CHEN, "late", WEEK, removed_at=local("08:00")),
        on(CHEN, "middle", WEEK, dropping=True),
        on(CHEN, "early", WEEK, source="extra"),
    ]

    assert [MAY.id] == [slot.person for slot in plan.copied(last, [], HOUSE, ALL)]


def test_who_left_and_whose_time_is_taken_is_not_copied() -> None:
    last = [on(MAY, "early", WEEK), on(BO, "early", WEEK), on(CHEN, "early", WEEK)]
    last.append(replace(last[2], shift="noon"))
    taken = [on(BO, "middle", date(2025, 3, 17))]

    found = plan.copied(last, taken, HOUSE, ALL - {MAY.id})

    assert [CHEN.id] == [slot.person for slot in found]


def test_times_are_those_of_the_house() -> None:
    house = House(card=HouseCard(timezone="Asia/Tokyo"))

    starts, _ = plan.shift_times(house.shifts.types["early"], DAY, house.zone)

    assert datetime(2025, 3, 13, 23, 15, tzinfo=UTC) == starts
