"""Good lines of a file are stored, broken ones are told with line and reason."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cti.customers.imports import Broken, Lines, Report, import_csv
from cti.customers.rules import Entry
from cti.customers.store import CustomerStore
from cti.db.engine import Database
from cti.errors import ConfigError, StoreUnavailable
from cti.house import CustomerRules, Tier
from tests.kit import scratch

HEADING = "external_id,name,phones,tier,company,area,note,care_flags,do_not_call"


def broken(text: str) -> dict[int, str]:
    """Tell which lines of a file are broken, and why."""
    lines = Lines(text, "CN", "c.csv")
    return {line.line: "; ".join(line.reasons) for line in lines if isinstance(line, Broken)}


def names(text: str) -> list[str]:
    """Name the good lines of a file."""
    return [line.name for line in Lines(text, "CN", "c.csv") if isinstance(line, Entry)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of six lines, two of them broken."""
    path = tmp_path / "customers.csv"
    path.write_text(
        f"{HEADING}\n"
        'C1,王小明,13800138000;021-62345678,gold,公司,上海,"says ""hello"", often",elderly,no\n'
        "C2,,13900139000,,,,,,\n"
        "\n"
        "C3,小红,1.38E+10,,,,,,\n"
        "C4,=cmd|' /C calc'!A0,13700137000,vip,,,<b>,,yes\n",
        encoding="utf-8",
    )
    return path


async def test_good_lines_are_stored_and_broken_ones_told(db: Database, file: Path) -> None:
    store = CustomerStore(db)

    report = await import_csv(file, store, "CN")

    assert report.lines("customers.csv") == [
        "customers.csv: 2 added, 0 changed, 0 the same, 2 broken",
        "  line 3: it has no name",
        "  line 5: phone '1.38E+10' was spoilt by a spreadsheet: format the column as text",
    ]
    assert await store.count() == 2
    assert await store.find("+8613900139000") == []
    [ming] = await store.find("+862162345678")
    assert (ming.name, ming.note, ming.care_flags) == (
        "王小明",
        'says "hello", often',
        ("elderly",),
    )
    [hostile] = await store.find("+8613700137000")
    assert (hostile.name, hostile.note, hostile.do_not_call) == ("=cmd|' /C calc'!A0", "<b>", True)


async def test_the_same_file_again_changes_nothing(db: Database, file: Path) -> None:
    store = CustomerStore(db)
    await import_csv(file, store, "CN")

    again = await import_csv(file, store, "CN")

    assert (again.added, again.changed, again.same) == (0, 0, 2)


async def test_a_dry_run_tells_the_same_and_stores_nothing(db: Database, file: Path) -> None:
    store = CustomerStore(db)

    report = await import_csv(file, store, "CN", dry=True)

    assert (report.added, len(report.broken)) == (2, 2)
    assert report.lines("f")[0].endswith("(dry run: nothing was stored)")
    assert await store.count() == 0


async def test_many_lines_are_stored_in_parts(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    rows = [f"guest {number},{60000 + number}" for number in range(1_203)]
    path.write_text("name,phones\n" + "\n".join(rows))
    store = CustomerStore(db)

    report = await import_csv(path, store, "CN")

    assert (report.added, report.broken) == (1_203, [])
    assert await store.count() == 1_203


async def test_no_space_left_tells_what_was_stored_and_the_rest_can_follow(
    sqlite_db: Database, tmp_path: Path
) -> None:
    path = tmp_path / "many.csv"
    rows = [f"guest {number},{60000 + number},{'x' * 500}" for number in range(1_000)]
    path.write_text("name,phones,note\n" + "\n".join(rows))
    store, report = CustomerStore(sqlite_db), Report()
    pages = await scratch.asked(sqlite_db, "PRAGMA page_count")
    await scratch.tell(sqlite_db, f"PRAGMA max_page_count = {pages + 150}")

    with pytest.raises(StoreUnavailable, match="no space left"):
        await import_csv(path, store, "CN", report=report)
    stored = await store.count()
    await scratch.tell(sqlite_db, "PRAGMA max_page_count = 100000")
    again = await import_csv(path, store, "CN")

    assert stored == report.added == 500
    assert (again.added, again.same) == (500, 500)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
async def test_what_spreadsheets_write_is_read(
    sqlite_db: Database, tmp_path: Path, delimiter: str, end: str, encoding: str
) -> None:
    path = tmp_path / "sheet.csv"
    rows = ["name,phones,note", '小明,"13800138000/6001","two"', "小红,'13900139000,one"]
    text = end.join(row.replace(",", delimiter) for row in rows)
    path.write_bytes(text.encode(encoding))

    report = await import_csv(path, CustomerStore(sqlite_db), "CN")

    assert (report.added, report.broken) == (2, [])


async def test_a_file_that_is_not_utf8_says_how_it_would_read(
    tmp_path: Path, sqlite_db: Database
) -> None:
    path = tmp_path / "excel.csv"
    path.write_bytes("name,phones\n王小明,13800138000\n".encode("gb18030"))
    store = CustomerStore(sqlite_db)

    with pytest.raises(ConfigError, match="line 2 is not utf-8") as caught:
        await import_csv(path, store, "CN")
    report = await import_csv(path, store, "CN", encoding="gb18030")

    assert caught.value.code == "customers_encoding"
    assert "gb18030: 王小明,13800138000" in caught.value.what
    assert "--encoding utf-8 | utf-16 | gb18030 | big5" in caught.value.todo
    assert report.added == 1
    assert [c.name for c in await store.find("+8613800138000")] == ["王小明"]


@pytest.mark.parametrize(
    ("content", "encoding", "expected"),
    [
        (b"name,phones\n", "ebcdic", "there is no encoding 'ebcdic'"),
        (b"name,phones\n\xff,1\n", "gb18030", "line 2 is not gb18030"),
    ],
)
async def test_an_encoding_that_does_not_fit_is_told(
    tmp_path: Path, sqlite_db: Database, content: bytes, encoding: str, expected: str
) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=expected) as caught:
        await import_csv(path, CustomerStore(sqlite_db), "CN", encoding=encoding)

    assert caught.value.code == "customers_encoding"


async def test_a_file_that_is_not_there_is_told(tmp_path: Path, sqlite_db: Database) -> None:
    with pytest.raises(ConfigError, match=r"none\.csv: cannot be read: No such file") as caught:
        await import_csv(tmp_path / "none.csv", CustomerStore(sqlite_db), "CN")

    assert caught.value.code == "customers_file"


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("", "the columns name, and phones or external_id, must be there"),
        ("name", "the columns name, and phones or external_id, must be there"),
        ("name,phone", "no such column 'phone', did you mean phones?; the columns name, and"),
        ("name,phones,hobby", "no such column 'hobby'"),
        ("name,phones,name", "two columns name"),
        ("王小明,13800138000", "no such column '王小明'"),
        ('"name,phones', "the columns name, and phones or external_id, must be there"),
    ],
)
def test_a_heading_that_is_wrong_is_told_before_anything_is_stored(
    heading: str, expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Lines(f"{heading}\nx,1\n", "CN", "c.csv")

    assert expected in caught.value.what
    assert caught.value.what.startswith("c.csv: line 1, the heading: ")
    assert caught.value.code == "customers_heading"


def test_a_heading_may_be_in_capitals_and_any_order() -> None:
    assert names(" Phones ,NAME\n6001,May\n") == ["May"]


def test_a_line_with_too_few_or_too_many_fields_is_broken() -> None:
    text = "name,phones\nMay\nBo,6002,more\nLin,6003\n"

    assert broken(text) == {
        2: "it has 1 fields, the heading has 2",
        3: "it has 3 fields, the heading has 2",
    }
    assert names(text) == ["Lin"]


def test_a_quotation_mark_gone_astray_costs_its_own_line_alone() -> None:
    text = 'name,phones\n"May,6001\nBo,6002\nLin,"6003"\nChen,6004\n'

    assert list(broken(text)) == [2]
    assert "quotation mark" in broken(text)[2]
    assert names(text) == ["Bo", "Lin", "Chen"]


def test_a_quotation_mark_never_closed_costs_its_own_line_alone() -> None:
    text = "name,phones\n" + '"May,6001\n' + "".join(f"guest {n},{60000 + n}\n" for n in range(50))

    assert list(broken(text)) == [2]
    assert len(names(text)) == 50


def test_a_quoted_field_may_hold_delimiters_quotes_and_lines() -> None:
    text = 'name,phones,note\n"Chen, ""Bo""",6002,"first\nsecond"\nMay,6001,5" disk\n'

    assert broken(text) == {}
    assert names(text) == ['Chen, "Bo"', "May"]


def test_the_second_of_two_lines_about_one_customer_is_broken() -> None:
    text = (
        "external_id,name,phones\n"
        "C1,May,6001\nC1,Bo,6002\n,Lin,6003\n,Lin,6004;6003\n,May,6001\n,May,6005\n"
    )

    assert broken(text) == {
        3: "it has the same external_id as line 2",
        5: "it has the same name and phone as line 4",
        6: "it has the same name and phone as line 2",
    }


@given(st.text(alphabet=st.sampled_from('ab1,;"\n\r\t\x00\u2028王'), max_size=120))
def test_no_text_raises_and_every_line_is_good_or_told(text: str) -> None:
    for line in Lines("name,phones\n" + text, "CN", "c.csv"):
        assert isinstance(line, Entry) or line.reasons


async def test_tiers_and_care_flags_of_a_file_are_those_of_the_house(
    tmp_path: Path, sqlite_db: Database
) -> None:
    file, store = tmp_path / "c.csv", CustomerStore(sqlite_db)
    file.write_text("name,phones,tier,care_flags\nA,1001,金鑽,輪椅\nB,1002,gold,elderly\n")
    labels = dict.fromkeys(("en", "zh-Hant", "zh-Hans"), "金鑽")
    rules = CustomerRules(tiers={"dia": Tier(id="dia", labels=labels)}, care_flags=("輪椅",))

    report = await import_csv(file, store, "CN", rules=rules)

    (found,) = await store.find("1001")
    assert ("dia", ("輪椅",)) == (found.tier, found.care_flags)
    assert [
        "  line 3: care flag 'elderly' is none of the house's: 輪椅; "
        "tier 'gold' is none of the house's: dia"
    ] == report.lines("c.csv")[1:]
