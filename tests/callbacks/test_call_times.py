"""When customers may be called, and when a recovery call is due: figures, holidays, DST nights."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cti.calendar import Calendar
from cti.callbacks import rules
from cti.callbacks.rules import after, is_callable, opens_at, plan, stretches
from cti.house import CallTimes, House, HouseCard, Span

HALF_AN_HOUR = timedelta(minutes=30)
MINUTE = timedelta(minutes=1)
REFERENCE = CallTimes()
NIGHT = CallTimes(windows=((time(0, 30), time(1, 15)), (time(1, 40), time(4))))
"""Windows in the hours in which clocks are set."""
LATE = CallTimes(windows=((time(22), time(2, 30)),))
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Sydney", "America/Santiago")
"""Both hemispheres; Santiago sets its clocks at midnight."""
CHANGES = {
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Sydney": ("2026-10-04", "2026-04-05"),
    "America/Santiago": ("2026-09-06", "2026-04-05"),
}
"""Nights in which clocks go on, and back."""


def house(zone: str = "Asia/Shanghai", times: CallTimes = REFERENCE, *holidays: str) -> House:
    """A house somewhere."""
    named = {date.fromisoformat(day): "Holiday" for day in holidays}
    return House(card=HouseCard(timezone=zone), call_times=times, calendar=Calendar(holidays=named))


def at(text: str, zone: str = "Asia/Shanghai") -> datetime:
    """An instant, by the wall clock of a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def due(house: House, missed: str) -> str:
    """When a call that was missed is due, by the house's clock."""
    found = plan(house, at(missed, house.card.timezone))
    return f"{found.due_at.astimezone(house.zone):%m-%d %H:%M}" if found else "never"


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ("2026-03-02T11:50", "03-02 14:20"),  # MISS-05
        ("2026-03-02T21:30", "03-03 09:30"),  # MISS-05
        ("2026-03-02T10:00", "03-02 10:30"),
        ("2026-03-02T12:30", "03-02 14:30"),
        ("2026-03-02T08:59", "03-02 09:30"),
        ("2026-03-02T00:00", "03-02 09:30"),
        ("2026-03-02T20:45", "03-03 09:15"),
        ("2026-03-02T11:30", "03-02 14:00"),  # time that runs out with the window
        ("2026-12-31T20:59", "01-01 09:29"),
    ],
)
def test_a_missed_call_is_due_after_half_an_hour_of_callable_time(
    missed: str, expected: str
) -> None:
    assert expected == due(house(), missed)


@pytest.mark.parametrize(
    ("mode", "missed", "expected"),
    [
        ("afternoon_only", "2026-10-01T09:10", "10-01 14:30"),
        ("afternoon_only", "2026-09-30T21:30", "10-01 14:30"),
        ("afternoon_only", "2026-10-01T21:30", "10-02 09:30"),
        ("closed", "2026-10-01T15:00", "10-02 09:30"),
        ("normal", "2026-10-01T09:10", "10-01 09:40"),
    ],
)
def test_a_holiday_has_its_own_times(mode: str, missed: str, expected: str) -> None:
    times = CallTimes(holiday_mode=mode)

    assert expected == due(house("Asia/Shanghai", times, "2026-10-01"), missed)


def test_on_a_holiday_a_window_over_noon_begins_at_noon() -> None:
    all_day = CallTimes(windows=((time(9), time(21)),))

    assert "10-01 12:30" == due(house("Asia/Shanghai", all_day, "2026-10-01"), "2026-10-01T08:00")


def test_a_house_without_windows_never_calls() -> None:
    silent = house("Asia/Shanghai", CallTimes(windows=()))

    assert "never" == due(silent, "2026-03-02T10:00")
    assert not is_callable(silent, at("2026-03-02T10:00"))


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    late = house("Asia/Shanghai", LATE, "2026-10-01")

    assert "10-02 02:10" == due(late, "2026-10-02T01:40")
    assert is_callable(late, at("2026-10-02T01:00"))


def test_a_whole_day_is_callable_without_a_break() -> None:
    always = house("Europe/Berlin", CallTimes(windows=((time(0), time(0)),)))

    assert "03-29 03:15" == due(always, "2026-03-29T01:45")  # the hour that is left out
    assert is_callable(always, at("2026-10-25T02:30", "Europe/Berlin"))


def test_a_clock_that_is_set_back_shows_a_window_twice() -> None:
    short = house("Europe/Berlin", CallTimes(windows=((time(2), time(2, 20)),)))
    night = at("2026-10-25T00:00", "Europe/Berlin")

    found = after(short, night, HALF_AN_HOUR)

    assert found == datetime(2026, 10, 25, 1, 10, tzinfo=UTC)  # ten past two, the second time


def shown(house: House, instant: datetime) -> bool:
    """Whether the wall clock shows a time in a window: by looking at it, and nothing else."""
    local = instant.astimezone(house.zone)
    return any(
        covers(span, local.time(), from_yesterday=day < local.date())
        for day in (local.date(), local.date() - timedelta(days=1))
        for span in rules.windows_on(house, day)
    )


def covers(span: Span, now: time, *, from_yesterday: bool) -> bool:
    start, end = span
    if from_yesterday:
        return end <= start and now < end
    return start <= now and (end <= start or now < end)


def by_minutes(house: House, began: datetime, ended: datetime) -> timedelta:
    """Count the callable minutes of a time, one by one."""
    n = int((ended - began) / MINUTE)
    return sum((MINUTE for k in range(n) if shown(house, began + k * MINUTE)), timedelta())


nights = st.sampled_from(
    [(zone, night) for zone, changes in CHANGES.items() for night in changes]
).flatmap(
    lambda one: st.tuples(
        st.just(one[0]),
        st.integers(-26 * 60, 30 * 60).map(
            lambda minutes: at(one[1], one[0]).astimezone(UTC) + minutes * MINUTE
        ),
    )
)
days = st.tuples(
    st.sampled_from((*ZONES, "Asia/Shanghai", "Asia/Kolkata", "Pacific/Apia")),
    st.integers(0, 2 * 365 * 24 * 60).map(
        lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + minutes * MINUTE
    ),
)
Where = tuple[str, datetime]


@given(nights | days, st.sampled_from([REFERENCE, NIGHT, LATE]), st.integers(0, 90))
@example(("America/Santiago", datetime(2026, 4, 5, 2, 59, tzinfo=UTC)), LATE, 30)
@example(("Europe/Berlin", datetime(2026, 10, 25, 0, 35, tzinfo=UTC)), NIGHT, 30)
def test_what_is_due_is_never_in_rest_and_has_had_its_time(
    where: Where, times: CallTimes, minutes: int
) -> None:
    zone, missed = where
    here = house(zone, times, "2026-10-01", "2026-10-25")

    found = after(here, missed, minutes * MINUTE)

    assert found is not None
    assert (True, True) == (shown(here, found), is_callable(here, found))
    assert minutes * MINUTE == by_minutes(here, missed, found)


@given(nights, st.sampled_from([REFERENCE, NIGHT, LATE]))
def test_callable_is_what_the_wall_clock_shows(where: Where, times: CallTimes) -> None:
    zone, instant = where
    here = house(zone, times)

    assert shown(here, instant) == is_callable(here, instant)


@given(nights, st.sampled_from([REFERENCE, NIGHT, LATE]))
def test_stretches_follow_each_other(where: Where, times: CallTimes) -> None:
    zone, instant = where
    here = house(zone, times)

    found = [stretch for stretch, _ in zip(stretches(here, instant), range(20), strict=False)]

    ends = [bound for stretch in found for bound in stretch]
    assert ends == sorted(ends)
    assert instant <= ends[0]


@given(days, st.integers(0, 600))
def test_who_is_missed_later_is_not_due_earlier(where: Where, minutes: int) -> None:
    zone, missed = where
    here = house(zone)

    first, second = plan(here, missed), plan(here, missed + minutes * MINUTE)

    assert first
    assert second
    assert first.due_at <= second.due_at
    assert first.from_at == opens_at(here, missed)
