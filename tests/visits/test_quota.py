"""Coverage by rule and period, and what each agent owes in a month."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from cti.customers.rules import Customer
from cti.visits.quota import (
    Coverage,
    Made,
    counted_on,
    coverage,
    is_old_member,
    month_before,
    of_month,
    of_week,
)
from cti.visits.record import State

SHANGHAI = ZoneInfo("Asia/Shanghai")


def test_everything_that_was_owed_is_covered_open_cancelled_or_merged() -> None:
    counts = [("r", "2025-03", str(state), False, 1) for state in State]

    (found,) = coverage([*counts, ("r", "2025-03", "open", True, 3)]).values()

    assert found.due == len(State) + 3
    assert (found.covered, found.reached, found.cancelled, found.merged) == (3, 1, 1, 1)
    assert found.breached == 3


def test_unreachable_counts_as_covered_and_not_as_reached() -> None:
    counts = [("r", "p", "done", False, 90), ("r", "p", "unreachable", False, 8)]

    (found,) = coverage([*counts, ("r", "p", "open", False, 2)]).values()

    assert (found.rate, found.reached_rate) == (Decimal("0.98"), Decimal("0.9"))
    assert Coverage(rule="r", period="p", cancelled=3).rate is None


def made(person: str, customer: str, day: int, month: int = 3) -> Made:
    return Made(person=person, customer=customer, at=datetime(2025, month, day, 2, tzinfo=UTC))


def test_a_customer_counts_once_in_a_week_and_again_in_the_next() -> None:
    some = [made("may", "wang", 3), made("may", "wang", 9), made("may", "wang", 10)]

    (found,) = of_month(some, date(2025, 3, 1), 80, ["may"], SHANGHAI)

    assert (found.made, found.lacking) == (2, 78)


def test_74_of_80_lack_six_and_more_than_80_lack_nothing() -> None:
    some = [made("may", f"c{n}", 3) for n in range(74)]
    some += [made("bo", f"c{n}", 31) for n in range(90)]
    some += [made("may", f"d{n}", 1, month=4) for n in range(9)]

    found = of_month(some, date(2025, 3, 1), 80, ["may", "bo", "chen"], SHANGHAI)

    assert {one.person: one.lacking for one in found} == {"may": 6, "bo": 0, "chen": 80}


def test_a_week_goes_from_monday_to_sunday_and_over_the_end_of_a_month() -> None:
    some = [made("may", f"c{n}", 31) for n in range(3)]
    some += [made("may", f"d{n}", 6, month=4) for n in range(2)]
    some += [made("may", "e", 30), made("may", "e", 7, month=4), made("bo", "c0", 31)]

    found = of_week(some, date(2025, 3, 31), SHANGHAI)

    assert {"may": 5, "bo": 1} == found


def test_a_month_is_counted_on_a_day_of_the_next() -> None:
    assert date(2026, 1, 5) == counted_on(date(2025, 12, 1), 5)


def test_a_visit_belongs_to_the_month_of_its_day_by_the_houses_clock() -> None:
    late = Made(person="may", customer="wang", at=datetime(2025, 3, 31, 17, tzinfo=UTC))

    (found,) = of_month([late], date(2025, 4, 1), 80, ["may"], SHANGHAI)

    assert found.made == 1


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"member_since": date(2025, 2, 28)}, True),
        ({"member_since": date(2025, 3, 1)}, False),
        ({"member_no": "M1"}, True),
        ({}, False),
    ],
)
def test_an_old_member_was_one_before_the_month(said: dict[str, object], expected: bool) -> None:
    customer = Customer(id="c", name="c", **said)  # type: ignore[arg-type]

    assert is_old_member(customer, date(2025, 3, 15)) is expected


def test_the_month_before_january_is_december() -> None:
    assert month_before(date(2025, 1, 1)) == date(2024, 12, 1)
