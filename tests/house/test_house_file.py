"""A house file is read whole, or everything that is wrong with it is said."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cti import house_file
from cti.errors import HouseError
from cti.house import House
from cti.house_file import Source

HOUSES = sorted((Path(__file__).parents[2] / "config" / "houses").glob("*.toml"))
FAULTS = re.findall(
    r"^(\S.*)\n    (.*)$", (Path(__file__).parent / "faults.txt").read_text(), re.MULTILINE
)
CARD = '[house]\nid = "may"\ntimezone = "Asia/Taipei"\n'


def read(more: str = "", card: str = CARD) -> House:
    """Read a house file of which only a part matters."""
    return house_file.parse((card + more).encode())


def findings(more: str = "", card: str = CARD) -> list[str]:
    """Say what is wrong with a house file."""
    with pytest.raises(HouseError) as caught:
        read(more, card)
    return [finding.line() for finding in caught.value.findings]


@pytest.mark.parametrize("path", HOUSES, ids=lambda path: path.stem)
def test_each_of_the_seven_houses_is_good(path: Path) -> None:
    house = house_file.read(path)

    assert house.card.id == path.stem
    assert house.card.name.isprintable()
    assert house.hours
    assert house.effective_from == date(2025, 1, 1)


def test_there_are_seven_houses_and_each_has_its_own_business() -> None:
    assert len(HOUSES) == 7
    assert len({house_file.read(path).card.business for path in HOUSES}) == 7


@pytest.mark.parametrize("path", HOUSES, ids=lambda path: path.stem)
def test_a_shipped_house_differs_from_the_reference_as_the_sources_do(path: Path) -> None:
    house, plain = house_file.read(path), read(card=CARD.replace("Taipei", "Shanghai"))

    same = replace(plain, penalties=replace(plain.penalties, settlement=house.penalties.settlement))
    same = replace(same, card=house.card, calendar=house.calendar, effective_from=date(2025, 1, 1))
    same = replace(same, visits=house.visits, forms=house.forms, scripts=house.scripts)
    same = replace(same, customers=house.customers)
    assert replace(same, version=house.version, warnings=house.warnings) == house
    assert house.penalties.settlement == ("bonus" if path.stem == "booking" else "none")
    assert [one.code for one in house.warnings if one.code.startswith("money")] == (
        ["money_doubted"] if path.stem == "booking" else []
    )


def test_what_is_not_said_is_at_its_default() -> None:
    house = read()

    assert house.hours == {"default": ((time(8, 15), time(22)),)}
    assert house.ring.cycle == timedelta(seconds=3)
    assert (house.ring.standard, house.ring.apologise_from) == (3, 5)
    assert house.limits["enquiry"].ceiling == timedelta(minutes=5)
    assert house.limits["booking_clear"].target == timedelta(minutes=1)
    assert house.overrun_needs_reason
    assert (house.card.currency, house.card.country) == ("CNY", "CN")


def test_what_is_said_is_read() -> None:
    house = read(
        'name = "晨"\nlocale = "zh-Hant"\nholidays = { country = "TW" }\n'
        '[hours]\nsun = []\nsat = [["10:00", "12:00"], ["22:00", "02:00"]]\n'
        '[ring]\ncycle_ms = "cn"\nmax_rings = 4\nclock = "customer_wait"\n'
        "[call_limits]\nenquiry = [10, 20]\noverrun_needs_reason = false\n"
    )

    assert (house.card.name, house.card.locale, house.card.country) == ("晨", "zh-Hant", "TW")
    assert house.hours["sun"] == ()
    assert house.hours["sat"][1] == (time(22), time(2))
    assert house.ring.cycle == timedelta(seconds=5)
    assert (house.ring.standard, house.ring.clock) == (4, "customer_wait")
    assert house.limits["enquiry"].target == timedelta(seconds=10)
    assert not house.overrun_needs_reason


@pytest.mark.parametrize(
    ("said", "milliseconds"), [("3000", 3000), ('"tw"', 3000), ('"cn"', 5000), ('"us"', 6000)]
)
def test_a_ring_is_milliseconds_or_a_country(said: str, milliseconds: int) -> None:
    assert read(f"[ring]\ncycle_ms = {said}\n").ring.cycle == timedelta(milliseconds=milliseconds)


def test_a_window_over_midnight_is_open_on_both_days() -> None:
    house = read('[hours]\ndefault = []\nsat = [["22:00", "02:00"]]\n')
    saturday, sunday = datetime(2025, 3, 8, tzinfo=UTC), datetime(2025, 3, 9, tzinfo=UTC)

    assert house.is_open(saturday + timedelta(hours=15))  # 23:00 in Taipei
    assert house.is_open(saturday + timedelta(hours=17))  # 01:00 on Sunday
    assert not house.is_open(sunday + timedelta(hours=15))


def test_the_whole_day_is_open_to_its_last_second() -> None:
    house = read('[hours]\ndefault = [["00:00", "24:00"]]\n')

    assert house.is_open(datetime(2025, 3, 8, 15, 59, 59, tzinfo=UTC))
    assert house.is_open(datetime(2025, 3, 8, 16, 0, tzinfo=UTC))


def test_the_version_is_that_of_the_content() -> None:
    assert read().version == read().version
    assert read().version != read("# a remark\n").version
    assert len(read().version) == 64


@pytest.mark.parametrize(("more", "expected"), FAULTS)
def test_each_fault_is_told_with_key_and_reason(more: str, expected: str) -> None:
    assert findings(more.replace(" | ", "\n")) == [expected]


MISSING = ["house.id: is required", "house.timezone: is required"]
NO_DATE = 'effective_from: must be a date as 2025-01-31, not "2025-01-01 10:00:00"'
NO_ZONE = 'house.timezone: must be a time zone as Asia/Taipei, not "Asia/Taipeh"'
NO_ID = 'house.id: must be 1 to 32 of a-z 0-9 _ -, a letter first, not "May"'


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("", ["house: the section [house] is missing", *MISSING]),
        ("house = 1\n", ["house: must be a section [house], not 1", *MISSING]),
        (
            '[house]\nid = "May"\ntimezone = "Asia/Taipeh"\n',
            [NO_ID, f"{NO_ZONE}; did you mean Asia/Taipei?"],
        ),
        ("schema = 2\n" + CARD, ["schema: this cti reads schema 1, not 2"]),
        ("effective_from = 2025-01-01T10:00:00\n" + CARD, [NO_DATE]),
        ("visits = 1\n" + CARD, ["visits: must be a section [visits], not 1"]),
    ],
)
def test_faults_outside_the_sections_are_told(card: str, expected: list[str]) -> None:
    assert findings(card=card) == expected


def test_all_faults_are_told_at_once_with_file_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(CARD + "[ring]\nmax_rings = 0\ncycle = 3\n")

    with pytest.raises(HouseError) as caught:
        house_file.read(path)

    assert str(caught.value) == (
        f"house file {path}: 2 things are wrong\n"
        f"  {path}: ring.max_rings: must be a whole number from 1 to 20, not 0\n"
        f"  {path}: ring.cycle: no such key; did you mean cycle_ms?\n"
        f"  What to do: mend the file, then run: cti house check {path}"
    )
    assert caught.value.code == "house_file"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a = \n", "not valid TOML: Invalid value (at line 1, column 5)"),
        (b"[house]\nname = \"\xb1\xb1\"\n", "byte 16 is no UTF-8: save the file as UTF-8"),
        (b"x = " + b"[" * 5000 + b"]" * 5000, "values are nested too deep"),
    ],
)  # fmt: skip
def test_what_is_no_toml_is_told(content: bytes, expected: str) -> None:
    with pytest.raises(HouseError) as caught:
        house_file.parse(content)

    assert [finding.line() for finding in caught.value.findings] == [expected]


@pytest.mark.parametrize("zone", ["Asia", "UTC", "../etc", "Asia/", "/etc/passwd", "\\0/\\0"])
def test_what_is_no_zone_is_refused(zone: str) -> None:
    card = f"[house]\nid = 'may'\ntimezone = '{zone}'\n"

    assert [line.split(",")[0] for line in findings(card=card)] == [
        "house.timezone: must be a time zone as Asia/Taipei"
    ]


def test_a_byte_order_mark_of_an_editor_does_no_harm() -> None:
    assert house_file.parse(b"\xef\xbb\xbf" + CARD.encode()).card.id == "may"


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(HouseError, match="cannot be read: No such file") as caught:
        house_file.read(tmp_path / "none.toml")

    assert caught.value.code == "house_missing"


def test_a_file_that_is_much_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    path.write_bytes(b"#" * 1_000_001)

    with pytest.raises(HouseError, match="larger than 1000000 bytes"):
        house_file.read(path)


def test_sections_of_a_later_version_are_accepted_and_plainly_named(tmp_path: Path) -> None:
    path = tmp_path / "may.toml"
    path.write_text(CARD + "[complaints]\nmode = 1\n[cases]\nx = 1\n")

    lines = house_file.check_lines(path)

    assert (
        "  read by a later version, NOT checked and without effect now: cases, complaints"
    ) in lines


WORDS = st.sampled_from(["id", "time", "shift", "agent", "since", "trigger"]) | st.text()
VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [*house_file.READ, *house_file.LATER, "schema", "effective_from"]
) | st.text(max_size=8)
KEYS = (
    st.sampled_from(["id", "name", "timezone", "holidays", "default", "mon", "cycle_ms", "enquiry"])
    | st.sampled_from(["departments", "rules", "missed_call", "dated", "consecutive", "disable"])
    | st.sampled_from(["tests", "contacts", "lines", "types", "windows", "breaker", "trunks"])
    | st.text(max_size=8)
)


@given(
    st.binary(max_size=300)
    | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace"))
)
def test_no_content_raises_anything_else(content: bytes) -> None:
    reading = house_file.examine(Source(text=content))

    assert reading.findings or reading.house.version


@given(st.dictionaries(NAMES, VALUES | st.dictionaries(KEYS, VALUES)))
def test_no_table_raises_anything_else(tables: dict[str, object]) -> None:
    reading = house_file.Reading()

    house_file._sections(reading, tables)

    assert all(finding.line().isprintable() for finding in reading.findings)
