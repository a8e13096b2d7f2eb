"""Is each recording the right call's? A real PBX records, the daemon collects, people speak."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from recordings.record import Recording, State
from recordings.storage import LocalFolder
from recordings.store import RecordingStore
from tests.kit.house import House
from tests.pbx.lab import Lab, Pair
from tests.pbx.lab.talks import (
    LIKE,
    Evening,
    Talk,
    all_collected,
    folder,
    planned,
    recorded,
    samples_of,
)

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="module")]

CALLS = 25
CUT = 20


@dataclass(frozen=True, slots=True)
class Played:
    """An evening that is over: its talks, and what came of their recordings."""

    house: House
    talks: list[Talk]
    figures: dict[str, Any]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def played(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Played]:
    """Calls of every kind, played once: direct, by queue, transferred, held, paused, given up."""
    async with Lab(pair) as lab:
        await lab.records_quiet()
        for old in folder(pair).glob("*.wav"):  # of calls that other tests played
            old.unlink()
        async with recorded(pair, tmp_path_factory.mktemp("talks")) as house:
            evening, talks = Evening(house, lab), planned(CALLS)
            await evening.play(talks)
            await lab.records_quiet()
            await house.none_open()
            await all_collected(house)
            yield Played(house, talks, await evening.judge(talks))


async def test_every_recording_is_its_calls_with_each_voice_on_its_side(played: Played) -> None:
    assert (CALLS, {}) == (played.figures["right"], played.figures["faults"])
    kinds = {talk.kind for talk in played.talks}
    assert {"queue", "blind", "attended", "hold", "pause", "abandoned", "outbound"} <= kinds


async def test_nothing_is_missing_and_nothing_belongs_to_nobody(played: Played) -> None:
    assert {"linked": CALLS} == played.figures["states"]


async def test_a_recording_is_as_long_as_the_talk(played: Played) -> None:
    assert abs(played.figures["off_median_s"]) <= 0.3
    assert played.figures["off_most_s"] <= 1.0  # a busy machine drops sound here and there


async def test_the_pbx_keeps_its_files_as_they_were(played: Played, pair: Pair) -> None:
    store = RecordingStore(played.house.db)
    names = {file.name for file in folder(pair).glob("*.wav")}

    for talk in played.talks:
        for row in await played.house.calls(talk.caller):
            for one in await store.of_call(row["id"]):
                assert one.source.rpartition("/")[2] in names


async def test_a_pbx_that_is_killed_while_it_records_loses_no_recording(
    pair: Pair, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with (
        Lab(pair) as lab,
        recorded(pair, tmp_path_factory.mktemp("killed")) as house,
    ):
        evening, callers = Evening(house, lab), [f"137{n:08}" for n in range(CUT)]
        for n in range(9):
            await lab.behave(f"600{n + 1}", "answer,0,60")
        voices = {one: evening.voices.file(one, "I call while the PBX dies,") for one in callers}
        calls = [
            await lab.customer_calls(one, to=f"470{n % 9 + 1}", talk=60, voice=voices[one])
            for n, one in enumerate(callers)
        ]
        for call in calls:
            await call.answered()
        await asyncio.sleep(9)  # so much of each talk is to be heard afterwards

        lab.cut_pbx()
        await lab.restart_pbx()
        await house.daemon.says("pbx_resynced", times=2)
        await house.none_open()
        await all_collected(house)

        kept = LocalFolder(house.daemon.data / "recordings")
        found = [await _one_of(house, caller) for caller in callers]
        assert [(State.LINKED, True)] * CUT == [(one.state, one.mended) for one in found]
        assert min(one.duration_ms or 0 for one in found) >= 4000
        for caller, one in zip(callers, found, strict=True):
            with kept.open(one.place) as reader:
                samples = samples_of(reader.read(0, reader.size))
            left = samples if samples.ndim == 1 else samples[:, 0]
            assert evening.voices.likeness(left, caller) > LIKE
        await lab.records_quiet()


async def _one_of(house: House, caller: str) -> Recording:
    (row,) = await house.calls(caller)
    (one,) = await RecordingStore(house.db).of_call(row["id"])
    return one
