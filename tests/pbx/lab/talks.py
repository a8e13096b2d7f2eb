"""Many calls in which people speak and are recorded: is each recording the right call's?

Everybody says something of his own, so that the sound itself tells whose recording it is, and
who is heard on which side. `python -m tests.pbx.lab talks` plays them and prints the figures.
"""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from recordings.record import Recording, State
from recordings.storage import LocalFolder
from recordings.store import RecordingStore
from tests.kit.house import House, Kept, opened
from tests.pbx.lab.desk import DeskPhone
from tests.pbx.lab.lab import Lab
from tests.pbx.lab.pair import Pair
from tests.pbx.lab.trees import CROWD_PORT
from tests.pbx.lab.truth import CALLER, CHANNEL, EXTEN, LINKEDID, TIME, TYPE
from tests.pbx.lab.voices import Voices

LIKE: Final = 0.6
"""From here on a sound is somebody's; others reach 0.2."""
SILENT: Final = "ring,60"
ANSWER: Final = "answer,1,60"
TRUNK: Final = "PJSIP/trunk"
TALKERS: Final = ("6003", "6004", "6005")
"""Phones that answer whoever rings, several at once."""
AT_ONCE: Final = 2
"""So many talk on one of them."""
_MIX: Final = (
    *("direct", "queue", "direct", "blind", "direct", "attended", "direct", "queue", "outbound"),
    *("direct", "hold", "direct", "queue", "blind", "direct", "attended", "direct", "abandoned"),
    *("direct", "queue", "pause", "direct", "outbound", "direct", "direct"),
)


@dataclass(slots=True)
class Talk:
    """One call: who calls, what kind it is, which phone is rung, who must be heard."""

    kind: str
    n: int
    caller: str
    phone: str
    """The phone that is rung; in a queue the first of three."""
    first: str = ""
    """Who is on the left: who began the call."""
    second: str = ""
    """Who is heard on the right; empty: nobody that is known."""
    faults: list[str] = field(default_factory=list)
    off_ms: int | None = None
    """The recording's length less that of the talk, as the daemon keeps it."""
    off_cel_ms: int | None = None
    """The same by CEL, which the daemon never sees: so a wrong clock shows from short sound."""


@asynccontextmanager
async def recorded(pair: Pair, data: Path, **more: Any) -> AsyncIterator[House]:
    """A house at work whose daemon collects what the PBX records."""
    async with opened(pair, data, recordings=[spool(pair)], **more) as house:
        await house.daemon.start()
        await house.daemon.says("pbx_resynced")
        yield house


def spool(pair: Pair) -> str:
    """Say in a setting where this PBX writes."""
    return f"{pair.pbx.tree}/spool/monitor = {folder(pair)}"


def folder(pair: Pair) -> Path:
    """Where this PBX writes, seen from outside."""
    return pair.pbx.folder / "spool/monitor"


def planned(calls: int) -> list[Talk]:
    """Plan so many calls, of all kinds."""
    mixed = islice(cycle(_MIX), calls)
    return [_talk(kind, n) for n, kind in enumerate(mixed)]


def _talk(kind: str, n: int) -> Talk:
    caller, one = f"139{n:08}", TALKERS[n % len(TALKERS)]
    match kind:
        case "queue":
            answers = f"600{7 + n % 3}"
            return Talk(kind, n, caller, "6007", caller, answers)
        case "blind" | "attended":
            return Talk(kind, n, caller, f"600{1 + n % 2}", caller, one)
        case "hold":
            return Talk(kind, n, caller, "6101", caller)
        case "outbound":
            return Talk(kind, n, caller, one, one, caller)
        case "abandoned":
            return Talk(kind, n, caller, "6006")
    return Talk(kind, n, caller, one, caller, one)


class Evening:
    """Plays talks side by side; those that need the same phone wait for each other."""

    def __init__(self, house: House, lab: Lab) -> None:
        self.house, self.lab, self.voices = house, lab, Voices(lab.pair.world)
        self._free = {one: asyncio.Semaphore(AT_ONCE) for one in TALKERS} | {
            one: asyncio.Semaphore(1) for one in ("6001", "6002", "6006", "6007", "6101")
        }

    async def play(self, talks: Sequence[Talk]) -> None:
        """Play all, to the end of each."""
        for number in range(6001, 6010):
            words = "Good morning, customer service, this is desk"
            await self.lab.speaks_as(str(number), self.voices.file(str(number), words))
        for phone in TALKERS:
            await self.lab.behave(phone, ANSWER)
        async with asyncio.TaskGroup() as tasks:
            for talk in talks:
                tasks.create_task(self._play(talk))

    async def _play(self, talk: Talk) -> None:
        kinds: dict[str, Callable[[Talk], Awaitable[None]]] = {
            "hold": self._hold,
            "pause": self._pause,
            "outbound": self._outbound,
        }
        async with self._free[talk.phone]:
            await kinds.get(talk.kind, self._inbound)(talk)

    async def _calls(self, talk: Talk, to: str, seconds: float, patience: float = 60) -> None:
        words = "Hello, I am a customer and I need some help, my number is"
        call = await self.lab.customer_calls(
            talk.caller,
            to=to,
            talk=seconds,
            patience=patience,
            voice=await asyncio.to_thread(self.voices.file, talk.caller, words),
        )
        await call.over()

    async def _inbound(self, talk: Talk) -> None:
        to, seconds, patience = f"470{talk.phone[-1]}", 3.0 + talk.n % 5, 60.0
        does: dict[str, str] = {}
        match talk.kind:
            case "queue":
                to = "4700"
                does = dict.fromkeys(("6007", "6008", "6009"), SILENT) | {talk.second: ANSWER}
            case "blind":
                does, seconds = {talk.phone: f"answer,1,30,##,2,{talk.second},1"}, 10.0
            case "attended":
                does, seconds = {talk.phone: f"answer,1,9,*2,1,{talk.second},1"}, 14.0
            case "abandoned":
                does, patience = {talk.phone: SILENT}, 3.0
        for phone, what in does.items():
            await self.lab.behave(phone, what)
        await self._calls(talk, to, seconds, patience)

    async def _outbound(self, talk: Talk) -> None:
        words = "Hello, who is calling me at"
        voice = await asyncio.to_thread(self.voices.file, talk.caller, words)
        await self.lab.speaks_as(talk.caller, voice)
        await self.lab.behave(talk.caller, ANSWER)
        mine = self.voices.file(talk.first, "")
        call = await self.lab.phone_calls(talk.first, to=f"9{talk.caller}", talk=5, voice=mine)
        await call.over()

    async def _hold(self, talk: Talk) -> None:
        place = self.lab.pair.place
        phone = DeskPhone("6101", (place.phones, CROWD_PORT), (place.pbx, 5060), ring=1)
        await phone.open()
        calling = asyncio.get_running_loop().create_task(self._calls(talk, "4710", 9))
        call = await phone.takes()
        await asyncio.sleep(2)  # the length of the talk is the scene's own
        await phone.holds(call)
        await asyncio.sleep(2)
        await phone.resumes(call)
        await calling
        phone.close()

    async def _pause(self, talk: Talk) -> None:
        to = f"470{talk.phone[-1]}"
        calling = asyncio.get_running_loop().create_task(self._calls(talk, to, 8))
        since = len(self.lab.pbx.heard)
        started = await self.lab.pbx.until(
            lambda m: m.is_event("BridgeEnter", CallerIDNum=talk.caller), since=since, within=30
        )
        await asyncio.sleep(2)
        for state in ("1", "0"):
            mute = {"Channel": started["Channel"], "Direction": "both", "State": state}
            await self.lab.pbx.do("MixMonitorMute", **mute)
            await asyncio.sleep(2)
        await calling

    # -- what came of it

    async def judge(self, talks: Sequence[Talk]) -> dict[str, Any]:
        """Look at every recording of every call; give figures. Each talk keeps its faults."""
        store = RecordingStore(self.house.db)
        storage = LocalFolder(self.house.daemon.data / "recordings")
        rows, cel = await self.house.calls(), self.lab.cel()
        of_call = await store.of_calls([row["id"] for row in rows])
        for talk in talks:
            mine = [row for row in rows if talk.caller in (row["caller"], row["dialled"])]
            if len(mine) != 1:
                talk.faults.append(f"{len(mine)} calls")
                continue
            found = of_call.get(mine[0]["id"], [])
            await asyncio.to_thread(
                self._hear, talk, await self.house.whole(mine[0]), found, storage
            )
            if talk.off_ms is not None and (lasted := lasted_ms(cel, talk.caller)):
                talk.off_cel_ms = (found[0].duration_ms or 0) - lasted
        counts = await store.counts()
        offs = [talk.off_ms for talk in talks if talk.off_ms is not None]
        by_cel = [talk.off_cel_ms for talk in talks if talk.off_cel_ms is not None]
        middle, middle_by_cel = median(offs), median(by_cel)
        return {
            "calls": len(talks),
            "right": sum(not talk.faults for talk in talks),
            "faults": {f"{talk.kind} {talk.n}": talk.faults for talk in talks if talk.faults},
            "off_median_s": middle / 1000,
            "off_most_s": max(map(abs, offs)) / 1000,
            "spread_s": max(abs(off - middle) for off in offs) / 1000,
            "by_cel": {
                "off_median_s": middle_by_cel / 1000,
                "off_most_s": max(map(abs, by_cel)) / 1000,
                "spread_s": max(abs(off - middle_by_cel) for off in by_cel) / 1000,
            },
            "off_by_kind_s": {
                kind: [min(some) / 1000, max(some) / 1000]
                for kind in dict.fromkeys(talk.kind for talk in talks)
                if (some := [one.off_ms for one in talks if one.kind == kind and one.off_ms])
            },
            "states": {state.value: n for state, n in counts.items()},
        }

    def _hear(
        self, talk: Talk, kept: Kept, found: Sequence[Recording], storage: LocalFolder
    ) -> None:
        """Hold what is kept of a call against what was said in it."""
        if [one.state for one in found] != [State.LINKED]:
            talk.faults.append(f"recordings are {[one.state.value for one in found]}")
            return
        (one,) = found
        if talk.kind == "abandoned":
            if one.duration_ms:
                talk.faults.append("nobody spoke, and there is sound")
            return
        began = min(row["began_at"] for row in kept.talks)
        ended = max(row["ended_at"] for row in kept.talks)
        talk.off_ms = (one.duration_ms or 0) - int((ended - began).total_seconds() * 1000)
        with storage.open(one.place) as reader:
            sound = reader.read(0, reader.size)
        samples = samples_of(sound)
        if samples.ndim != 2:
            talk.faults.append("the sides are not apart")
            return
        left, right = samples[:, 0], samples[:, 1]
        self._is_heard(talk, talk.first, left, right)
        if talk.second:
            self._is_heard(talk, talk.second, right, left)
        wanted = "agent" if talk.kind == "outbound" else "customer"
        if one.left != wanted:
            talk.faults.append(f"on the left is the {one.left}")

    def _is_heard(
        self, talk: Talk, who: str, here: NDArray[np.int16], there: NDArray[np.int16]
    ) -> None:
        mine, other = self.voices.likeness(here, who), self.voices.likeness(there, who)
        if mine < LIKE or other > LIKE:
            talk.faults.append(f"{who} is heard {mine:.2f} on his side, {other:.2f} on the other")


def lasted_ms(cel: Sequence[Sequence[str]], number: str) -> int | None:
    """Say by CEL how long the customer's channel was in bridges, from the first to the last."""
    calls = {row[LINKEDID] for row in cel if number in (row[CALLER], row[EXTEN], row[EXTEN][1:])}
    mine = [row for row in cel if row[LINKEDID] in calls and row[CHANNEL].startswith(TRUNK)]
    into = [float(row[TIME]) for row in mine if row[TYPE] == "BRIDGE_ENTER"]
    out = [float(row[TIME]) for row in mine if row[TYPE] == "BRIDGE_EXIT"]
    return int((max(out) - min(into)) * 1000) if into and out else None


def samples_of(file: bytes) -> NDArray[np.int16]:
    """Give what is heard in a file: a row for each moment, of one side or of two."""
    samples, _ = soundfile.read(io.BytesIO(file), dtype="int16")
    return np.asarray(samples, np.int16)


async def all_collected(house: House, within: float = 60) -> None:
    """Wait until nothing is awaited or under way any more."""
    store = RecordingStore(house.db)
    open_states = {State.EXPECTED, State.RECORDING, State.STORED}
    async with asyncio.timeout(within):
        while open_states & (await store.counts()).keys():  # noqa: ASYNC110  tells nobody
            await asyncio.sleep(0.2)
