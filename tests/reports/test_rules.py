"""Counts of five minutes become rows: the house's hours, days, weeks, months and shifts."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cti.calls.tally import Tally
from cti.duty.rules import Assignment, DutyState
from cti.errors import Refused
from cti.house import SHIFTS, ShiftType
from cti.people.rules import Role
from cti.reports.rules import By, Period, Row, period_of, rows_of, shifts_at, total_of

TAIPEI = ZoneInfo("Asia/Taipei")
TODAY = date(2026, 11, 22)


def tally(at: str | None = None, calls: int = 1, **facts: Any) -> Tally:
    """So many calls at a time of Taipei; each rang 4 s and waited 5 s."""
    counts = {"known": calls, "within": calls, "late": 0}
    sums = {"ring_ms": calls * 4000, "wait_ms": calls * 5000}
    when = datetime.fromisoformat(at).replace(tzinfo=TAIPEI).astimezone(UTC) if at else None
    return Tally(at=when, calls=calls, **{**counts, **sums, **facts})


def keys(by: By, *tallies: Tally) -> dict[str, int]:
    return {row.key: row.calls for row in rows_of(tallies, by, TAIPEI, SHIFTS)}


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (By.DAY, {"2026-11-01": 3, "2026-11-22": 2}),
        (By.WEEK, {"2026-W44": 3, "2026-W47": 2}),
        (By.MONTH, {"2026-11": 5}),
        (By.HOUR, {"00": 2, "23": 3}),
    ],
)
def test_the_houses_clock_decides_where_a_call_belongs(by: By, expected: dict[str, int]) -> None:
    told = [tally("2026-11-01T23:55", 3), tally("2026-11-22T00:00", 2)]

    assert expected == keys(by, *told)


def test_a_call_in_the_overlap_of_shifts_counts_in_each() -> None:
    told = [tally("2026-11-22T08:15"), tally("2026-11-22T14:00"), tally("2026-11-22T22:00")]

    assert {"early": 2, "middle": 1, "late": 1, "": 1} == keys(By.SHIFT, *told)


def test_the_roster_says_which_shifts_there_were() -> None:
    def assigned(shift: str, day: int, begins: int, hours: int) -> Assignment:
        starts = datetime(2026, 11, day, begins, tzinfo=TAIPEI)
        return Assignment(
            id=f"{shift}{day}",
            person="p-may",
            role=Role.AGENT,
            department="",
            day=starts.date(),
            shift=shift,
            starts=starts,
            ends=starts + timedelta(hours=hours),
            relieved_by="",
            source="plan",
            state=DutyState.PLANNED,
        )

    roster = [assigned("night", 20, 22, 8), assigned("day", 21, 9, 8), assigned("day", 22, 9, 8)]
    told = [
        tally("2026-11-21T02:00", 1),  # the night of the day before
        tally("2026-11-21T10:00", 2),
        tally("2026-11-21T20:00", 4),
        tally("2026-11-23T10:00", 8),  # a day without a roster
    ]

    rows = rows_of(told, By.SHIFT, TAIPEI, SHIFTS, roster)

    assert {"night": 1, "day": 2, "": 4, "early": 8} == {row.key: row.calls for row in rows}


def test_a_shift_over_midnight_has_both_its_ends() -> None:
    night = {"night": ShiftType(id="night", start=time(22), end=time(6))}

    told = {hour: shifts_at(time(hour), night) for hour in (21, 22, 0, 5, 6)}

    assert told == {21: ("",), 22: ("night",), 0: ("night",), 5: ("night",), 6: ("",)}


def test_agents_and_reasons_are_rows_as_they_are() -> None:
    assert {"": 1, "p-may": 2} == keys(By.AGENT, tally(person="p-may", calls=2), tally())
    assert {"rang_out": 4} == keys(By.REASON, tally(reason="rang_out", calls=4))


def test_a_row_has_the_share_of_the_known_and_means() -> None:
    row = total_of(
        [tally(calls=10, known=8, within=6), tally(calls=2, known=0, within=0, ring_ms=0)]
    )

    assert (0.75, timedelta(seconds=5), timedelta(seconds=5)) == (row.rate, row.ring, row.wait)
    assert (None, None, None) == (Row(key="").rate, Row(key="").ring, Row(key="").wait)


def test_without_days_it_is_this_month_so_far() -> None:
    assert Period(first=date(2026, 11, 1), last=TODAY) == period_of("", "", TODAY)


def test_a_period_has_whole_days_of_the_house() -> None:
    began, ended = period_of("2026-11-22", "2026-11-22", TODAY).instants(TAIPEI)

    assert began.astimezone(UTC) == datetime(2026, 11, 21, 16, tzinfo=UTC)
    assert ended.astimezone(UTC) == datetime(2026, 11, 22, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first", "last", "code"),
    [
        ("2026-11-31", "", "report_day"),
        ("", "yesterday", "report_day"),
        ("2026-11-23", "2026-11-22", "report_range"),
        ("2025-11-21", "2026-11-22", "report_range"),
    ],
)
def test_days_that_make_no_sense_are_refused(first: str, last: str, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        period_of(first, last, TODAY)

    assert refusal.value.code == code
