"""Is this PBX set up as cti needs it? Logs in as cti does, asks, listens, says point by point.

It changes nothing on the PBX. Only if asked to (`try_guard`), it lets the guard refuse an attempt:
nobody is dialled, and a row each in CDR and CEL is left.
"""

import asyncio
import json
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cti.calls.book import trunk_matcher
from cti.clock import Clock, SystemClock
from cti.errors import CtiError
from cti.log import clean
from cti.pbx import actions
from cti.pbx.aside import SetAside
from cti.pbx.check import asked, files, heard
from cti.pbx.check.point import Point, exit_code, good, lines, merged, unseen
from cti.pbx.command import Say, chosen
from cti.pbx.frames import Frame
from cti.pbx.link import SHORTEST_SECRET, Link, LinkState, Pace, Role
from cti.pbx.session import Answer
from cti.settings import PbxSettings, Settings
from cti.signals import until_ended

WITHIN: Final = timedelta(seconds=10)
LISTEN_FOR: Final = timedelta(seconds=15)
GUARD_WITHIN: Final = 3.0
PINGS: Final = 3
NOWHERE: Final = "00"
"""What the guard is asked to dial by `try_guard`. It has no attempt, so the guard refuses."""
SHORTEST_HIDDEN: Final = 12
"""Shorter secrets cannot be told from words, so they are not blotted out; none is ever put in."""
_ONE_TRY: Final = Pace(first=7200, longest=7200, refused=7200)


async def run_check(
    settings: Settings,
    *,
    say: Say,
    tell: Say,
    pbx: str = "",
    seconds: float = LISTEN_FOR.total_seconds(),
    etc: Path | None = None,
    devices: Mapping[str, Collection[str]] | None = None,
    look: Callable[[PbxSettings], Awaitable[Sequence[Point]]] | None = None,
    try_guard: bool = False,
    as_json: bool = False,
    clock: Clock | None = None,
) -> int:
    """Check the PBXs of the settings, or the one named; give the exit code.

    The result goes to `say`, progress to `tell`. `devices` are those of the house's people, by
    PBX; `look` finds what no session tells: where its recordings are. 0: nothing is wrong; 1:
    something is wrong or missing; 2: no way in. Raises `ConfigError`.
    """
    which = chosen(settings, pbx, one=etc is not None)
    found = dict[str, list[Point]]()
    with until_ended() as stopped:
        for one in which:
            found[one.name] = await check(
                one,
                clock=clock or SystemClock(),
                listen_for=timedelta(seconds=seconds),
                etc=etc,
                say=tell,
                devices=(devices or {}).get(one.name, ()),
                try_guard=try_guard,
                enough=stopped,
            )
            if look is not None:
                found[one.name] += await look(one)
    code = max(exit_code(points) for points in found.values())
    if as_json:
        told = {name: [point.as_dict() for point in points] for name, points in found.items()}
        say(json.dumps({"exit": code, "pbxs": told}, ensure_ascii=False, indent=1))
        return code
    for place, one in enumerate(which):
        title = f"PBX {one.name}: {one.host}:{one.port}, account {clean(one.user, 40)}"
        for line in [""] * bool(place) + lines(title, found[one.name]):
            say(line)
    return code


async def check(
    settings: PbxSettings,
    *,
    clock: Clock,
    listen_for: timedelta,
    etc: Path | None,
    say: Say,
    devices: Collection[str] = (),
    try_guard: bool = False,
    enough: asyncio.Event | None = None,
) -> list[Point]:
    """Log in to one PBX, ask, listen for so long (or until `enough`), read its files.

    No point holds a secret or the systemname. Raises `ConfigError`: secret_file, tls_ca,
    asterisk_etc.
    """
    secret, folder = settings.read_secret(), files.Etc(etc) if etc else None
    visit = Visit(settings, clock, say, try_guard=try_guard, devices=devices)
    async with visit.linked("listen") as (listen, state):
        if state.phase == "up":
            near = await _addresses(settings.host)
            visit.points += asked.reachable(settings, visit.ear.banner, near)
            visit.points.append(good("link.login", "login", "accepted"))
            visit.points.append(asked.secret(len(secret)))
            await _converse(visit, listen, listen_for, enough or asyncio.Event())
        else:
            visit.points.append(_no_entry(state))
    if folder:
        read = files.points(folder, settings, visit.systemname)
    else:
        read = files.not_given() if state.phase == "up" else []
    found = merged(visit.points, read)
    never = (secret, settings.systemname.get_secret_value(), visit.systemname)
    return [
        point.hidden([text for text in never if len(text) >= SHORTEST_HIDDEN]) for point in found
    ]


@dataclass(slots=True)
class Visit:
    """What one check has to do with one PBX, and what it has found."""

    settings: PbxSettings
    clock: Clock
    say: Say
    devices: Collection[str] = ()
    try_guard: bool = False
    points: list[Point] = field(default_factory=list)
    ear: heard.Heard = field(default_factory=heard.Heard)
    systemname: str = ""
    """As the PBX told it. Never shown."""
    aside: SetAside = field(init=False)

    def __post_init__(self) -> None:
        self.aside = SetAside(self.settings.name, self.clock)

    @asynccontextmanager
    async def linked(self, role: Role) -> AsyncIterator[tuple[Link, LinkState]]:
        """Give a link, and whether it came up at its one try; it ends with the block."""
        told: asyncio.Future[LinkState] = asyncio.get_running_loop().create_future()

        def on_state(state: LinkState) -> None:
            if state.phase != "connecting" and not told.done():
                told.set_result(state)

        link = Link(
            self.settings,
            role,
            clock=self.clock,
            on_frames=lambda _: None,
            on_state=on_state,
            aside=self.aside,
            tape=self.ear if role == "listen" else None,
            pace=_ONE_TRY,
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(link.run(), name=f"check-{role}")
            try:
                yield link, await told
            finally:
                await link.stop()

    async def ask(self, link: Link, action: actions.Action) -> Answer:
        """Ask; what cannot be answered is an answer that is not ok."""
        try:
            return await link.act(action, WITHIN)
        except CtiError as fault:
            return Answer(ok=False, message=str(fault), headers=Frame(b"Response: Error"))


def _no_entry(state: LinkState) -> Point:
    """Say why there is no session."""
    found, _, todo = clean(state.reason, 600).partition(". ")
    refused = state.phase == "refused"
    return Point(
        key="link.login" if refused else "link.reachable",
        what="login" if refused else "reachable",
        state="wrong",
        found=found,
        why="cti sees no call of this PBX",
        todo=todo.removesuffix(" Tried again once a minute.")
        or "see that Asterisk runs, that manager.conf has enabled = yes and the bindaddr and port "
        "of cti's settings, and that no firewall stands between",
    )


async def _converse(
    visit: Visit, listen: Link, listen_for: timedelta, enough: asyncio.Event
) -> None:
    """Do all that a session can, the acting one if it was let in."""
    begun, tried = visit.clock.monotonic(), False
    async with visit.linked("act") as (act, state):
        second = state.phase == "up"
        visit.points.append(_two(state))
        desk = act if second else listen
        await _interview(visit, desk)
        if visit.try_guard:
            tried = await _try_guard(visit, desk)
        if listen_for and not enough.is_set():
            seconds = f"{listen_for.total_seconds():g} s"
            visit.say(
                f"Listening to {visit.settings.name} for {seconds}: {heard.RING} (Ctrl-C: enough)."
            )
        with suppress(TimeoutError):
            async with asyncio.timeout(listen_for.total_seconds()):
                await enough.wait()
    last = await visit.ask(listen, actions.ping())  # all events before its answer are heard now
    visit.points.append(_stays(last, listen.state))
    listened = timedelta(seconds=visit.clock.monotonic() - begun)
    visit.points += heard.points(
        visit.ear,
        visit.aside.counts,
        listened,
        guarded=len(visit.systemname) >= SHORTEST_SECRET,
        tried=tried,
    )


async def _addresses(host: str) -> set[str]:
    with suppress(OSError, UnicodeError):
        loop = asyncio.get_running_loop()
        return {
            str(info[4][0]) for info in await loop.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
        }
    return set()


def _two(state: LinkState) -> Point:
    key, what = "link.two", "two sessions at once"
    if state.phase == "up":
        return good(key, what, "both are accepted")
    return Point(
        key=key,
        what=what,
        state="wrong",
        found=clean(state.reason, 600).partition(". ")[0],
        why=asked.ONE_SESSION,
        todo="manager.conf: allowmultiplelogin = yes in the account itself, then `manager reload`",
    )


def _stays(last: Answer, state: LinkState) -> Point:
    key, what = "link.stays", "the session stays"
    if last.ok and state.phase == "up":
        return good(key, what, "as long as cti listened")
    return Point(
        key=key,
        what=what,
        state="wrong",
        found=f"it broke: {clean(state.reason or last.message, 200)}",
        why="each break is a gap in what cti sees",
        todo="look into the PBX's log; manager.conf: writetimeout = 5000 in the account",
    )


async def _interview(visit: Visit, desk: Link) -> None:
    """Ask the PBX what can be asked."""

    async def ask(action: actions.Action) -> Answer:
        return await visit.ask(desk, action)

    told = await ask(actions.core_settings())
    if told.ok:
        visit.systemname = told.headers.first("SystemName") or ""
        visit.points += asked.settings_points(told, visit.settings)
    else:
        visit.points.append(unseen("pbx.version", "version and systemname", _refusal(told)))
    visit.points.append(await _clocks(visit, desk))
    commands = await ask(actions.list_commands())
    if commands.ok:
        visit.points += asked.may_do(commands)
    else:
        visit.points.append(unseen("write.all", "ListCommands", _refusal(commands)))
    visit.points.append(asked.open_files(await ask(actions.getvar(asked.OPEN_FILES))))
    visit.points.append(await _guard(visit, desk))
    visit.points.append(await _line_test(visit, desk))
    visit.points.append(await _connect(visit, desk))
    queues = await ask(actions.queue_status())
    channels = await ask(actions.core_show_channels())
    states = await ask(actions.device_state_list())
    visit.points += _lines(visit, queues, channels, states)


def _refusal(answer: Answer) -> str:
    return f"not told: {clean(answer.message or 'no reason given', 200)}"


async def _clocks(visit: Visit, desk: Link) -> Point:
    """Compare clocks by the quickest of a few pings."""
    found = list[tuple[timedelta, timedelta]]()
    for _ in range(PINGS):
        before, sent = visit.clock.now(), visit.clock.monotonic()
        answer = await visit.ask(desk, actions.ping())
        trip = timedelta(seconds=visit.clock.monotonic() - sent)
        with suppress(ValueError, OverflowError, OSError):
            theirs = datetime.fromtimestamp(float(answer.headers.first("Timestamp") or ""), UTC)
            found.append((trip, theirs - (before + trip / 2)))
    if not found:
        return unseen("link.clock", "clocks agree", "a ping is answered without a Timestamp")
    trip, offset = min(found)
    return asked.clock(offset, trip)


async def _guard(visit: Visit, desk: Link) -> Point:
    answer = await visit.ask(desk, actions.show_dialplan(files.GUARD))
    shipped = files.shipped_guard()
    if answer.ok and answer.complete:
        return asked.guard(answer, shipped)
    if "Did not find context" in answer.message:
        return asked.guard_lines((), shipped)
    return unseen("dial.guard", f"guard [{files.GUARD}]", _refusal(answer))


async def _line_test(visit: Visit, desk: Link) -> Point:
    answer = await visit.ask(desk, actions.show_dialplan(files.LINE_TEST))
    if answer.ok and answer.complete:
        return asked.line_test(answer, files.shipped_guard(files.LINE_TEST))
    if "Did not find context" in answer.message:
        return asked.line_test_lines((), ())
    return unseen("dial.line_test", f"line test [{files.LINE_TEST}]", _refusal(answer))


async def _connect(visit: Visit, desk: Link) -> Point:
    answer = await visit.ask(desk, actions.show_dialplan(files.CONNECT))
    if answer.ok and answer.complete:
        return asked.connect(answer, files.shipped_guard(files.CONNECT))
    if "Did not find context" in answer.message:
        return asked.connect_lines((), ())
    return unseen("dial.connect", f"customer first [{files.CONNECT}]", _refusal(answer))


async def _try_guard(visit: Visit, desk: Link) -> bool:
    """Let the guard refuse an attempt, if it stands as shipped; tell whether it was asked."""
    key, what = "dial.refuses", "the guard refuses"
    if not any(p.key == "dial.guard" and p.state == "ok" for p in visit.points):
        visit.points.append(unseen(key, what, "not tried: the guard is not as shipped"))
        return False
    answer = await visit.ask(
        desk,
        actions.originate(
            channel=f"Local/{NOWHERE}@{files.GUARD}/n",
            channel_id=f"cti-check-{secrets.token_hex(8)}",
            context=files.GUARD,
            exten=NOWHERE,
            ring=timedelta(seconds=2),
        ),
    )
    if not answer.ok:
        visit.points.append(unseen(key, what, _refusal(answer)))
        return False
    with suppress(TimeoutError):
        async with asyncio.timeout(GUARD_WITHIN):
            await visit.ear.refused.wait()
    if visit.ear.refused.is_set():
        visit.points.append(good(key, what, "an attempt without an id, at once"))
    else:
        visit.points.append(unseen(key, what, "its word was not heard: see class user"))
    return True


def _lines(visit: Visit, queues: Answer, channels: Answer, states: Answer) -> list[Point]:
    """Judge trunks, queues and phones."""
    listed = {item.first("Device") or "" for item in states.items}
    known = {name for name in listed if "/" in name and not name.startswith(("Queue:", "Custom:"))}
    live = {(item.first("Channel") or "").rpartition("-")[0] for item in channels.items}
    known |= {name for name in live if name and not name.startswith("Local/")}
    members = {
        item.first("StateInterface") or "" for item in queues.items if item.event == "QueueMember"
    }
    patterns = {
        pattern: list(filter(trunk_matcher([pattern]), sorted(known)))
        for pattern in visit.settings.trunks
    }
    found = asked.trunks(patterns, known, members)
    if queues.ok and queues.complete:
        found += asked.queues(queues.items)
    else:
        found.append(unseen("dial.queues", "queues", _refusal(queues)))
    if visit.devices:
        found.append(asked.people(visit.devices, known))
    return found
