"""What does a table look like in a file? Columns and rows in, CSV out, harmless everywhere.

A cell may hold what a caller sent. A spreadsheet program runs what begins like a formula, so
text is guarded (ASVS 1.2.10), and a number of a phone is text (requirement UI-29).
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from cti.value import value

Cell = None | str | int | float | Decimal | date | datetime | timedelta
Plain = None | str | int | float | Decimal

MOST_ROWS: Final = 1_048_575
"""Rows below the heading that a spreadsheet program can open."""
LONGEST_TEXT: Final = 32_767
"""Characters that a cell of a spreadsheet program can hold."""

_RISKY: Final = re.compile(r"[\t\r\n\x00]|[\s\x00-\x1f\x7f\ufeff]*[=+\-@＝＋－＠]")
_PHONE: Final = re.compile(r"\+?[0-9][0-9 ]{1,24}")
_NAME: Final = re.compile(r"[^0-9A-Za-z._-]+")


class Kind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    PHONE = "phone"
    """A number that is dialled: text, never counted with."""
    WHOLE = "whole"
    MONEY = "money"
    RATIO = "ratio"
    """0 to 1; shown as per cent where a file can."""
    DURATION = "duration"
    DAY = "day"
    INSTANT = "instant"
    """Aware; written in the house's zone."""


@value
class Column:
    """One column with its heading in the reader's language."""

    title: str
    kind: Kind = Kind.TEXT


@value
class Sheet:
    """A table to give away. `name` is that of the file, without ending."""

    name: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    zone: ZoneInfo = ZoneInfo("UTC")

    @property
    def file_name(self) -> str:
        """The name with nothing in it that a file system or a header minds."""
        return _NAME.sub("-", self.name).strip("-.")[:100] or "sheet"


def harmless(text: str) -> str:
    """Put a `'` before a text that a spreadsheet program would run or lose."""
    return f"'{text}" if _RISKY.match(text) else text


def plain_rows(sheet: Sheet) -> Iterable[list[Plain]]:
    """Give the rows as numbers and text: `2026-11-22 12:00:00` in the house's zone, `h:mm:ss`."""
    kinds = [column.kind for column in sheet.columns]
    for row in sheet.rows:
        yield [_plain(kind, cell, sheet.zone) for kind, cell in zip(kinds, row, strict=True)]


def csv_bytes(sheet: Sheet) -> bytes:
    """Write a sheet as CSV in UTF-8 with a mark, so that spreadsheet programs read it as such.

    Text is quoted and guarded, numbers are bare.
    """
    kinds = [column.kind for column in sheet.columns]
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow([harmless(column.title) for column in sheet.columns])
    writer.writerows(map(_guarded, kinds, row) for row in plain_rows(sheet))
    return text.getvalue().encode("utf-8-sig")


def for_process(sheet: Sheet) -> bytes:
    """Give a sheet as `cti.reports.xlsx`, in a process of its own, reads it."""
    columns = [(column.title, column.kind) for column in sheet.columns]
    asked = {"columns": columns, "rows": list(plain_rows(sheet))}
    return json.dumps(asked, default=float).encode()


def _guarded(kind: Kind, cell: Plain) -> Plain:
    if not isinstance(cell, str):
        return "" if cell is None else cell
    if kind is Kind.PHONE and _PHONE.fullmatch(cell):
        return cell  # digits alone harm nobody, and +886 must stay readable
    return harmless(cell)


def _plain(kind: Kind, cell: Cell, zone: ZoneInfo) -> Plain:
    match cell:
        case datetime():
            local = cell.astimezone(zone)
            return f"{local:%Y-%m-%d}" if kind is Kind.DAY else f"{local:%Y-%m-%d %H:%M:%S}"
        case date():
            return cell.isoformat()
        case timedelta():
            return _lasted(cell)
        case Decimal():
            return f"{cell:f}" if kind is Kind.TEXT else cell
        case str():
            return cell[:LONGEST_TEXT].encode(errors="replace").decode()
        case float() if kind is Kind.RATIO:
            return round(cell, 4)
        case _:
            return cell


def _lasted(span: timedelta) -> str:
    seconds = max(0, round(span.total_seconds()))
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
