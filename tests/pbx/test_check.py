"""`cti check` and `cti record` on a real Asterisk with the shipped files, well and spoiled."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cti.clock import SystemClock
from cti.pbx.check import Point, check
from cti.pbx.check.point import exit_code
from cti.pbx.record import record
from cti.pbx.tape import read_tape
from cti.settings import PbxSettings
from tests.kit.etc import spoil
from tests.kit.until import until
from tests.pbx.lab import Lab, Pair

pytestmark = pytest.mark.lab

CHEN = "13800138000"


def settings(pair: Pair, **changed: Any) -> PbxSettings:
    given = {"name": "lab", "host": pair.place.pbx, "secret": pair.secret.cti}
    return PbxSettings.model_validate({**given, **changed})


async def checked(pair: Pair, *, of: dict[str, Any] | None = None, **more: Any) -> dict[str, Point]:
    """Check, the guard too, without waiting for a phone."""
    given: dict[str, Any] = {
        "clock": SystemClock(),
        "listen_for": timedelta(),
        "etc": None,
        "say": lambda _: None,
        "try_guard": True,
    }
    found = await check(settings(pair, **(of or {})), **given | more)
    return {point.key: point for point in found}


@contextmanager
def spoiled(pair: Pair, file: str, old: str, new: str, reload: str) -> Iterator[None]:
    """Change one thing in a file and let Asterisk read it; put it right again."""
    path = pair.pbx.folder / "etc" / file
    was = path.read_text(encoding="utf-8")
    spoil(path, old, new)
    pair.pbx.cli(reload)
    try:
        yield
    finally:
        path.write_text(was, encoding="utf-8")
        pair.pbx.cli(reload)


async def test_the_shipped_files_are_all_well(lab: Lab, pair: Pair) -> None:
    listening, enough = asyncio.Event(), asyncio.Event()
    await lab.behave_all(p6001="answer,1,30", p6002="ring,30", p6003="ring,30")
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(
            checked(
                pair,
                etc=pair.pbx.folder / "etc",
                listen_for=timedelta(seconds=60),
                say=lambda _: listening.set(),
                enough=enough,
                devices=["PJSIP/6001", "PJSIP/6010"],
            )
        )
        await listening.wait()
        await (await lab.customer_calls(CHEN, to="4000", talk=1)).over()
        enough.set()

    found = task.result()
    assert {key: point for key, point in found.items() if point.state != "ok"}.keys() == {
        "conf.log_folders"  # they lie in the chroot
    }
    assert exit_code(found.values()) == 0
    told = str(found)
    assert [pair.secret.cti in told, pair.secret.systemname in told] == [False, False]


async def test_an_idle_pbx_shows_nothing_wrong(lab: Lab, pair: Pair) -> None:
    found = await checked(pair, try_guard=False)

    assert exit_code(found.values()) == 0
    assert found["read.call"].state == "unseen"


async def test_the_guard_refuses_and_no_phone_rings(lab: Lab, pair: Pair) -> None:
    found = await checked(pair)
    await lab.records_quiet()

    assert [found[key].state for key in ("dial.refuses", "read.call", "read.user")] == ["ok"] * 3
    assert lab.sides() == []


READ, WRITE = "read = system,call,agent,user", "write = originate,call,agent,reporting"


@pytest.mark.parametrize(
    ("old", "new", "key", "state"),
    [
        (READ, "read = call,agent,user", "read.system", "missing"),
        (READ, "read = system,agent,user", "read.call", "missing"),
        (READ, "read = system,call,agent", "read.user", "missing"),
        (READ, "read = all", "read.more", "wrong"),
        (WRITE, "write = call,agent,reporting", "write.Originate", "missing"),
        (WRITE, "write = originate,agent,reporting", "write.Redirect", "missing"),
        (WRITE, "write = originate,call,reporting", "write.QueuePause", "missing"),
        (WRITE, "write = originate,call,agent", "write.CoreShowChannels", "missing"),
        (WRITE, f"{WRITE},system", "write.not-system", "wrong"),
        (WRITE, f"{WRITE},command", "write.not-command", "wrong"),
        (WRITE, f"{WRITE},config", "write.not-config", "wrong"),
        (WRITE, f"{WRITE},user", "write.not-user", "wrong"),
        (WRITE, f"{WRITE},agi", "write.not-agi", "wrong"),
        ("timestampevents = yes", "timestampevents = no", "read.timestampevents", "wrong"),
        ("= MIXMONITOR_FILENAME", "= OTHER", "read.channelvars", "missing"),
        ("permit = 127.0.0.1", "permit = 10.9.8.7", "link.login", "wrong"),
    ],
)
async def test_one_line_of_manager_conf_spoiled_is_told(
    pair: Pair, old: str, new: str, key: str, state: str
) -> None:
    with spoiled(pair, "manager.conf", old, new, "manager reload"):
        found = await checked(pair)

    assert found[key].state == state


async def test_an_account_that_may_have_one_session_alone_is_told(pair: Pair) -> None:
    # Asterisk keeps this one for an account that it knows, until the account itself says otherwise
    with spoiled(pair, "manager.conf", READ, f"{READ}\nallowmultiplelogin = no", "manager reload"):
        found = await checked(pair)
    with spoiled(pair, "manager.conf", READ, f"{READ}\nallowmultiplelogin = yes", "manager reload"):
        mended = await checked(pair)

    assert found["link.two"].found == "login refused: Login Already In Use"
    assert found["write.Originate"].state == "ok"  # asked on the one session that there is
    assert mended["link.two"].state == "ok"


@pytest.mark.parametrize(
    ("old", "new", "state"), [("[cti-dial]", "[cti-call]", "missing"), ("EPOCH", "EPOC", "wrong")]
)
async def test_a_guard_that_is_not_as_shipped_is_told_and_not_tried(
    pair: Pair, old: str, new: str, state: str
) -> None:
    with spoiled(pair, "cti/extensions.conf", old, new, "dialplan reload"):
        found = await checked(pair)

    assert (found["dial.guard"].state, found["dial.refuses"].state) == (state, "unseen")


async def test_configuration_that_any_account_can_read_is_told(pair: Pair) -> None:
    pair.pbx.cli("module load func_config.so")
    try:
        found = await checked(pair)
    finally:
        pair.pbx.cli("module unload func_config.so")

    assert found["write.not-files"].state == "wrong"


async def test_a_systemname_that_is_not_in_force_yet_is_told(pair: Pair) -> None:
    name = pair.secret.systemname
    with spoiled(pair, "asterisk.conf", name, name[::-1], "core show version"):
        found = await checked(pair, etc=pair.pbx.folder / "etc")

    assert found["conf.systemname"].found == "Asterisk runs with another one"


async def test_another_systemname_than_in_the_settings_is_told(pair: Pair) -> None:
    found = await checked(pair, of={"systemname": "x" * 48})

    assert [found[key].state for key in ("pbx.systemname", "read.genuine")] == ["wrong"] * 2


async def test_a_wrong_secret_is_told(pair: Pair) -> None:
    found = await checked(pair, of={"secret": "wrong"})

    assert found["link.login"].found == "login refused: Authentication failed"
    assert exit_code(found.values()) == 2


async def test_a_call_is_recorded_byte_by_byte(lab: Lab, pair: Pair, tmp_path: Path) -> None:
    tape, enough = tmp_path / "a.ami", asyncio.Event()
    said: list[str] = []
    await lab.behave("6001", "answer,1,30")
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(
            record(settings(pair), tape, clock=SystemClock(), until=enough, say=said.append)
        )
        await until(lambda: len(said) == 1)
        call = await lab.customer_calls(CHEN, to="4001", talk=1)
        await call.over()
        await until(lambda: tape.read_bytes().count(b"Event: Hangup\r\n") >= 2)
        enough.set()

    text = tape.read_bytes()
    assert task.result().bytes == len(text)
    assert b"".join(piece for piece, _ in read_tape(tape)) == text
    assert (CHEN.encode() in text, pair.secret.cti.encode() in text) == (True, False)
