"""Cutting and reading frames, and who may be believed."""

import itertools
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from panoramisk.message import Message

from cti.pbx import frames as module
from cti.pbx.frames import END, LONGEST_FRAME, Frame, Framer, Gate
from tests.kit.ami import BANNER, BOOTED, SECRET_NAME, event

TRACES = sorted((Path(__file__).parent.parent / "traces").glob("*.ami"))
NEWCHANNEL = event(
    "Newchannel",
    Channel="PJSIP/trunk-00000008",
    CallerIDNum="13800138000",
    CallerIDName="王小明",
    Exten="",
    Uniqueid="1795314535.50",
)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def payloads(pieces: list[bytes], longest: int = LONGEST_FRAME) -> list[bytes]:
    framer = Framer(longest)
    return [payload for piece in pieces for payload in framer.feed(piece)]


def frame(*lines: str) -> Frame:
    return Frame("\r\n".join(lines).encode())


# --- where a frame ends


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1448])
@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: trace.stem)
def test_the_pieces_do_not_matter(trace: Path, size: int) -> None:
    data = BANNER + trace.read_bytes()

    assert payloads([data]) == payloads(cut(data, size))


LINES = st.sampled_from(
    [b"Event: A", b"X: 1", b"Asterisk Call Manager/9", b"", b"\r\n", b"\r", b"\n", "王".encode()]
)


@given(
    st.lists(LINES, max_size=30),
    st.lists(st.integers(0, 200), max_size=12),
    st.sampled_from([12, 40, LONGEST_FRAME]),
)
def test_any_cuts_of_any_stream_give_the_same_frames(
    lines: list[bytes], at: list[int], longest: int
) -> None:
    data = b"\r\n".join(lines) + END
    edges = sorted({0, len(data), *(place for place in at if place < len(data))})
    pieces = [data[start:end] for start, end in itertools.pairwise(edges)]

    whole, parted = Framer(longest), Framer(longest)

    assert whole.feed(data) == [got for piece in pieces for got in parted.feed(piece)]
    assert whole.too_long == parted.too_long


def test_blank_lines_and_the_banner_are_no_part_of_a_frame() -> None:
    data = b"\r\n\r\n\r\n" + BANNER + b"\r\n" + BOOTED + b"\r\n\r\n\r\n" + NEWCHANNEL
    framer = Framer()

    assert [BOOTED[:-4], NEWCHANNEL[:-4]] == framer.feed(data)
    assert framer.banner == "Asterisk Call Manager/11.0.0"


def test_a_second_session_on_the_same_tape_begins_with_its_banner() -> None:
    assert [NEWCHANNEL[:-4]] * 2 == payloads([NEWCHANNEL + BANNER + NEWCHANNEL])


def test_eight_megabytes_without_an_end_cost_one_frame_and_little_memory() -> None:
    framer, longest_hold = Framer(), 0
    began = time.process_time()

    framer.feed(NEWCHANNEL + b"Event: Endless\r\nX: ")
    for piece in cut(b"x" * 8_000_000, 1448):
        assert framer.feed(piece) == []
        longest_hold = max(longest_hold, framer.size)
    after = framer.feed(END + NEWCHANNEL)

    assert [NEWCHANNEL[:-4]] == after
    assert framer.too_long == 1
    assert framer.sample.startswith(b"Event: Endless")
    assert longest_hold <= LONGEST_FRAME + 3
    assert time.process_time() - began < 1.0  # panoramisk needs some 100 s


def test_a_frame_of_the_longest_size_is_read_and_one_byte_more_is_not() -> None:
    fits = b"Event: A\r\nX: " + b"x" * (100 - 13)

    for pieces in ([fits + END], cut(fits + END, 1), cut(fits + END, 9)):
        assert [fits] == payloads(pieces, longest=100)
    for pieces in ([fits + b"x" + END], cut(fits + b"x" + END, 1), cut(fits + b"x" + END, 9)):
        assert payloads(pieces, longest=100) == []


# --- what a frame says


def test_a_header_is_found_in_any_case_and_keeps_its_blanks() -> None:
    got = frame("Event: Test", "Privilege: call,all", "Uniqueid: 1.5", "Two:  x ", "Value: ")

    assert (
        got.first("UNIQUEID"),
        got.first("two"),
        got.first("Value"),
        got.first("Absent"),
    ) == ("1.5", " x ", "", None)
    assert {"event", "privilege", "uniqueid", "two", "value"} == set(got.headers())
    assert got.pick(("absent", "uniqueid")) == (None, "1.5")
    assert got.pick(("uniqueid",)) == ("1.5",)


def test_a_value_without_a_blank_after_the_colon_is_whole() -> None:
    got = frame("Event: Test", "Privilege: call,all", "Bare:x: y", "Empty:")

    assert (got.first("Bare"), got.first("Empty")) == ("x: y", "")
    assert got.fault() is None


@pytest.mark.parametrize("size", [1, 5, 1448])
def test_no_character_is_lost_where_a_stream_is_cut(size: int) -> None:
    stream = b"".join(event("Newchannel", CallerIDName="王小明" * n) for n in range(1, 40))

    names = [Frame(p).first("CallerIDName") for p in payloads(cut(stream, size))]

    assert ["王小明" * n for n in range(1, 40)] == names


def test_bytes_that_are_no_utf8_cost_only_themselves() -> None:
    got = Frame(b"Event: A\r\nName: \xff\xe7\x8e\r\nNext: \xe7\x8e\x8b")

    assert (got.first("Name"), got.first("Next")) == ("\ufffd\ufffd", "王")


def test_repeated_headers_are_always_a_list() -> None:
    one = frame("Event: A", "ChanVariable: a=1", "X: 1")
    two = frame("Event: A", "ChanVariable: a=1", "CHANVARIABLE: b=2", "X: 1")

    assert (
        one.all("chanvariable"),
        two.all("ChanVariable"),
        two.all("DestChanVariable"),
    ) == (["a=1"], ["a=1", "b=2"], [])
    assert {"event", "x"} == set(one.headers()) == set(two.headers())
    assert (one.fault(), two.fault()) == (None, None)


@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: trace.stem)
def test_all_that_asterisk_said_is_read_as_panoramisk_reads_it_save_what_it_loses(
    trace: Path,
) -> None:
    for payload in payloads([trace.read_bytes()]):
        got = Frame(payload)
        said = Message.from_line(payload.decode())

        assert got.fault() is None
        assert {name: got.first(name) for name in said if name != "content"} == {
            name: value for name, value in said.items() if name != "content"
        }
        assert got.event == said.event


# --- what is wrong with a frame


@pytest.mark.parametrize(
    ("fault", "lines"),
    [
        (None, ["Event: A", "X: 1", "Y: 1"]),
        ("repeated:uniqueid", ["Event: A", "Uniqueid: 1", "Uniqueid: 2"]),
        ("repeated:uniqueid", ["Event: A", "Uniqueid: 1", "UniqueID: 1"]),
        ("repeated:x", ["Event: A", "X: 1", "X:2"]),
        ("two_heads", ["Event: A", "X: 1", "Event: B"]),
        ("two_heads", ["Event: A", "X: 1", "Response: Success"]),
        ("two_heads", ["Response: Success", "Event: A"]),
        ("two_heads", ["Response: Success", "Response: Error"]),
        (None, ["Event: OriginateResponse", "Response: Failure"]),
        ("repeated:response", ["Event: OriginateResponse", "Response: A", "Response: B"]),
        ("bad_line", ["Event: A", "X: 1", "no colon here"]),
        ("bad_line", ["Event: A", "X: 1", ""]),
        ("bad_line", ["Event: A", ": no name"]),
        ("bad_line", ["Event: A", "a b: blank in the name"]),
        ("bad_line", ["Event: A", "王: not ASCII"]),
        ("bad_line", ["Event: A", "a\nb: line feed in the name"]),
        ("no_head", ["X: 1", "Event: A"]),
        ("no_head", ["event: A"]),
        ("no_head", ["Event:A"]),
        (None, ["Event: A", *(f"X{n}: 1" for n in range(255))]),
        ("too_many_headers", ["Event: A", *(f"X{n}: 1" for n in range(256))]),
        (None, ["Response: Success", *(f"X{n}: 1" for n in range(500))]),
        (None, ["Event: VarSet", "Variable: a", "Variable: b"]),
        (None, ["Event: Hangup", "ChanVariable: a=1", "ChanVariable: b=1"]),
        (None, ["Event: DialEnd", "DestChanVariable: a=1", "DestChanVariable: b=1"]),
        (None, ["Event: BlindTransfer", "TransfererChanVariable: a=1"] * 1 + ["X: 1"]),
        (None, ["Event: X", "TransfererChanVariable: a=1", "TransfererChanVariable: b=1"]),
        (None, ["Response: Success", "Output: a", "Output: b"]),
        (None, ["Event: UserEvent", "Channel: 1", "UserEvent: Own", "A: 1", "A: 2", "any"]),
        ("repeated:channel", ["Event: UserEvent", "Channel: 1", "UserEvent: Own", "Channel: 2"]),
        ("repeated:x", ["Event: UserEvent", "X: 1", "X: 1", "UserEvent: Own"]),
        ("two_heads", ["Event: UserEvent", "UserEvent: Own", "Event: Hangup"]),
        ("bad_line", ["Event: UserEvent", "no colon here", "UserEvent: Own"]),
    ],
)
def test_a_frame_that_cannot_be_trusted_says_why(fault: str | None, lines: list[str]) -> None:
    assert fault == frame(*lines).fault()
    assert fault == frame(*lines).fault()  # and again, now that the shape is known


HOSTILE = st.text(alphabet=st.sampled_from("ab:\r\n \x00é王\u2028"), max_size=12)


@given(
    st.lists(
        st.tuples(st.sampled_from(["X", "Y", "Event", "ChanVariable", "Ünicode", ""]), HOSTILE),
        max_size=6,
    )
)
def test_what_was_learnt_from_good_frames_lets_no_bad_one_pass(
    headers: list[tuple[str, str]],
) -> None:
    for names in (("X",), ("X", "Y"), ("Y", "ChanVariable")):
        frame("Event: A", *(f"{name}: 1" for name in names)).fault()
    text = "\r\n".join(["Event: A", *(f"{name}: {value}" for name, value in headers)])

    got = Frame(text.encode())
    expected, fault = module._read_slowly("A", text)

    assert fault == got.fault()
    if fault is None:
        assert expected == got.headers()
        assert tuple(expected.get(name) for name in ("x", "y", "z")) == got.pick(("x", "y", "z"))


def test_invented_events_and_headers_do_not_fill_the_memory() -> None:
    for n in range(1000):
        assert frame(f"Event: Made{n}", "X: 1").fault() is None
        assert frame("Event: Many", f"X{n}: 1").fault() is None
        frame("Event: Many", "X: 1").pick((f"y{n}", "x"))

    for _ in range(10):
        assert frame("Event: Odd", "X: a\rb").fault() is None

    assert len(module._SHAPES.known["Odd"]) == 1
    assert len(module._SHAPES.known) <= module._Shapes.most_events
    assert len(module._SHAPES.known["Many"]) <= module._Shapes.most_an_event


def test_a_frame_of_nothing_but_repeats_is_judged_in_no_time() -> None:
    payload = b"Response: Success" + b"\r\na: " * 13_000

    began = time.process_time()

    assert Frame(payload).fault() == "repeated:a"
    assert time.process_time() - began < 0.5


# --- who is believed


def genuine(**headers: str) -> Frame:
    return Frame(event("Newchannel", SECRET_NAME, **headers)[:-4])


def test_an_event_with_the_secret_in_its_place_is_believed() -> None:
    gate = Gate(SECRET_NAME)

    assert gate.refusal(genuine(Channel="PJSIP/6001-1")) is None
    assert gate.refusal(genuine()) is None


@pytest.mark.parametrize(
    ("why", "lines"),
    [
        ("forged", ["Event: Hangup", "Privilege: call,all"]),
        ("forged", ["Event: Hangup", "Privilege: call,all", "Timestamp: 1.2", "X: 1"]),
        ("forged", ["Event: Hangup", "Timestamp: 1.2", f"SystemName: {SECRET_NAME}"]),
        (
            "forged",
            ["Event: A", "Timestamp: 1.2", "Privilege: a", f"SystemName: {SECRET_NAME}"],
        ),
        (
            "forged",
            ["Event: A", "Privilege: a", "Timestamp: now", f"SystemName: {SECRET_NAME}"],
        ),
        (
            "forged",
            ["Event: A", "Privilege: a", "Timestamp: 1.2", "X: 1", f"SystemName: {SECRET_NAME}"],
        ),
        ("other_systemname", ["Event: A", "Privilege: a", "Timestamp: 1.2", "SystemName: pbx"]),
        (
            "other_systemname",
            ["Event: A", "Privilege: a", "Timestamp: 1.2", f"SystemName: {SECRET_NAME}x"],
        ),
        ("no_timestamp", ["Event: A", "Privilege: a", f"SystemName: {SECRET_NAME}"]),
        (
            "repeated:systemname",
            ["Event: A", "Privilege: a", "Timestamp: 1.2"] + [f"SystemName: {SECRET_NAME}"] * 2,
        ),
    ],
)
def test_any_other_event_is_not(why: str, lines: list[str]) -> None:
    assert why == Gate(SECRET_NAME).refusal(frame(*lines))


def test_a_caller_who_breaks_lines_cannot_speak_for_the_pbx() -> None:
    number = "1\r\n\r\n" + event("Hangup", Uniqueid="2.2").decode() + "Event: Hangup\r\nX: 1"
    stream = event("Newchannel", SECRET_NAME, CallerIDNum=number, Uniqueid="1.1")
    gate = Gate(SECRET_NAME)

    told = Counter(gate.refusal(Frame(payload)) for payload in payloads([stream]))

    assert told == {None: 1, "forged": 2}  # the first half is the PBX's, and lacks its Uniqueid


def test_a_caller_who_adds_a_header_has_his_frame_set_aside() -> None:
    got = genuine(CallerIDNum="1\r\nUniqueid: 2.2", Uniqueid="1.1")

    assert Gate(SECRET_NAME).refusal(got) == "repeated:uniqueid"


def test_the_greeting_is_believed_right_after_the_login_and_not_later() -> None:
    gate, greeting = Gate(SECRET_NAME), Frame(BOOTED[:-4])

    assert gate.refusal(greeting) == "forged"
    gate.greet()
    assert gate.refusal(greeting) is None
    assert gate.refusal(greeting) == "forged"
    gate.greet()
    assert gate.refusal(genuine()) is None
    assert gate.refusal(greeting) == "forged"


def test_without_a_secret_only_the_form_is_judged() -> None:
    assert Gate().refusal(frame("Event: Hangup", "X: 1")) is None
    assert Gate().refusal(frame("Event: Hangup", "X: 1", "X: 1")) == "repeated:x"
