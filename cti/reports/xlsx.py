"""How does a sheet become XLSX without holding up calls? In a process of its own, at low priority.

50,000 rows take some seconds of a CPU; in a thread they would take turns with every ring. The
process reads the plain sheet as JSON from its input and writes the file to its output:
`python -m cti.reports.xlsx`.
"""

import io
import json
import os
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from cti.reports.sheets import Kind, harmless

_FORMATS: Final[Mapping[Kind, Mapping[str, Any]]] = {
    Kind.TEXT: {},
    Kind.PHONE: {"num_format": "@", "quote_prefix": True},
    Kind.WHOLE: {"num_format": "0"},
    Kind.MONEY: {"num_format": "#,##0.00"},
    Kind.RATIO: {"num_format": "0.0%"},
    Kind.DURATION: {"num_format": "[h]:mm:ss"},
    Kind.DAY: {"num_format": "yyyy-mm-dd"},
    Kind.INSTANT: {"num_format": "yyyy-mm-dd hh:mm:ss"},
}
_WIDTHS: Final[Mapping[Kind, int]] = {Kind.TEXT: 24, Kind.PHONE: 18, Kind.INSTANT: 20}


def xlsx_bytes(asked: bytes) -> bytes:
    """Write what `for_process` gave as XLSX: one sheet, no formula in it, the heading kept in view.

    Text that begins like a formula stays text, even when its cell is edited.
    """
    given = json.loads(asked)
    kinds = [Kind(kind) for _, kind in given["columns"]]
    file = io.BytesIO()
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(file, options) as book:
        page = book.add_worksheet()
        formats = {kind: book.add_format(dict(_FORMATS[kind])) for kind in Kind}
        quoted = book.add_format({"quote_prefix": True})
        heading = book.add_format({"bold": True})
        page.freeze_panes(1, 0)
        for place, (title, kind) in enumerate(given["columns"]):
            page.set_column(place, place, _WIDTHS.get(Kind(kind), 12))
            page.write_string(0, place, title, heading)
        for line, row in enumerate(given["rows"], start=1):
            for place, (kind, cell) in enumerate(zip(kinds, row, strict=True)):
                if cell is not None:
                    _write(page, line, place, kind, cell, formats, quoted)
    return file.getvalue()


def _write(
    page: Worksheet,
    line: int,
    place: int,
    kind: Kind,
    cell: str | float,
    formats: Mapping[Kind, Any],
    quoted: Any,
) -> None:
    if not isinstance(cell, str):
        page.write_number(line, place, cell, formats[kind])
    elif kind in (Kind.DAY, Kind.INSTANT):
        page.write_datetime(line, place, datetime.fromisoformat(cell), formats[kind])
    elif kind is Kind.DURATION:
        hours, minutes, seconds = map(int, cell.split(":"))
        page.write_number(
            line, place, (hours * 3600 + minutes * 60 + seconds) / 86_400, formats[kind]
        )
    else:
        risky = kind is Kind.TEXT and harmless(cell) != cell
        page.write_string(line, place, cell, quoted if risky else formats[kind])


if __name__ == "__main__":
    os.nice(10)
    sys.stdout.buffer.write(xlsx_bytes(sys.stdin.buffer.read()))
