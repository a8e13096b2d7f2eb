"""What does the PBX say, byte by byte? Listens as the daemon does, and keeps it on a tape.

The tape is for `cti replay`, for tests and for a question to whoever knows more. It holds what
customers may not find elsewhere: their numbers and names.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from cti.clock import Clock, SystemClock
from cti.errors import ConfigError
from cti.log import clean
from cti.pbx.aside import SetAside
from cti.pbx.command import Say, chosen
from cti.pbx.link import Link, LinkState
from cti.pbx.tape import Recorder, times_of
from cti.settings import PbxSettings, Settings
from cti.signals import until_ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What is on the tape. `fault` says why the recording ended early, or is empty."""

    bytes: int
    events: int
    sessions: int
    fault: str = ""


async def run_record(
    settings: Settings,
    path: Path,
    *,
    say: Say,
    pbx: str = "",
    seconds: float | None = None,
    clock: Clock | None = None,
) -> int:
    """Record a PBX until Ctrl-C, or for so many seconds; give the exit code.

    0: recorded; 1: ended early, what was said before is kept. Raises `ConfigError`: tape (it is
    there already, or cannot be made), not_recorded (no way in), unknown_pbx, which_pbx.
    """
    (which,) = chosen(settings, pbx, one=True)
    with until_ended() as stopped:
        if seconds is not None:
            asyncio.get_running_loop().call_later(seconds, stopped.set)
        done = await record(which, path, clock=clock or SystemClock(), until=stopped, say=say)
    return 1 if done.fault else 0


async def record(
    settings: PbxSettings, path: Path, *, clock: Clock, until: asyncio.Event, say: Say
) -> Recorded:
    """Write `path` and its times until told to end; say what is on them.

    A link that breaks comes back, and the tape goes on. Both files are readable by their owner
    alone; none is overwritten, and none is left if the PBX never let us in. Raises `ConfigError`:
    tape; not_recorded when the first try fails; secret_file; tls_ca.
    """
    settings.read_secret()
    done = Recorded(bytes=0, events=0, sessions=0)
    with Recorder(path, clock) as tape:
        try:
            done = await _listen(settings, tape, clock, until, say)
        finally:
            if not done.sessions:
                _discard(path)
    say(_told(path, done))
    return done


def _discard(path: Path) -> None:
    path.unlink(missing_ok=True)
    times_of(path).unlink(missing_ok=True)


class _Ear:
    """The tape, and whoever must hear that it can be written no more."""

    def __init__(self, tape: Recorder, news: "asyncio.Queue[LinkState | None]") -> None:
        self._tape, self._news = tape, news

    def write(self, data: bytes) -> None:
        """Keep what one read gave. Raises nothing."""
        self._tape.write(data)
        if self._tape.fault:
            self._news.put_nowait(None)


async def _listen(
    settings: PbxSettings, tape: Recorder, clock: Clock, until: asyncio.Event, say: Say
) -> Recorded:
    news = asyncio.Queue[LinkState | None]()  # None: the end
    link = Link(
        settings,
        "listen",
        clock=clock,
        on_frames=lambda _: None,
        on_state=news.put_nowait,
        aside=SetAside(settings.name, clock),
        tape=_Ear(tape, news),
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(link.run(), name="record")
        ending = tasks.create_task(_tell_end(until, news), name="end")
        try:
            refusal = await _follow(settings, tape.path, news, say)
        finally:
            ending.cancel()
            await link.stop()
    counted = link.counters
    if not counted.logins:
        raise ConfigError(
            f"pbx {settings.name}: {refusal or 'not let in yet'}; nothing was recorded",
            "run `cti check`: it says what stands in the way",
            code="not_recorded",
        )
    return Recorded(
        bytes=tape.written,
        events=counted.events + sum(link.aside.counts.values()),
        sessions=counted.logins,
        fault=tape.fault,
    )


async def _tell_end(until: asyncio.Event, news: "asyncio.Queue[LinkState | None]") -> None:
    await until.wait()
    news.put_nowait(None)


async def _follow(
    settings: PbxSettings, path: Path, news: "asyncio.Queue[LinkState | None]", say: Say
) -> str:
    """Tell how the link is, until the end; say why the first try failed, or nothing."""
    was_up = False
    while (state := await news.get()) is not None:
        broken = state.phase in ("down", "refused")
        why = clean(state.reason, 600).partition(". ")[0]
        if broken and not was_up:
            return why
        if broken:
            say(f"The link is lost: {why}. The tape goes on when it is back.")
        elif state.phase == "up":
            say("The link is back." if was_up else _warning(settings, path))
            was_up = True
    return ""


def _warning(settings: PbxSettings, path: Path) -> str:
    return (
        f"Recording {settings.name} to {path}, until Ctrl-C. It holds customers' numbers and names "
        "and the secret systemname: give it to nobody who may not know them, and delete it after."
    )


def _told(path: Path, done: Recorded) -> str:
    times = f"{done.sessions} sessions" if done.sessions > 1 else "1 session"
    text = f"{path}: {done.bytes} bytes, {done.events} events, {times}"
    return f"{text}. It ended early: {done.fault}" if done.fault else text
