"""What `cti replay --json` promises, field by field."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta, timezone
from pathlib import Path
from types import NoneType
from typing import Any

import pytest

from cti.calls.book import trunk_matcher
from cti.calls.record import CallRecord, Direction, OfferOutcome, Reason
from cti.calls.replay import as_json, as_line, replay
from cti.calls.rings import RingRules
from cti.clock import SetClock
from cti.house import House
from cti.pbx.aside import SetAside
from tests.kit.tapes import HOUSE, TAPES, TRACES, TRUNKS

EVERY_TAPE = [*TAPES, *sorted((TRACES / "lab").glob("*.ami"))]
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
CONTRACT: Mapping[str, tuple[type, ...]] = {
    "direction": (str,),
    "caller": (str, NoneType),
    "caller_name": (str, NoneType),
    "dialled": (str, NoneType),
    "channel": (str,),
    "began": (str, NoneType),
    "outcome": (str,),
    "reason": (str, NoneType),
    "answered_by": (dict, NoneType),
    "rings": (int, NoneType),
    "ring_ms": (int, NoneType),
    "wait_ms": (int, NoneType),
    "talk_ms": (int, NoneType),
    "ended_by": (str, NoneType),
    "offers": (list,),
    "queues": (list,),
    "recordings": (list,),
    "approximate": (bool,),
}


def records(data: bytes, house: House = HOUSE, **how: Any) -> list[CallRecord]:
    """The calls of a stream."""
    trunks = how.pop("trunks", TRUNKS)
    return replay([(data, None)], is_trunk=trunk_matcher(trunks), house=house, **how)


def lines(data: bytes, house: House = HOUSE, **how: Any) -> list[dict[str, Any]]:
    """What is printed of a stream, read back."""
    text = "\n".join(
        json.dumps(as_json(record), ensure_ascii=False) for record in records(data, house, **how)
    )
    return [json.loads(line) for line in text.splitlines()]


def trace(name: str) -> bytes:
    """The bytes of a tape."""
    return (TRACES / f"{name}.ami").read_bytes()


def check(line: dict[str, Any]) -> None:
    """See that a line keeps the contract."""
    assert list(line) == list(CONTRACT)
    for key, types in CONTRACT.items():
        assert type(line[key]) in types, key
    assert line["direction"] in list(Direction)
    assert line["outcome"] in ("answered", "missed")
    assert line["reason"] is None or line["reason"] in list(Reason)
    assert (line["reason"] is not None) == (
        line["direction"] == "inbound" and line["outcome"] == "missed"
    )
    assert line["ended_by"] in (None, "caller", "agent", "pbx")
    assert line["began"] is None or INSTANT.fullmatch(line["began"])
    assert (line["rings"] is None) == (line["ring_ms"] is None)
    if line["direction"] != "inbound":
        assert line["wait_ms"] is None
        assert line["caller_name"] is None
    if line["outcome"] == "missed":
        assert line["answered_by"] is None
        assert line["talk_ms"] is None
    if line["answered_by"]:
        assert list(line["answered_by"]) == ["agent", "device", "channel"]
    for offer in line["offers"]:
        assert list(offer) == ["agent", "device", "channel", "ring_ms", "outcome"]
        assert offer["outcome"] in list(OfferOutcome)
        assert type(offer["ring_ms"]) in (int, NoneType)
        assert all(type(offer[key]) is str for key in ("agent", "device", "channel"))
        assert offer["channel"].startswith(offer["device"] + "-")
    assert all(type(name) is str for name in line["queues"] + line["recordings"])


@pytest.mark.parametrize("path", EVERY_TAPE, ids=lambda path: path.stem)
def test_every_key_is_always_there_with_its_type(path: Path) -> None:
    for line in lines(path.read_bytes()):
        check(line)


@pytest.mark.parametrize("path", EVERY_TAPE, ids=lambda path: path.stem)
def test_the_contract_holds_without_stamps_and_from_the_middle(path: Path) -> None:
    data = path.read_bytes()
    half = data[len(data) // 2 :].partition(b"\r\n\r\n")[2]
    plain = b"\r\n".join(line for line in data.split(b"\r\n") if not line.startswith(b"Timestamp"))

    for part in (half, plain, data[: len(data) // 2]):
        for line in lines(part):
            check(line)


@pytest.mark.parametrize("path", EVERY_TAPE, ids=lambda path: path.stem)
def test_calls_come_in_the_order_in_which_they_began_those_without_a_beginning_first(
    path: Path,
) -> None:
    began = [line["began"] for line in lines(path.read_bytes())]

    assert began == sorted(began, key=lambda instant: instant or "")


def test_the_tail_of_an_earlier_call_comes_first() -> None:
    assert [line["began"] is None for line in lines(trace("two-calls-at-once"))] == [
        True, False, False,
    ]  # fmt: skip


def test_instants_are_utc_with_microseconds() -> None:
    [line] = lines(trace("queue-ringall-one-answers"))

    assert line["began"] == "2026-11-22T02:28:55.195844Z"


def test_a_whole_second_has_its_microseconds_too() -> None:
    [record] = records(trace("queue-abandoned"))
    whole = replace(record, began=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))

    assert as_json(whole)["began"] == "2026-01-02T03:04:05.000000Z"


def test_the_houses_cadence_counts_the_rings() -> None:
    china = replace(HOUSE, ring=RingRules(cycle=timedelta(seconds=5)))

    assert [line["rings"] for line in lines(trace("answered-third-ring"), china)] == [2]


def test_the_houses_hours_say_when_it_is_closed() -> None:
    shut = replace(HOUSE, hours={"default": ((time(22), time(23)),)})

    assert [line["reason"] for line in lines(trace("queue-abandoned"), shut)] == ["out_of_hours"]


def test_the_house_says_who_left_too_soon() -> None:
    patient = replace(HOUSE, ring=RingRules(short_abandon=timedelta(seconds=8)))

    assert [line["reason"] for line in lines(trace("queue-abandoned"), patient)] == [
        "short_abandon"
    ]


def test_without_trunks_every_call_is_internal() -> None:
    [line] = lines(trace("queue-ringall-one-answers"), trunks=[])

    assert (line["direction"], line["outcome"], line["reason"]) == ("internal", "answered", None)


def test_a_stream_without_anything_of_use_is_no_call() -> None:
    assert lines(b"") == []
    assert lines(b"\r\n\r\nAsterisk Call Manager/9.0.0\r\nEvent: RTCPSent\r\n\r\n") == []


def test_what_is_malformed_is_set_aside_and_counted() -> None:
    aside = SetAside("tape", SetClock(datetime(2026, 1, 1, tzinfo=UTC)))
    bad = b"Event: Hangup\r\nUniqueid: 1\r\nUniqueid: 2\r\n\r\n"

    found = lines(bad + trace("queue-abandoned") + bad, aside=aside)

    assert found == lines(trace("queue-abandoned"))
    assert dict(aside.counts) == {"repeated": 2}


def test_hostile_names_are_printed_as_one_line_each() -> None:
    data = trace("answered-third-ring").replace(
        b"CallerIDName: <unknown>", rb"CallerIDName: a\nEvent: Hangup\r\n\"b\"" + b"\x00\x1b[2J"
    )

    [line] = lines(data)

    assert line["caller_name"] == 'a\nEvent: Hangup\r\n"b"\x00\x1b[2J'


def test_a_line_for_the_eye_says_what_matters() -> None:
    [answered] = records(trace("queue-ringall-one-answers"))
    [missed] = records(trace("queue-abandoned"))
    [tail, *_] = records(trace("two-calls-at-once"))
    taipei = timezone(timedelta(hours=8))

    assert as_line(answered, taipei) == (
        "2026-11-22 10:28:55  inbound   13800138000 -> 4000  answered by 6001  rings 2  "
        "ring 4.000s  wait 4.005s  talk 4.002s  ended by caller"
    )
    assert "missed (abandoned_ringing)" in as_line(missed)
    assert as_line(tail).startswith("?  ")
    assert as_line(tail).endswith("  approximate")
