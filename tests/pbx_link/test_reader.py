"""From bytes to believed events, and what becomes of the rest."""

from datetime import UTC, datetime, timedelta

from structlog.testing import capture_logs

from cti.clock import SetClock
from cti.pbx.aside import SetAside
from cti.pbx.frames import END, LONGEST_FRAME, Frame, Gate
from cti.pbx.reader import Reader, each, sound
from tests.kit.ami import BANNER, BOOTED, SECRET_NAME, event

NOW = datetime(2026, 11, 22, 2, 28, 55, tzinfo=UTC)
ACCEPTED = b"Response: Success\r\nActionID: 1\r\nMessage: Authentication accepted\r\n\r\n"


def new_aside() -> SetAside:
    return SetAside("main", SetClock(NOW))


def names(frames: list[Frame]) -> list[str]:
    return [frame.event for frame in frames]


def test_each_event_comes_once_in_order_with_its_arrival() -> None:
    reader = Reader(new_aside())

    got = reader.feed(BANNER + BOOTED + event("Newchannel") + event("Hangup")[:-2], NOW)
    got += reader.feed(b"\r\n", NOW + timedelta(seconds=1))

    assert names(got) == ["FullyBooted", "Newchannel", "Hangup"]
    assert [frame.arrived for frame in got] == [NOW, NOW, NOW + timedelta(seconds=1)]
    assert reader.counters.events == 3


def test_unwanted_events_are_dropped_by_name_and_counted() -> None:
    asked = list[str]()

    def wanted(name: str) -> bool:
        asked.append(name)
        return name != "VarSet"

    reader = Reader(new_aside(), wanted=wanted)

    got = reader.feed(event("VarSet") * 3 + event("Hangup") * 2 + event("VarSet"))

    assert names(got) == ["Hangup", "Hangup"]
    assert asked == ["VarSet", "Hangup"]
    assert (reader.counters.unwanted, reader.counters.events) == (4, 2)


def test_forged_events_are_set_aside_and_the_stream_goes_on() -> None:
    aside = new_aside()
    aside.hide(SECRET_NAME)
    reader = Reader(aside, gate=Gate(SECRET_NAME))

    got = reader.feed(
        event("Hangup", SECRET_NAME, Uniqueid=f"{SECRET_NAME}-1.1")
        + event("Hangup", Uniqueid=f"{SECRET_NAME}-1.1", Name="\x1b[31m王")
        + event("Newstate", SECRET_NAME)
    )

    assert names(got) == ["Hangup", "Newstate"]
    assert aside.counts == {"forged": 1}
    assert [kept.text for kept in aside.kept] == [
        "Event: Hangup | Privilege: call,all | Uniqueid: ***-1.1 | Name: \ufffd[31m王"
    ]


def test_what_is_neither_an_event_nor_a_reply_is_set_aside() -> None:
    aside = new_aside()
    reader = Reader(aside)

    got = reader.feed(b"HTTP/1.1 400 Bad Request\r\nX: 1" + END + event("Hangup"))

    assert names(got) == ["Hangup"]
    assert aside.counts == {"no_head": 1}


def test_a_reply_that_nobody_awaits_is_counted_and_dropped() -> None:
    reader = Reader(new_aside())

    assert reader.feed(ACCEPTED) == []
    assert reader.counters.unclaimed == 1
    assert not reader.aside.counts


def test_on_a_tape_the_greeting_after_the_login_is_believed() -> None:
    stream = BANNER + ACCEPTED + BOOTED + BOOTED

    live = Reader(new_aside(), gate=Gate(SECRET_NAME))
    tape = Reader(new_aside(), gate=Gate(SECRET_NAME), tape=True)

    assert names(live.feed(stream)) == []
    assert names(tape.feed(stream)) == ["FullyBooted"]


def test_a_greeting_that_does_not_come_first_is_forged() -> None:
    gate = Gate(SECRET_NAME)
    reader = Reader(new_aside(), gate=gate)
    gate.greet()

    with capture_logs():
        got = reader.feed(event("Newchannel", SECRET_NAME)) + reader.feed(BOOTED)

    assert names(got) == ["Newchannel"]
    assert reader.aside.counts == {"forged": 1}


def test_a_frame_too_long_is_set_aside_with_its_beginning() -> None:
    aside = new_aside()
    reader = Reader(aside)

    got = reader.feed(b"Event: Long\r\nX: " + b"x" * LONGEST_FRAME + END + event("Hangup"))

    assert names(got) == ["Hangup"]
    assert aside.counts == {"too_long": 1}
    assert aside.kept[0].text.startswith("Event: Long | X: xxx")
    assert len(aside.kept[0].text) <= 1001


def test_our_own_fault_about_one_name_costs_that_frame_alone() -> None:
    def wanted(name: str) -> bool:
        if name == "Odd":
            raise RuntimeError
        return True

    aside = new_aside()
    with capture_logs() as logs:
        got = Reader(aside, wanted=wanted).feed(event("A") + event("Odd") + event("B"))

    assert names(got) == ["A", "B"]
    assert aside.counts == {"handler": 1}
    assert {log["event"] for log in logs} == {"wanted_failed", "frame_set_aside"}


def test_a_consumer_that_raises_costs_one_frame_only() -> None:
    """D03, and fault 18: a handler that raises."""
    aside, done = new_aside(), list[str]()

    def handle(frame: Frame) -> None:
        if frame.event == "Odd":
            raise KeyError("no such channel")
        done.append(frame.event)

    with capture_logs():
        each(Reader(aside).feed(event("A") + event("Odd") + event("B")), handle, aside)

    assert done == ["A", "B"]
    assert aside.counts == {"handler": 1}


def test_frames_with_a_fault_are_set_aside_by_kind() -> None:
    aside = new_aside()
    frames = Reader(aside).feed(
        event("A", X="1\r\nX: 2") + event("B", Y="1\r\nY: 2") + event("C", X="1\r\nEvent: D")
    )

    assert names(sound(frames, aside)) == []
    assert aside.counts == {"repeated": 2, "two_heads": 1}
    assert [kept.reason for kept in aside.kept] == ["repeated:x", "repeated:y", "two_heads"]


def test_an_alarm_is_raised_once_a_minute_for_each_reason() -> None:
    clock = SetClock(NOW)
    aside = SetAside("main", clock)

    with capture_logs() as logs:
        for second in range(0, 125, 5):
            aside.put("forged", event("Hangup"))
            if second >= 60:
                aside.put("repeated:x\x1b[0m", b"")
            clock.go(timedelta(seconds=5))

    assert [(log["reason"], log["since_last"], log["total"]) for log in logs] == [
        ("forged", 1, 1),
        ("forged", 12, 13),
        ("repeated", 1, 1),
        ("forged", 12, 25),
        ("repeated", 12, 13),
    ]
    assert {log["log_level"] for log in logs} == {"warning"}
    assert logs[2]["header"] == "x\ufffd[0m"


def test_only_the_last_few_are_kept() -> None:
    aside = SetAside("main", SetClock(NOW), keep=3)
    with capture_logs():
        for n in range(10):
            aside.put("forged", event("Hangup", Uniqueid=str(n))[:-4])

    assert [kept.text[-1] for kept in aside.kept] == ["7", "8", "9"]


def test_invented_names_do_not_fill_the_memory() -> None:
    reader = Reader(new_aside())
    for n in range(3000):
        reader.feed(event(f"Made{n}"))

    assert len(reader._names) <= 1024
    assert reader.counters.events == 3000
