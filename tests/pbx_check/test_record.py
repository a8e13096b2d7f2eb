"""`cti record`: what the PBX says is on the tape, and nothing is left when it says nothing."""

import asyncio
import os
import signal
import stat
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from cti.clock import SystemClock
from cti.errors import ConfigError
from cti.pbx import record as recording
from cti.pbx.record import record, run_record
from cti.pbx.simulator import Simulator
from cti.pbx.tape import read_tape, times_of
from cti.settings import Settings
from tests.kit.etc import SECRET
from tests.kit.pbx import a_customer_calls, settings_of, simulator
from tests.kit.until import until


class Session:
    """A recording that goes on while a test plays."""

    def __init__(self, sim: Simulator, path: Path, **of: Any) -> None:
        self.said: list[str] = []
        self.enough = asyncio.Event()
        self.path = path
        self._of, self._sim = of, sim

    async def run(self) -> recording.Recorded:
        return await record(
            settings_of(self._sim, **self._of),
            self.path,
            clock=SystemClock(),
            until=self.enough,
            say=self.said.append,
        )

    async def says(self, count: int) -> None:
        await until(lambda: len(self.said) >= count)


async def test_what_the_pbx_says_is_on_the_tape(tmp_path: Path) -> None:
    tape = tmp_path / "a.ami"
    async with (sim := simulator()).running(), asyncio.TaskGroup() as tasks:
        session = Session(sim, tape)
        running = tasks.create_task(session.run())
        await session.says(1)
        await a_customer_calls(sim)
        await until(lambda: b"Event: Hangup" in tape.read_bytes())
        session.enough.set()

    done, text = running.result(), tape.read_bytes()
    assert done.bytes == len(text)
    assert text.startswith(b"Asterisk Call Manager/11.0.0\r\n")
    assert done.events == text.count(b"\nEvent: ")
    assert b"".join(piece for piece, _ in read_tape(tape)) == text
    assert SECRET.encode() not in text
    assert session.said[1] == f"{tape}: {done.bytes} bytes, {done.events} events, 1 session"


async def test_whoever_records_is_warned(tmp_path: Path) -> None:
    async with (sim := simulator()).running(), asyncio.TaskGroup() as tasks:
        session = Session(sim, tmp_path / "a.ami")
        tasks.create_task(session.run())
        await session.says(1)
        session.enough.set()

    assert "customers' numbers" in session.said[0]


async def test_a_tape_is_for_its_owner_alone(tmp_path: Path) -> None:
    tape = tmp_path / "a.ami"
    async with (sim := simulator()).running():
        await run_record(Settings(pbx=[settings_of(sim)]), tape, say=lambda _: None, seconds=0.05)

    assert {stat.S_IMODE(file.stat().st_mode) for file in (tape, times_of(tape))} == {0o600}


async def test_nothing_is_recorded_over(tmp_path: Path) -> None:
    tape = tmp_path / "a.ami"
    tape.write_bytes(b"precious")
    async with (sim := simulator()).running():
        with pytest.raises(ConfigError) as refused:
            await Session(sim, tape).run()

    assert (refused.value.code, tape.read_bytes()) == ("tape", b"precious")


async def test_a_link_that_breaks_comes_back_and_the_tape_goes_on(tmp_path: Path) -> None:
    async with (sim := simulator()).running(), asyncio.TaskGroup() as tasks:
        session = Session(sim, tmp_path / "a.ami")
        running = tasks.create_task(session.run())
        await session.says(1)
        sim.drop_sessions()
        await session.says(3)
        session.enough.set()

    assert session.said[1].startswith("The link is lost: ")
    assert session.said[2] == "The link is back."
    assert running.result().sessions == 2


@pytest.mark.parametrize("spoil", ["secret", "down"])
async def test_without_a_way_in_nothing_is_left(tmp_path: Path, spoil: str) -> None:
    async with (sim := simulator()).running():
        if spoil == "down":
            await sim.goes_down()
        session = Session(
            sim, tmp_path / "a.ami", **({"secret": "no"} if spoil == "secret" else {})
        )
        with pytest.raises(ConfigError) as refused:
            await session.run()

    assert refused.value.code == "not_recorded"
    assert "Tried again" not in refused.value.what
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
async def test_a_full_disk_ends_the_recording_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape = tmp_path / "a.ami"
    made: list[recording.Recorder] = []

    class Kept(recording.Recorder):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            made.append(self)

    monkeypatch.setattr(recording, "Recorder", Kept)
    async with (sim := simulator()).running():
        said: list[str] = []

        def fill(line: str) -> None:
            said.append(line)
            if len(said) > 1:
                return
            with Path("/dev/full").open("wb", buffering=0) as full:
                os.dup2(full.fileno(), made[0]._tape.fileno())

        with capture_logs():
            code = await run_record(
                Settings(pbx=[settings_of(sim, ping_every=0.01)]), tape, say=fill
            )

    assert code == 1
    assert said[-1].endswith("It ended early: No space left on device")


async def test_ctrl_c_ends_the_recording_in_good_order(tmp_path: Path) -> None:
    async with (sim := simulator()).running():
        said: list[str] = []

        def stop(line: str) -> None:
            if not said:
                os.kill(os.getpid(), signal.SIGINT)
            said.append(line)

        code = await run_record(Settings(pbx=[settings_of(sim)]), tmp_path / "a.ami", say=stop)

    assert (code, "1 session" in said[-1]) == (0, True)
    assert sim.logged_in == 0
