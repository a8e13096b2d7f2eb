"""The twelve tapes are told as they happened, whatever the pieces in which they come."""

from pathlib import Path
from typing import Any

import pytest

from cti.calls.book import trunk_matcher
from cti.calls.replay import as_json, replay
from tests.kit.tapes import HOUSE, TAPES, TRUNKS, tape, told

CALLER = "13800138000"
Offer = tuple[str, int | None, str]


def call(
    caller: str | None,
    dialled: str,
    outcome: str,
    *,
    by: str | None = None,
    ring: int | None = None,
    rings: int | None = None,
    wait: int | None = None,
    talk: int | None = None,
    ended: str = "caller",
    offers: list[Offer],
    queues: list[str] | None = None,
    direction: str = "inbound",
    approximate: bool = False,
) -> dict[str, Any]:
    """One call of the table; `outcome` is `answered`, or the reason of a missed one."""
    answered = outcome == "answered"
    return {
        "direction": direction,
        "caller": caller,
        "dialled": dialled,
        "outcome": "answered" if answered else "missed",
        "reason": None if answered or direction != "inbound" else outcome,
        "by": by,
        "rings": rings,
        "ring_ms": ring,
        "wait_ms": wait,
        "talk_ms": talk,
        "ended_by": ended,
        "offers": offers,
        "queues": queues or [],
        "approximate": approximate,
    }


TRUTH: dict[str, list[dict[str, Any]]] = {
    "answered-third-ring": [
        call(
            CALLER, "4001", "answered", by="6001", ring=7008, rings=3, wait=7009, talk=4003,
            offers=[("6001", 7008, "answered")],
        )
    ],
    "caller-gives-up": [
        call(
            CALLER, "4001", "abandoned_ringing", ring=6005, rings=3, wait=6006,
            offers=[("6001", 6005, "caller_gave_up")],
        )
    ],
    "nobody-answers": [
        call(
            CALLER, "4001", "rang_out", ring=20018, rings=7, wait=20019, ended="pbx",
            offers=[("6001", 20018, "rang_out")],
        )
    ],
    "agent-busy": [
        call(CALLER, "4001", "all_busy", wait=1, ended="pbx", offers=[("6001", None, "busy")])
    ],
    "queue-ringall-one-answers": [
        call(
            CALLER, "4000", "answered", by="6001", ring=4000, rings=2, wait=4005, talk=4003,
            queues=["support"],
            offers=[
                ("6001", 4000, "answered"),
                ("6003", 3999, "answered_elsewhere"),
                ("6002", 3999, "answered_elsewhere"),
            ],
        )
    ],
    "queue-abandoned": [
        call(
            CALLER, "4000", "abandoned_ringing", ring=7001, rings=3, wait=7004,
            queues=["support"],
            offers=[
                ("6001", 7001, "caller_gave_up"),
                ("6003", 6999, "caller_gave_up"),
                ("6002", 6999, "caller_gave_up"),
            ],
        )
    ],
    "queue-linear-two-ring-out": [
        call(
            CALLER, "4002", "abandoned_ringing", ring=17012, rings=6, wait=17014,
            queues=["linear"],
            offers=[
                ("6001", 6001, "rang_out"),
                ("6002", 6002, "rang_out"),
                ("6003", 2999, "caller_gave_up"),
            ],
        )
    ],
    "queue-round-robin-second-answers": [
        call(
            CALLER, "4003", "answered", by="6003", ring=1003, rings=1, wait=1007, talk=3002,
            queues=["rr"], offers=[("6003", 1003, "answered")],
        )
    ],
    "two-calls-at-once": [
        call(
            CALLER, "4003", "answered", by="6003", queues=["rr"], approximate=True,
            offers=[("6003", None, "answered")],
        ),
        call(
            CALLER, "4003", "answered", by="6001", ring=2004, rings=1, wait=2006, talk=5005,
            queues=["rr"], offers=[("6001", 2004, "answered")],
        ),
        call(
            "02161234567", "4003", "answered", by="6002", ring=3003, rings=2, wait=3008,
            talk=4002, queues=["rr"], offers=[("6002", 3003, "answered")],
        ),
    ],
    "caller-without-number": [
        call(
            "anonymous", "4001", "answered", by="6001", ring=2004, rings=1, wait=2006,
            talk=3003, offers=[("6001", 2004, "answered")],
        )
    ],
    "click-to-call": [
        call(
            "6001", CALLER, "answered", by="6001", ring=2001, rings=1, talk=5016,
            direction="outbound", offers=[(CALLER, 2001, "answered")],
        )
    ],
    "click-to-call-customer-silent": [
        call(
            "6001", CALLER, "missed", ring=8112, rings=3, ended="pbx",
            direction="outbound", offers=[(CALLER, 8112, "withdrawn")],
        )
    ],
}  # fmt: skip
CLOCKS = ("ring_ms", "wait_ms", "talk_ms")


def lines(data: bytes, piece: int | None = None) -> list[dict[str, Any]]:
    """What `cti replay --json` prints for a stream."""
    size = piece or max(len(data), 1)
    pieces = [(data[at : at + size], None) for at in range(0, len(data), size)]
    calls = replay(pieces, is_trunk=trunk_matcher(TRUNKS), house=HOUSE)
    return [as_json(call) for call in calls]


def near(truth: int | None, found: int | None) -> bool:
    """The table is rounded; the record is rounded down."""
    return truth == found or (truth is not None and found is not None and abs(truth - found) <= 1)


@pytest.mark.parametrize("name", sorted(TRUTH))
def test_a_tape_is_told_as_it_happened(name: str) -> None:
    data = (TAPES[0].parent / f"{name}.ami").read_bytes()

    found = lines(data)

    assert len(found) == len(TRUTH[name])
    for truth, line in zip(TRUTH[name], found, strict=True):
        by = line["answered_by"]
        flat = line | {"by": by["agent"] if by else None}
        for key, value in truth.items():
            if key in CLOCKS:
                assert near(value, flat[key]), (key, value, flat[key])
            elif key == "offers":
                assert [(o["agent"], o["outcome"]) for o in flat[key]] == [
                    (a, o) for a, _, o in value
                ]
                assert all(near(v[1], o["ring_ms"]) for v, o in zip(value, flat[key], strict=True))
            else:
                assert flat[key] == value, key


def test_every_tape_that_was_given_has_its_truth_here() -> None:
    assert {path.stem for path in TAPES} == set(TRUTH)


@pytest.mark.parametrize("path", TAPES, ids=lambda path: path.stem)
def test_a_tape_in_pieces_of_one_byte_is_the_same_tape(path: Path) -> None:
    data = path.read_bytes()

    assert lines(data, piece=1) == lines(data)


@pytest.mark.parametrize("path", TAPES, ids=lambda path: path.stem)
def test_blank_lines_banner_and_login_before_a_tape_change_nothing(path: Path) -> None:
    data = path.read_bytes()
    login = b"Response: Success\r\nActionID: 1\r\nMessage: Authentication accepted\r\n\r\n"

    assert lines(b"\r\n\r\nAsterisk Call Manager/9.0.0\r\n" + login + data) == lines(data)


def test_recordings_are_named_by_the_pbx() -> None:
    [record] = told(tape("answered-third-ring"))

    assert record.recordings == ("/lab/pbx/spool/monitor/1795314473.0.wav",)


def test_a_stream_without_stamps_has_no_times_but_the_right_outcomes() -> None:
    for name, truths in TRUTH.items():
        data = (TAPES[0].parent / f"{name}.ami").read_bytes()
        plain = b"\r\n".join(
            line for line in data.split(b"\r\n") if not line.startswith(b"Timestamp:")
        )

        found = lines(plain)

        assert sorted((c["outcome"], str(c["reason"])) for c in found) == sorted(
            (t["outcome"], str(t["reason"]).replace("short_abandon", "abandoned_ringing"))
            for t in truths
        )
        assert all(c[clock] is None for c in found for clock in (*CLOCKS, "rings", "began"))
        assert [c["approximate"] for c in found if c["channel"] != "PJSIP/trunk-00000010"] == [
            False
        ] * sum(not t["approximate"] for t in truths)
