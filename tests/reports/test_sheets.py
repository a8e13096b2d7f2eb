"""Files that are given away: the same rows, readable, and nothing in them that runs."""

import asyncio
import io
import zipfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cti.errors import Refused
from cti.reports.sheets import MOST_ROWS, Column, Kind, Sheet, csv_bytes, for_process, harmless
from cti.reports.xlsx import xlsx_bytes
from cti.web.downloads import WAITING, Downloads

NOON = datetime(2026, 11, 22, 4, tzinfo=UTC)
NAMES = Column(title="Name")
ALL_KINDS = Sheet(
    name="all",
    zone=ZoneInfo("Asia/Taipei"),
    columns=[Column(title=kind, kind=kind) for kind in Kind],
    rows=[
        [
            "王小明",
            "+886912345678",
            7,
            Decimal("12.50"),
            0.87345,
            timedelta(hours=25, seconds=61),
            date(2026, 11, 22),
            NOON,
        ],
        [None] * len(Kind),
    ],
)
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def names(*cells: str) -> Sheet:
    return Sheet(name="names", columns=[NAMES], rows=[[cell] for cell in cells])


def page_of(made: bytes) -> ElementTree.Element:
    with zipfile.ZipFile(io.BytesIO(made)) as book:
        return ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))  # noqa: S314  ours


def cells_of(made: bytes) -> list[str]:
    return ["".join(cell.itertext()) for cell in page_of(made).iter(f"{MAIN}c")]


def test_csv_says_the_same_rows_in_the_zone_of_the_house() -> None:
    heading, first, second, rest = csv_bytes(ALL_KINDS).decode("utf-8").split("\r\n")

    assert heading.startswith('\ufeff"text","phone"')
    assert first == (
        '"王小明","+886912345678",7,12.50,0.8734,"25:01:01","2026-11-22","2026-11-22 12:00:00"'
    )
    assert (second, rest) == (",".join(['""'] * len(Kind)), "")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\0", "\r", "\n", " =", "\x01=", "＝"])
def test_what_begins_like_a_formula_is_guarded_in_csv(start: str) -> None:
    text = f'{start}HYPERLINK("http://x","y")'

    written = csv_bytes(names(text)).decode("utf-8")

    assert written.split('"\r\n', 1)[1].startswith("\"'" + start)


@pytest.mark.parametrize("text", ["May", "王小明", "1-2", "a=b", "", "'=1"])
def test_what_is_no_formula_stays_as_it_is(text: str) -> None:
    assert text == harmless(text)


@pytest.mark.parametrize("number", ["+1+cmd|' /C calc'!A0", "=1+1", "-2", "@SUM(A1)"])
def test_a_forged_number_of_a_phone_is_guarded_like_text(number: str) -> None:
    sheet = Sheet(name="n", columns=[Column(title="n", kind=Kind.PHONE)], rows=[[number]])

    assert f'"\'{number}"' in csv_bytes(sheet).decode("utf-8")


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(), max_size=20))
@example("\ud800=")
def test_no_text_is_run_or_breaks_a_file(text: str) -> None:
    sheet = names(text)

    assert b"<f>" not in xlsx_bytes(for_process(sheet))
    first = csv_bytes(sheet).decode("utf-8").split("\r\n", 1)[1][1:2]
    assert first not in "=+-@\t\0" or first == ""


def test_xlsx_has_numbers_as_numbers_and_text_as_text() -> None:
    cells = cells_of(xlsx_bytes(for_process(ALL_KINDS)))

    assert list(Kind) == cells[: len(Kind)]
    assert cells[len(Kind) :][:5] == ["王小明", "+886912345678", "7", "12.5", "0.8734"]
    assert pytest.approx([90061 / 86400, 46348.0, 46348.5]) == [
        float(cell) for cell in cells[len(Kind) :][5:8]
    ]


def test_xlsx_has_no_formula_in_it() -> None:
    made = xlsx_bytes(for_process(names("=1+1", "{=1+1}", "http://x", "@SUM(A1)")))

    assert cells_of(made) == ["Name", "=1+1", "{=1+1}", "http://x", "@SUM(A1)"]
    assert list(page_of(made).iter(f"{MAIN}f")) == []


async def test_an_xlsx_is_made_by_another_process_under_its_name() -> None:
    answer = await Downloads().answer(
        Sheet(name='../"m 漏接 2026', columns=[NAMES], rows=[["May"]]), "xlsx"
    )

    assert isinstance(answer.body, bytes)
    assert cells_of(answer.body) == ["Name", "May"]
    assert answer.headers["Content-Disposition"] == 'attachment; filename="m-2026.xlsx"'


async def test_who_asks_while_too_many_wait_is_told_so() -> None:
    downloads = Downloads()

    answers = await asyncio.gather(
        *(downloads.answer(names("May"), "xlsx") for _ in range(WAITING + 1)),
        return_exceptions=True,
    )

    assert ["sheets_busy"] == [one.code for one in answers if isinstance(one, Refused)]


async def test_a_sheet_that_nothing_can_open_is_refused() -> None:
    sheet = Sheet(name="n", columns=[], rows=[[]] * (MOST_ROWS + 1))

    with pytest.raises(Refused, match="narrow the filter"):
        await Downloads().answer(sheet, "csv")
