"""What does a month come to for one person? Pure.

A line belongs to the month in which it became final: its appeal window over, or its appeal
decided (V3). The bonus never falls below the floor; what that cuts off is shown and not carried
over. Base pay takes no part (MISS-04, V5).
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Final
from zoneinfo import ZoneInfo

from cti.errors import Refused
from cti.penalties.record import BonusLine, Entry, EntryKind, PenaltyLine, Statement, StatementState
from cti.penalties.review import PAYABLE
from cti.people.rules import checked_text
from cti.value import value

HEADING: Final = ("number", "month", "what", "amount", "note")
WHAT_LIMIT: Final = 80
NOTE_LIMIT: Final = 500
_MOST: Final = Decimal("9999999.99")
_CENT: Final = Decimal("0.01")


def month_of(at: datetime, zone: ZoneInfo) -> date:
    """Give the house's month in which an instant lies."""
    return at.astimezone(zone).date().replace(day=1)


def following(month: date) -> date:
    """Give the month after a month."""
    first = month.replace(day=1)
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)


def begins(month: date, zone: ZoneInfo) -> datetime:
    """Give the instant at which a month begins in the house's zone."""
    return datetime.combine(month.replace(day=1), time(), zone).astimezone(UTC)


def payable(line: PenaltyLine, month: date, zone: ZoneInfo, now: datetime, unit: str) -> bool:
    """Tell whether a line counts in a month's statement, which is in `unit` (V3).

    What was proposed in another one, before the house changed its settlement, never does: points
    that were approved do not become money.
    """
    if line.month is not None:
        return line.month == month
    return (
        line.state in PAYABLE
        and line.final_at is not None
        and line.final_at <= now
        and month_of(line.final_at, zone) == month
        and bool(line.policy)
        and line.unit in ("", unit)
    )


def made(
    person: str,
    month: date,
    *,
    bonus: Iterable[BonusLine],
    penalties: Iterable[PenaltyLine],
    floor: Decimal,
    unit: str,
    state: StatementState = StatementState.OPEN,
) -> Statement:
    """Add a month up: bonus, less penalties, never below the floor."""
    entries = sorted([*map(_earned, bonus), *map(_taken, penalties)], key=lambda e: (e.at, e.id))
    total = sum((entry.amount for entry in entries), Decimal("0.00"))
    paid = max(total, floor)
    return Statement(
        person=person,
        month=month,
        state=state,
        entries=tuple(entries),
        sum=total,
        floor=floor,
        total=paid,
        remainder=total - paid,
        unit=unit,
    )


def counter_month(settled: date, now: datetime, zone: ZoneInfo, fixed: Iterable[date]) -> date:
    """Give the month of a counter-entry: a later one than the line's, and still open."""
    month = max(following(settled), month_of(now, zone))
    closed = frozenset(fixed)
    while month in closed:
        month = following(month)
    return month


def checked_month(text: str) -> date:
    """Read a month, `2025-03`. Raises `Refused` (bad_month)."""
    try:
        return datetime.strptime(text.strip(), "%Y-%m").replace(tzinfo=UTC).date()
    except ValueError:
        raise Refused("bad_month", f"{text[:20]!r} is no month: write 2025-03") from None


def checked_amount(text: str) -> Decimal:
    """Read an amount with at most two decimals. Raises `Refused` (bad_amount)."""
    try:
        amount = Decimal(text.strip())
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or abs(amount) > _MOST or amount != amount.quantize(_CENT):
        raise Refused("bad_amount", f"{text[:20]!r} is no amount: write 12.50")
    return amount.quantize(_CENT)


@value
class BonusRow:
    """One row of a table of bonus lines, read and found good."""

    person: str
    month: date
    what: str
    amount: Decimal
    note: str


def read_bonus(content: str, numbers: Mapping[str, str]) -> Sequence[BonusRow]:
    """Read a CSV table of bonus lines; `numbers` gives people's ids by their numbers.

    All rows or none. Raises `Refused` (bonus_table) with `line` and `why`.
    """
    rows = list(csv.reader(io.StringIO(content.removeprefix("\ufeff"))))
    if not rows or tuple(cell.strip().casefold() for cell in rows[0]) != HEADING:
        raise _bad_row(1, f"the heading must be {','.join(HEADING)}")
    found: dict[tuple[str, date, str], BonusRow] = {}
    for place, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        one = _bonus_row(place, row, numbers)
        key = one.person, one.month, one.what
        if key in found:
            raise _bad_row(place, "the same number, month and what stand there twice")
        found[key] = one
    return tuple(found.values())


def _bonus_row(place: int, row: Sequence[str], numbers: Mapping[str, str]) -> BonusRow:
    if len(row) != len(HEADING):
        raise _bad_row(place, f"there must be {len(HEADING)} cells")
    number, month, what, amount, note = (cell.strip() for cell in row)
    person = numbers.get(number)
    if person is None:
        raise _bad_row(place, f"nobody has the number {number[:32]!r}")
    try:
        return BonusRow(
            person=person,
            month=checked_month(month),
            what=checked_text("what", what, WHAT_LIMIT, least=1),
            amount=checked_amount(amount),
            note=checked_text("note", note, NOTE_LIMIT),
        )
    except Refused as fault:
        raise _bad_row(place, fault.what) from fault


def _bad_row(line: int, why: str) -> Refused:
    return Refused("bonus_table", f"line {line}: {why}", line=line, why=why)


def _earned(line: BonusLine) -> Entry:
    kind = EntryKind.COUNTER if line.reverses else EntryKind.BONUS
    return Entry(
        kind=kind,
        id=line.id,
        what=line.what,
        at=line.entered_at,
        amount=line.amount,
        note=line.note,
    )


def _taken(line: PenaltyLine) -> Entry:
    amount = -(line.amount or Decimal("0.00"))
    return Entry(kind=EntryKind.PENALTY, id=line.id, what=line.rule, at=line.at, amount=amount)
