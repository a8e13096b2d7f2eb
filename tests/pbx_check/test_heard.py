"""What is heard shows which classes the account reads, and how events come."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from cti.pbx.check import heard
from cti.pbx.check.point import Point
from tests.kit.ami import BOOTED

TRACES = Path(__file__).parents[1] / "traces"


def judge(
    tape: bytes, *, guarded: bool = True, tried: bool = False, **aside: int
) -> dict[str, Point]:
    ear = heard.Heard()
    for at in range(0, len(tape), 1000):
        ear.write(tape[at : at + 1000])
    seconds = timedelta(seconds=9)
    return {p.key: p for p in heard.points(ear, aside, seconds, guarded=guarded, tried=tried)}


@pytest.fixture(scope="module")
def product() -> bytes:
    """A click-to-call as the product's own account heard it: all four classes are in it."""
    return (TRACES / "lab/click-to-call.ami").read_bytes()


def test_what_the_shipped_account_hears_is_all_well(product: bytes) -> None:
    found = judge(product)

    assert {key: point.state for key, point in found.items()} == {
        "read.system": "ok",
        "read.call": "ok",
        "read.agent": "ok",
        "read.user": "ok",
        "read.more": "ok",
        "read.cel": "ok",
        "read.timestampevents": "ok",
        "read.genuine": "ok",
        "read.channelvars": "ok",
    }


def test_silence_shows_nothing() -> None:
    found = judge(BOOTED)

    assert {point.state for key, point in found.items() if key != "read.system"} == {"unseen"}
    assert found["read.call"].found == "not heard in 9 s: let a phone ring while this runs"


def test_without_the_greeting_the_class_system_is_missing(product: bytes) -> None:
    _, greeting, rest = product.partition(b"Event: FullyBooted")
    silent = rest.partition(b"\r\n\r\n")[2]

    assert greeting
    assert judge(silent)["read.system"].state == "missing"


@pytest.mark.parametrize("name", ["call", "user"])
def test_what_the_guard_must_have_said_is_missing_when_it_is_not_heard(name: str) -> None:
    assert judge(BOOTED, tried=True)[f"read.{name}"].state == "missing"
    assert judge(BOOTED, tried=True)["read.agent"].state == "unseen"


def test_classes_that_nobody_needs_are_told_with_what_they_cost() -> None:
    point = judge((TRACES / "click-to-call.ami").read_bytes())["read.more"]

    assert point.state == "wrong"
    assert re.fullmatch(r"dialplan \(\d+ events\), reporting .*security .*", point.found)
    assert "49 of the 104 events" in point.why


def test_cel_over_ami_is_told_with_what_it_costs() -> None:
    point = judge((TRACES / "click-to-call.ami").read_bytes())["read.cel"]

    assert (point.state, "15 events more" in point.why) == ("wrong", True)


def test_events_without_a_timestamp_are_told(product: bytes) -> None:
    bare = re.sub(rb"Timestamp: [0-9.]+\r\n", b"", product)

    point = judge(bare, no_timestamp=90)["read.timestampevents"]

    assert (point.state, "timestampevents = yes" in point.todo) == ("wrong", True)


def test_channels_without_the_name_of_their_recording_are_told(product: bytes) -> None:
    bare = re.sub(rb"ChanVariable: MIXMONITOR_FILENAME=[^\r]*\r\n", b"", product)

    assert judge(bare)["read.channelvars"].state == "missing"


@pytest.mark.parametrize(
    ("aside", "says"),
    [({"other_systemname": 4}, "another systemname"), ({"forged": 1}, "forged or malformed")],
)
def test_what_was_set_aside_is_told(product: bytes, aside: dict[str, int], says: str) -> None:
    point = judge(product, **aside)["read.genuine"]

    assert (point.state, says in point.found) == ("wrong", True)


def test_without_a_secret_systemname_nobody_can_tell_what_is_genuine(product: bytes) -> None:
    assert judge(product, guarded=False)["read.genuine"].state == "unseen"


def test_the_guards_refusal_is_heard() -> None:
    ear = heard.Heard()
    ear.write(b"Event: UserEvent\r\nPrivilege: user,all\r\nUserEvent: CtiDial\r\nAttempt: \r\n")
    assert not ear.refused.is_set()

    ear.write(b"Result: refused\r\n\r\n")

    assert ear.refused.is_set()


def test_an_event_that_claims_an_odd_class_is_not_counted() -> None:
    ear = heard.Heard()
    ear.write(
        b"Event: X\r\nPrivilege: \x1b[31m,all\r\n\r\nEvent: Y\r\n\r\nResponse: Success\r\n\r\n"
    )

    assert (ear.events, ear.classes) == (0, {})
