"""Each answer of a PBX is judged by itself."""

from datetime import timedelta
from typing import Any

import pytest

from cti.pbx.check import asked, files
from cti.pbx.check.point import Point
from cti.pbx.frames import Frame
from cti.pbx.session import Answer
from cti.settings import PbxSettings

SETTINGS = PbxSettings.model_validate({})


def frame(event: str, **headers: str) -> Frame:
    lines = [f"Event: {event}", *(f"{name}: {value}" for name, value in headers.items())]
    return Frame("\r\n".join(lines).encode())


@pytest.mark.parametrize(
    ("version", "state"),
    [
        ("22.10.1+dfsg+~cs6.17.60671434-1", "ok"),
        ("Asterisk 22.10.2", "ok"),
        ("22.11.0", "ok"),
        ("22.10.0", "wrong"),
        ("22.9.12", "wrong"),
        ("22.10.1-rc1", "unseen"),
        ("21.12.0", "unseen"),
        ("23.0.0", "unseen"),
        ("certified/20.7-cert8", "unseen"),
        ("GIT-master-1a2b3c", "unseen"),
        ("", "unseen"),
    ],
)
def test_a_version_is_judged_by_its_branch(version: str, state: str) -> None:
    assert asked.version(version).state == state


def test_a_version_that_is_too_old_names_the_one_that_is_not() -> None:
    point = asked.version("22.1.0")

    assert (point.found, point.todo) == (
        "22.1.0 is older than 22.10.1",
        "bring Asterisk to 22.10.1 or newer",
    )


@pytest.mark.parametrize(
    ("tls", "addresses", "state", "found"),
    [
        (False, ["127.0.0.1", "::1"], "ok", "no TLS, this machine"),
        (False, ["192.168.1.4"], "ok", "no TLS, a private network"),
        (False, ["192.168.1.4", "8.8.8.8"], "wrong", "no TLS, over a public network"),
        (False, [], "wrong", "no TLS, over a public network"),
        (True, ["8.8.8.8"], "ok", "TLS"),
    ],
)
def test_a_wire_is_judged_by_where_it_goes(
    tls: bool, addresses: list[str], state: str, found: str
) -> None:
    settings = PbxSettings.model_validate({"tls": tls})

    point = asked.reachable(settings, "Asterisk Call Manager/11.0.0", addresses)[1]

    assert (point.state, point.found) == (state, found)


@pytest.mark.parametrize(
    ("banner", "found"),
    [
        ("Asterisk Call Manager/11.0.0", "127.0.0.1:5038, AMI 11.0.0"),
        ("", "127.0.0.1:5038, AMI of unknown version"),
    ],
)
def test_the_greeting_is_told(banner: str, found: str) -> None:
    assert asked.reachable(SETTINGS, banner, [])[0].found == found


@pytest.mark.parametrize(
    ("seconds", "state", "found"),
    [
        (0.4, "ok", "the PBX is 0.400 s ahead of this machine (± 0.005 s)"),
        (-2.0, "ok", "the PBX is 2.000 s behind this machine (± 0.005 s)"),
        (-2.1, "wrong", "the PBX is 2.100 s behind this machine (± 0.005 s)"),
        (3600, "wrong", "the PBX is 3600.000 s ahead of this machine (± 0.005 s)"),
    ],
)
def test_clocks_are_judged_by_how_far_they_are_apart(
    seconds: float, state: str, found: str
) -> None:
    point = asked.clock(timedelta(seconds=seconds), timedelta(seconds=0.01))

    assert (point.state, point.found) == (state, found)


@pytest.mark.parametrize(("length", "state"), [(48, "ok"), (24, "ok"), (23, "wrong"), (0, "wrong")])
def test_a_secret_is_judged_by_its_length(length: int, state: str) -> None:
    assert asked.secret(length).state == state


@pytest.mark.parametrize(
    ("told", "state"), [("Yes", "ok"), ("No", "wrong"), ("", "unseen"), ("yes", "ok")]
)
def test_a_pbx_without_cdr_is_told(told: str, state: str) -> None:
    answer = Answer(
        ok=True, message="", headers=Frame(f"Response: Success\r\nCoreCDRenabled: {told}".encode())
    )

    found = {point.key: point for point in asked.settings_points(answer, SETTINGS)}

    assert found["pbx.cdr"].state == state


@pytest.mark.parametrize(("told", "state"), [("No", "ok"), ("Yes", "unseen")])
def test_ami_over_http_is_closed_where_there_is_no_http(told: str, state: str) -> None:
    answer = Answer(
        ok=True, message="", headers=Frame(f"Response: Success\r\nCoreHTTPenabled: {told}".encode())
    )

    found = {point.key: point for point in asked.settings_points(answer, SETTINGS)}

    assert found["conf.webenabled"].state == state


def commands(*names: str) -> dict[str, Point]:
    lines = ["Response: Success", *(f"{name}: does it.  (Priv: <none>)" for name in names)]
    answer = Answer(ok=True, message="", headers=Frame("\r\n".join(lines).encode()))
    return {point.key: point for point in asked.may_do(answer)}


def test_an_action_of_a_module_that_is_not_loaded_is_told_with_the_module() -> None:
    found = commands("Ping")

    assert found["write.QueueStatus"].todo == "modules.conf: load = app_queue.so"
    assert found["write.QueuePause"].todo == (
        "manager.conf: add `agent` to write; if it is there: modules.conf: load = app_queue.so"
    )
    assert found["write.BridgeList"].todo.startswith("look into the PBX's log")


def test_parking_is_missed_by_nobody_who_has_none() -> None:
    assert commands("Ping")["write.ParkedCalls"].state == "unseen"


def test_every_action_that_is_used_says_what_fails_without_it() -> None:
    found = commands(*(use.action for use in asked.USED))

    assert {point.state for point in found.values()} == {"ok"}
    assert all(point.why for key, point in commands().items() if point.state == "missing")


SHIPPED = files.shipped_guard()


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (SHIPPED, "as shipped, 14 lines"),
        ((), "there is no such context"),
        (SHIPPED[:5], "differs from the shipped one, first in line 6"),
        ([*SHIPPED, ("s", "", "NoOp", "")], "differs from the shipped one, first in line 15"),
        ([SHIPPED[1], *SHIPPED[1:]], "differs from the shipped one, first in line 1"),
    ],
)
def test_the_guard_is_compared_line_by_line(told: asked.Guard, found: str) -> None:
    assert asked.guard_lines(told, SHIPPED).found == found


def member(location: str, interface: str | None = None, status: str = "1") -> Frame:
    return frame(
        "QueueMember",
        Queue="support",
        Location=location,
        StateInterface=interface or location,
        Status=status,
    )


@pytest.mark.parametrize(
    ("members", "state", "says"),
    [
        ([member("PJSIP/6001")], "ok", "known"),
        ([member("Local/6001@internal", "PJSIP/6001")], "ok", "known"),
        ([member("Local/6001@internal")], "wrong", "support: Local/6001@internal"),
        ([member("PJSIP/6999", status="4")], "wrong", "support: PJSIP/6999"),
        ([member("PJSIP/6001", status="0")], "wrong", "support: PJSIP/6001"),
        ([member("PJSIP/6001", status="5")], "ok", "known"),
        ([], "unseen", "no queue has members"),
        ([member(f"PJSIP/{n}", status="4") for n in range(6001, 6009)], "wrong", "and 2 more"),
    ],
)
def test_members_are_judged_by_their_phones(members: list[Frame], state: str, says: str) -> None:
    _, point = asked.queues([frame("QueueParams", Queue="support"), *members])

    assert (point.state, says in point.found) == (state, True)


def test_queues_are_named() -> None:
    found = asked.queues([frame("QueueParams", Queue="support"), member("PJSIP/6001")])

    assert found[0].found == "1 (support), 1 members"


@pytest.mark.parametrize(
    ("found", "devices", "members", "state"),
    [
        (["PJSIP/trunk"], ["PJSIP/trunk"], ["PJSIP/6001"], "ok"),
        (["PJSIP/6001"], ["PJSIP/6001"], ["PJSIP/6001"], "wrong"),
        ([], ["PJSIP/6001"], [], "wrong"),
        ([], [], [], "unseen"),
    ],
)
def test_a_trunk_is_judged_by_what_it_matches(
    found: list[str], devices: list[str], members: list[str], state: str
) -> None:
    (point,) = asked.trunks({"PJSIP/t*": found}, devices, members)

    assert point.state == state


@pytest.mark.parametrize(
    ("known", "state"), [(["PJSIP/6001"], "ok"), (["PJSIP/6002"], "wrong"), ([], "unseen")]
)
def test_peoples_phones_are_looked_for(known: list[str], state: str) -> None:
    assert asked.people(["PJSIP/6001"], known).state == state


def test_odd_names_are_harmless_on_a_terminal() -> None:
    odd: Any = member("PJSIP/\x1b[31mred", status="4")

    _, point = asked.queues([frame("QueueParams", Queue="q\x1b]0;x\x07"), odd])

    assert "\x1b" not in point.found
