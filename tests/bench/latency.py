"""How long from the PBX's word that a phone rings to the card at the agent's screen?

    tape, at its own pace ──AMI──▶ the daemon, a process of its own ──WebSocket──▶ 100 screens

The PBX and the screens are one process, and so is the clock: from the write of the frame that
says "Ringing" to the card in the hands of the client.
"""

import asyncio
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from typing_extensions import override

from cti.clock import SystemClock
from tests.bench import tape
from tests.kit.ami import Asked, FakeAmi, Visit, listing, reply
from tests.kit.house import Screen, at_work
from tests.pbx.lab import Pair
from tests.pbx.lab.pair import Asterisk
from tests.pbx.lab.place import Place
from tests.pbx.lab.trees import CROWD, Secrets

_STAMP: Final = re.compile(rb"\r\nTimestamp: ([0-9.]+)")
_RINGS: Final = re.compile(
    rb"Event: (?:Newstate\r\n.*\r\nChannelState: 5|DialState\r\n.*\r\nDialStatus: RINGING)\r\n",
    re.DOTALL,
)
_CUSTOMER: Final = re.compile(rb"139\d{8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One frame: when, what, and for whom it is the first to say that a phone rings."""

    at: float
    wire: bytes
    rings_for: str | None


class Player(FakeAmi):
    """A PBX at rest that plays a tape to whoever listens."""

    def __init__(self) -> None:
        super().__init__(systemname=tape.SYSTEMNAME)
        self.sent: dict[str, float] = {}
        """When a customer's phone was said to ring (`time.perf_counter`)."""
        self._listener: Visit | None = None
        lists = ("CoreShowChannels", "BridgeList", "QueueStatus", "DeviceStateList")
        for name in lists:
            self.scripts[name.lower()] = lambda asked, name=name: listing(asked, name, [])  # type: ignore[misc]
        self.scripts["corestatus"] = lambda asked: reply(
            asked, CoreStartupDate="2026-11-27", CoreStartupTime="08:00:00"
        )

    @override
    def hear(self, visit: Visit, asked: Asked, wire: bytes) -> None:
        if asked["action"] == ["Login"] and asked["events"] != ["off"]:
            self._listener = visit
        super().hear(visit, asked, wire)

    async def play(self, said: list[Said]) -> None:
        """Send each frame in its own write, when it is due."""
        assert self._listener is not None, "nobody listens"
        loop = asyncio.get_running_loop()
        begin = loop.time() - said[0].at
        for one in said:
            if (early := begin + one.at - loop.time()) > 0:
                await asyncio.sleep(early)
            if one.rings_for:
                self.sent[one.rings_for] = time.perf_counter()
            self._listener.send(one.wire)


def script(some: bytes) -> list[Said]:
    """Take a tape apart."""
    said, rang = list[Said](), set[str]()
    for frame in some.split(tape.END):
        found = _STAMP.search(frame)
        if found is None:
            continue  # the goodbye of the recording
        customer = None
        if _RINGS.match(frame) and (number := _CUSTOMER.search(frame)):
            customer = number[0].decode() if number[0].decode() not in rang else None
            rang.add(number[0].decode())
        said.append(Said(at=float(found[1]), wire=frame + tape.END, rings_for=customer))
    return said


def unborn(player: Player) -> Pair:
    """Give what a house must know of a PBX, without one: its names and secrets."""
    place, secret = Place(number=0), Secrets(systemname=tape.SYSTEMNAME)
    return Pair(name="tape", place=place, secret=secret, pbx=Asterisk(""), world=Asterisk(""))


async def measure(data: Path) -> dict[str, Any]:
    """Play the tape once to the daemon, with 100 agents connected; give figures in ms."""
    async with (
        Player() as player,
        at_work(unborn(player), data, port=player.port, more=CROWD) as house,
    ):
        phones = [str(number) for number in CROWD]
        await house.watch(*phones)
        rounds = tape.Rounds()
        said = script(rounds.round(0, later=await _next_second()))
        before = house.daemon.cpu_seconds()
        await player.play(said)
        await house.none_open()
        cpu = house.daemon.cpu_seconds() - before
        took = sorted(_took(player, [house.screens[phone] for phone in phones]))
    return {
        "calls": tape.CALLS,
        "clients": len(phones),
        "cards": len(took),
        "p50_ms": round(took[len(took) // 2], 2),
        "p99_ms": round(took[len(took) * 99 // 100], 2),
        "most_ms": round(took[-1], 2),
        "cpu_ms_per_call": round(cpu / tape.CALLS * 1000, 2),
    }


async def _next_second() -> int:
    """Wait until the tape's first instant comes again; give how many seconds later that is."""
    found = _STAMP.search(tape.data())
    assert found is not None
    first, now = float(found[1]), SystemClock().now().timestamp()
    later = int(now - first) + 1
    await asyncio.sleep(first + later - now)
    return later


def _took(player: Player, screens: list[Screen]) -> list[float]:
    """Give how many ms each first card took."""
    shown = dict[str, float]()
    for screen in screens:
        for at, card in screen.told:
            if card["state"] == "ringing":
                number = card["number"].removeprefix("+86")
                shown[number] = min(at, shown.get(number, at))
    assert shown.keys() == player.sent.keys()
    return [(at - player.sent[number]) * 1000 for number, at in shown.items()]
