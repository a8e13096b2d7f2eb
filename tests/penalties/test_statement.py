"""A month of one person, to the cent."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from cti.errors import Refused
from cti.penalties.record import BonusLine, LineState, PenaltyLine, StatementState
from cti.penalties.statement import (
    begins,
    checked_amount,
    checked_month,
    counter_month,
    following,
    made,
    month_of,
    payable,
    read_bonus,
)
from tests.kit.fines import MAY, TWO, at, line

ZONE = ZoneInfo("Asia/Shanghai")
MARCH, APRIL, MAY_MONTH = date(2025, 3, 1), date(2025, 4, 1), date(2025, 5, 1)


def earned(what: str, amount: str) -> BonusLine:
    """A bonus line of March."""
    return BonusLine(
        id=f"bonus-{what}",
        person=MAY,
        month=MARCH,
        what=what,
        amount=Decimal(amount),
        note="",
        source="hand",
        reverses=None,
        entered_by="wu",
        entered_at=TWO,
    )


def taken(rule: str, amount: str, count: int = 1) -> list[PenaltyLine]:
    """Lines that are final."""
    return [
        line(
            LineState.APPROVED,
            id=f"{rule}-{n}",
            rule=rule,
            amount=Decimal(amount),
            final_at=at(0),
        )
        for n in range(count)
    ]


BONUS = [earned("orders", "82.40"), earned("recommendation", "60.00")]
FINES = [
    *taken("visit_shortfall", "0.20", 6),
    *taken("order_field", "0.50", 3),
    *taken("missed_call", "10.00", 2),
    *taken("exam_fail", "50.00"),
]


@pytest.mark.parametrize(
    ("more", "sums"),
    [
        ([], ("69.70", "69.70", "0.00")),
        (taken("missed_call_more", "10.00", 11), ("-40.30", "0.00", "-40.30")),
    ],
)
def test_the_golden_month_of_an_agent(more: list[PenaltyLine], sums: tuple[str, str, str]) -> None:
    found = made(
        MAY,
        MARCH,
        bonus=BONUS,
        penalties=[*FINES, *more],
        floor=Decimal("0.00"),
        unit="CNY",
    )

    assert sums == (str(found.sum), str(found.total), str(found.remainder))
    assert (StatementState.OPEN, 14 + len(more)) == (found.state, len(found.entries))


def test_a_line_without_amount_takes_nothing() -> None:
    none = line(LineState.APPROVED, amount=None)

    found = made(MAY, MARCH, bonus=[], penalties=[none], floor=Decimal("0.00"), unit="")

    assert ["0.00", "0.00"] == [str(found.total), str(-found.entries[0].amount)]


@pytest.mark.parametrize("state", list(LineState))
def test_nothing_undecided_or_appealed_is_settled(state: LineState) -> None:
    final = line(state, final_at=at(0))

    paid = payable(final, MARCH, ZONE, at(10), "CNY")

    assert paid is (state in (LineState.APPROVED, LineState.REDUCED, LineState.UPHELD))


@pytest.mark.parametrize(
    ("facts", "months"),
    [
        ({"final_at": datetime(2025, 4, 2, 16, tzinfo=UTC)}, [APRIL]),
        ({"final_at": datetime(2025, 3, 31, 16, tzinfo=UTC)}, [APRIL]),
        ({"final_at": datetime(2025, 3, 31, 15, 59, tzinfo=UTC)}, [MARCH]),
        ({"final_at": None}, []),
        ({"final_at": at(0), "policy": ""}, []),
        ({"state": LineState.SETTLED, "month": MARCH, "final_at": at(0)}, [MARCH]),
        ({"state": LineState.REVERSED, "month": MARCH, "final_at": at(0)}, [MARCH]),
    ],
)
def test_a_line_counts_in_the_month_in_which_it_became_final(
    facts: dict[str, object], months: list[date]
) -> None:
    found = line(**({"state": LineState.APPROVED} | facts))  # type: ignore[arg-type]
    later = datetime(2025, 6, 1, tzinfo=UTC)

    assert months == [
        month for month in (MARCH, APRIL, MAY_MONTH) if payable(found, month, ZONE, later, "CNY")
    ]


@pytest.mark.parametrize(
    ("proposed_in", "settled_in", "counts"),
    [
        ("CNY", "CNY", True),
        ("points", "CNY", False),
        ("CNY", "points", False),
        ("CNY", "", False),
        ("", "CNY", True),
    ],
)
def test_points_never_become_money(proposed_in: str, settled_in: str, counts: bool) -> None:
    found = line(LineState.APPROVED, final_at=at(0), unit=proposed_in)

    assert counts is payable(found, MARCH, ZONE, at(10), settled_in)


def test_a_line_is_not_settled_before_its_window_is_over() -> None:
    found = line(LineState.APPROVED, final_at=at(60))

    assert [False, True] == [payable(found, MARCH, ZONE, now, "CNY") for now in (at(59), at(60))]


def test_months_follow_each_other_in_the_houses_zone() -> None:
    last = datetime(2025, 12, 31, 16, tzinfo=UTC)

    assert date(2026, 1, 1) == month_of(last, ZONE) == following(date(2025, 12, 1))
    assert last == begins(date(2026, 1, 1), ZONE)


@pytest.mark.parametrize(
    ("fixed", "month"), [((), APRIL), ((MARCH, APRIL), MAY_MONTH), ((MAY_MONTH,), APRIL)]
)
def test_a_counter_entry_comes_in_the_next_month_that_is_open(
    fixed: tuple[date, ...], month: date
) -> None:
    assert month == counter_month(MARCH, at(0), ZONE, fixed)


@pytest.mark.parametrize("text", ["", "2025-13", "March", "2025-03-01"])
def test_what_is_no_month(text: str) -> None:
    with pytest.raises(Refused, match="is no month") as caught:
        checked_month(text)

    assert "bad_month" == caught.value.code


@pytest.mark.parametrize("text", ["", "ten", "1.005", "NaN", "1e99", "12,50"])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(Refused, match="is no amount") as caught:
        checked_amount(text)

    assert "bad_amount" == caught.value.code


GOOD = "\ufeffnumber,month,what,amount,note\n6001,2025-03,orders,82.4,412 orders\n\n"


def test_a_table_of_bonus_lines_is_read() -> None:
    found = read_bonus(GOOD, {"6001": MAY})

    assert [(MAY, MARCH, "orders", Decimal("82.40"), "412 orders")] == [
        (row.person, row.month, row.what, row.amount, row.note) for row in found
    ]


@pytest.mark.parametrize(
    ("content", "line", "why"),
    [
        ("", 1, "the heading must be"),
        ("number,month\n", 1, "the heading must be"),
        (GOOD + "6002,2025-03,orders,1,\n", 4, "nobody has the number '6002'"),
        (GOOD + "6001,2025-03,orders,1,\n", 4, "stand there twice"),
        (GOOD + "6001,2025-3-1,prize,1,\n", 4, "is no month"),
        (GOOD + "6001,2025-03,prize,x,\n", 4, "is no amount"),
        (GOOD + "6001,2025-03,,1,\n", 4, "the what must have"),
        (GOOD + "6001,2025-03,prize\n", 4, "there must be 5 cells"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_taken(content: str, line: int, why: str) -> None:
    with pytest.raises(Refused, match=why) as caught:
        read_bonus(content, {"6001": MAY})

    assert ("bonus_table", line) == (caught.value.code, caught.value.facts["line"])
