"""A recording is paused at a real PBX: what was said meanwhile is nowhere in the file."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

import aiohttp
import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray

from recordings.record import Recording, State, Told
from recordings.storage import LocalFolder
from recordings.store import RecordingStore
from tests.kit.house import House
from tests.kit.sound import RATE
from tests.pbx.lab import Lab, Pair
from tests.pbx.lab.lab import Call
from tests.pbx.lab.talks import LIKE, all_collected, recorded, samples_of
from tests.pbx.lab.voices import Voices

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="module")]

RULES = """
[house]
id = "lab"
timezone = "Asia/Shanghai"
jurisdiction = "CN"

[recordings]
pause_by = ["agent"]
pause_longest = "10s"
one_touch = "*3"
"""
SURE = 0.4
"""So many seconds from the ends of a pause everything is silent: the PBX writes in pieces."""
DROPPED = 1.5
"""So many seconds of sound a PBX may drop when its machine is busy: the rest then moves up."""


@dataclass
class Desk:
    """May and Bo at work, and the customers who ring."""

    house: House
    lab: Lab
    voices: Voices

    async def talks(self, phone: str, to: str, caller: str, talk: float) -> tuple[Call, str]:
        """Let a customer ring and be answered; give the call and our id of it."""
        await self.lab.behave(phone, "answer,1,60")
        voice = await asyncio.to_thread(self.voices.file, caller, "Hello, I talk all the time,")
        call = await self.lab.customer_calls(caller, to=to, talk=talk, voice=voice)
        await self.house.screens[phone].shows(
            lambda card: str(card["number"]).endswith(caller) and card["state"] == "talking"
        )
        return call, await self.call_of(caller)

    async def call_of(self, caller: str) -> str:
        (row,) = await self.house.calls(caller)
        return str(row["id"])

    async def asks(self, phone: str, call: str, deed: str) -> None:
        """Do on a screen what a click does."""
        token = await self.house.token(self.house.staff[phone])
        url = self.house.daemon.url
        headers = {"Cookie": f"cti={token}", "Origin": url}
        async with aiohttp.ClientSession(url, headers=headers) as session:
            async with session.get("/api/v1/me") as answer:
                csrf = {"X-CSRF": (await answer.json())["csrf"]}
            path, body = f"/api/v1/calls/{call}/recording", {"do": deed}
            async with session.post(path, headers=csrf, json=body) as answer:
                assert 200 == answer.status, await answer.text()

    async def shows(self, phone: str, call: str, state: str) -> None:
        """Wait until the card of a call shows its recording so."""
        screen = self.house.screens[phone]
        await screen.until(
            lambda: (screen.cards(call)[-1]["recording"] or {}).get("state") == state
        )

    async def recording(self, call: str) -> Recording:
        """Give the one recording of a call, when it is collected."""
        await self.house.none_open()
        await all_collected(self.house)
        (one,) = await RecordingStore(self.house.db).of_call(call)
        return one

    def sound(self, one: Recording) -> NDArray[np.int16]:
        kept = LocalFolder(self.house.daemon.data / "recordings")
        with kept.open(one.place) as reader:
            return samples_of(reader.read(0, reader.size))


def silent(sound: NDArray[np.int16]) -> tuple[int, int]:
    """Find the longest silence on all sides of a recording: its first sample, and the next."""
    loud = np.flatnonzero(np.abs(sound).reshape(len(sound), -1).max(axis=1))
    edges = np.concatenate(([-1], loud, [len(sound)]))
    longest = int(np.argmax(np.diff(edges)))
    return int(edges[longest]) + 1, int(edges[longest + 1])


def is_muted(sound: NDArray[np.int16], one: Recording, began: datetime, seconds: float) -> bool:
    """Tell whether nothing is heard from an instant on, for so long; who talks is never silent."""
    assert one.began is not None
    first, end = silent(sound)
    off = first / RATE - (began - one.began).total_seconds()
    return -DROPPED < off <= SURE and (end - first) / RATE > seconds - 2 * SURE


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def desk(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    rules = tmp_path_factory.mktemp("rules") / "house.toml"
    rules.write_text(RULES)
    async with (
        Lab(pair) as lab,
        recorded(pair, tmp_path_factory.mktemp("pausing"), rules=rules) as house,
    ):
        await house.watch("6001", "6002", "6004")
        yield Desk(house, lab, Voices(pair.world))
        await lab.records_quiet()


async def test_what_is_said_in_a_pause_is_nowhere_in_the_file(desk: Desk) -> None:
    caller = "13700000001"
    call, ours = await desk.talks("6001", "4711", caller, 12)
    await asyncio.sleep(3)
    await desk.asks("6001", ours, "pause")
    await desk.shows("6001", ours, "paused")
    await asyncio.sleep(4)
    await desk.asks("6001", ours, "resume")
    await desk.shows("6001", ours, "on")
    await call.over()

    one = await desk.recording(ours)
    store = RecordingStore(desk.house.db)
    (pause,) = await store.pauses_of(ours)
    assert pause.ended is not None
    assert one.began is not None
    sound = desk.sound(one)
    assert is_muted(sound, one, pause.began, 4)
    first, end = silent(sound)
    before, after = sound[:first], sound[end:]
    assert min(np.abs(before[:, 0]).max(), np.abs(after[:, 0]).max()) > 1000
    assert desk.voices.likeness(after[:, 0], caller) > LIKE
    async with asyncio.timeout(5):
        while not (consents := await store.consents_of([ours])):  # noqa: ASYNC110  the next look
            await asyncio.sleep(0.1)
    consent = consents[ours]
    assert (Told.PBX, None) == (consent.told, consent.refused_at)


async def test_a_pause_that_nobody_ends_ends_by_itself_also_when_the_daemon_died(
    desk: Desk,
) -> None:
    call, ours = await desk.talks("6001", "4711", "13700000002", 20)
    await asyncio.sleep(1)
    await desk.asks("6001", ours, "pause")
    await desk.house.daemon.kill()
    await desk.house.daemon.start()
    await desk.house.daemon.says("pbx_resynced")
    await call.over()

    one = await desk.recording(ours)
    (pause,) = await RecordingStore(desk.house.db).pauses_of(ours)
    assert pause.ended is not None
    assert 10 <= (pause.ended - pause.began).total_seconds() < 14
    sound = desk.sound(one)
    assert is_muted(sound, one, pause.began, 10)
    assert np.abs(sound[silent(sound)[1] :, 0]).max() > 1000


async def test_who_refuses_is_not_recorded_till_the_end_of_the_call(desk: Desk) -> None:
    call, ours = await desk.talks("6001", "4711", "13700000003", 9)
    await asyncio.sleep(2)
    await desk.asks("6001", ours, "refuse")
    await call.over()

    one = await desk.recording(ours)
    (pause,) = await RecordingStore(desk.house.db).pauses_of(ours)
    sound = desk.sound(one)
    assert is_muted(sound, one, pause.began, 5)
    assert len(sound) == silent(sound)[1]


async def test_a_key_begins_and_ends_a_recording_where_the_dialplan_offers_it(desk: Desk) -> None:
    caller = "13700000004"
    call, ours = await desk.talks("6002", "4712", caller, 14)
    await desk.shows("6002", ours, "off")
    await desk.asks("6002", ours, "start")
    await desk.shows("6002", ours, "on")
    await asyncio.sleep(4)
    await desk.asks("6002", ours, "stop")
    await desk.shows("6002", ours, "off")
    await call.over()

    one = await desk.recording(ours)
    assert (State.LINKED, True) == (one.state, 3_000 <= (one.duration_ms or 0) <= 6_500)
    assert desk.voices.likeness(desk.sound(one).reshape(-1), caller) > LIKE
