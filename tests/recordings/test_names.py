"""What names of recordings say: real ones, and those of somebody who means ill."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings import names
from recordings.names import Message, Named, Side
from recordings.record import Kind

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 27, 4, 0, 0, tzinfo=UTC)
BORN = datetime.fromtimestamp(1795322718, UTC)
MONITOR = "/var/spool/asterisk/monitor"


def said(name: str) -> Named:
    """Read a name in the folder of recordings."""
    return names.said(f"{MONITOR}/{name}", SHANGHAI)


@pytest.mark.parametrize(
    ("name", "uniqueid", "numbers", "at"),
    [
        ("1795322718.42.wav", "1795322718.42", (), BORN),
        ("pbx1-1795322718.42.wav", "pbx1-1795322718.42", (), BORN),
        ("a-b_c.d-1795322718.42.WAV", "a-b_c.d-1795322718.42", (), BORN),
        (
            "in-4000-13800138000-20261127-120000-1795322718.42.wav",
            "1795322718.42",
            ("4000", "13800138000"),
            NOON,
        ),
        (
            "out-13800138000-6001-20261127-120000-1795322718.42.wav",
            "1795322718.42",
            ("13800138000", "6001"),
            NOON,
        ),
        (
            "q-support-13800138000-20261127-120000-pbx1-1795322718.42.wav",
            "pbx1-1795322718.42",
            ("support", "13800138000"),
            NOON,
        ),
        (
            "rg-600-+8613800138000-20261127-120000-1795322718.42.wav",
            "1795322718.42",
            ("600", "+8613800138000"),
            NOON,
        ),
        (
            "external-6001-13800138000-20261127-120000-1795322718.42.wav",
            "1795322718.42",
            ("6001", "13800138000"),
            NOON,
        ),
        (
            "exten-6001-anonymous-20261127-120000-1795322718.42.gsm",
            "1795322718.42",
            ("6001", "anonymous"),
            NOON,
        ),
        ("20261127-120000-1795322718.42.wav", "1795322718.42", (), NOON),
        ("q600-20261127-120000-1795322718.42.wav", "1795322718.42", ("600",), NOON),
        ("OUT6001-20261127-120000-1795322718.42.wav", "1795322718.42", ("6001",), NOON),
        ("auto-1795322718-6001-6002.wav", "", ("6001", "6002"), BORN),
        ("0f3c2d1e-0a4b-4d55-9e2c-41d2aa00bb11.wav", "", (), None),
    ],
)
def test_what_a_name_says(
    name: str, uniqueid: str, numbers: tuple[str, ...], at: datetime | None
) -> None:
    found = said(name)

    assert (uniqueid, numbers, at) == (found.uniqueid, found.numbers, found.at)
    assert (f"{MONITOR}/{name}", Side.BOTH, Kind.CALL) == (found.whole, found.side, found.kind)


def test_issabel_keeps_each_day_in_a_folder() -> None:
    found = said("2026/11/27/in-4000-13800138000-20261127-120000-1795322718.42.wav")

    assert ("1795322718.42", NOON) == (found.uniqueid, found.at)


@pytest.mark.parametrize(
    ("ending", "side"),
    [("rx", Side.RECEIVED), ("in", Side.RECEIVED), ("tx", Side.SENT), ("out", Side.SENT)],
)
@pytest.mark.parametrize("stem", ["0f3c2d1e-0a4b", "in-4000-1380-20261127-120000-1795322718.42"])
def test_a_side_belongs_to_the_file_of_both(stem: str, ending: str, side: Side) -> None:
    found = said(f"{stem}-{ending}.wav")

    assert (f"{MONITOR}/{stem}.wav", side) == (found.whole, found.side)
    assert said(f"{stem}.wav").uniqueid == found.uniqueid


def test_a_message_in_a_mailbox_is_known_by_its_folder() -> None:
    found = names.said("/var/spool/asterisk/voicemail/default/6001/INBOX/msg0000.wav", SHANGHAI)

    assert (Kind.VOICEMAIL, ("6001",)) == (found.kind, found.numbers)


def test_the_note_beside_a_message_tells_whose_it_is() -> None:
    note = (
        ";\n; Message Information file\n;\n[message]\norigmailbox=6001\ncontext=internal\n"
        "exten=6001\ncallerchan=PJSIP/trunk-00000008\ncallerid=13800138000\n"
        "origdate=Fri Nov 27 12:00:00 PM UTC 2026\norigtime=1795322718\n"
        "msg_id=1795322718-00000001\nduration=4\n"
    )

    assert names.message(note) == Message(
        channel="PJSIP/trunk-00000008", began=BORN, mailbox="6001", id="1795322718-00000001"
    )
    assert names.message("") == Message(channel="", began=None, mailbox="", id="")


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("a.wav", True),
        ("a.WAV", True),
        ("a.sln16", True),
        ("a.txt", False),
        ("wav", False),
        ("a.wav.part", False),
        ("a.", False),
    ],
)
def test_what_is_sound_is_told_by_the_ending(name: str, is_one: bool) -> None:
    assert is_one is names.is_sound(name)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a\nb.wav", "a%0Ab.wav"),
        ("\x1b[2J.wav", "%1B[2J.wav"),
        ("a\u202evaw.exe", "a%E2%80%AEvaw.exe"),
        ("bad-\udcff.wav", "bad-%FF.wav"),
        ("a%0Ab.wav", "a%250Ab.wav"),
        ("錄音-王小明.wav", "錄音-王小明.wav"),
    ],
)
def test_a_name_is_stored_so_that_nothing_obeys_it(name: str, told: str) -> None:
    assert told == names.stored(name)


def test_long_names_stay_different_names() -> None:
    one, other = names.stored("a" * 2000 + "1"), names.stored("a" * 2000 + "2")

    assert one != other
    assert (names.NAME_LIMIT, names.NAME_LIMIT) == (len(one), len(other))


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (f"{MONITOR}/secret-1795322718.42.wav", "…1795322718.42.wav"),
        (
            f"{MONITOR}/in-4000-1380-20261127-120000-secret-1795322718.42-rx.wav",
            "in-4000-1380-20261127-120000-…1795322718.42-rx.wav",
        ),
        ("own scheme secret-1795322718.42 x.wav", "…1795322718.42 x.wav"),
        ("1795322718.42.wav", "1795322718.42.wav"),
        ("in-4000-1380-20261127-120000-1795322718.42.wav",) * 2,
    ],
)
def test_the_secret_in_a_uniqueid_is_not_shown(source: str, told: str) -> None:
    assert told == names.shown(source)


@given(st.text(st.characters(codec=None), max_size=300))
def test_no_name_breaks_anything(name: str) -> None:
    found = names.said(name, SHANGHAI)
    stored = names.stored(found.whole)

    assert stored == stored.encode().decode()
    assert "\n" not in stored
    names.shown(stored)
    names.message(name)


@given(st.from_regex(r"(in|out|q)-[0-9-]{0,40}-?[0-9]{8}-[0-9]{6}-[0-9]{9,11}\.[0-9]{1,9}\.wav"))
def test_no_time_in_a_name_breaks_anything(name: str) -> None:
    names.said(name, SHANGHAI)
