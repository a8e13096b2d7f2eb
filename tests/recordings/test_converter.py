"""Recordings become smaller by the house's rules, whole; what the PBX wrote goes in its time."""

import io
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import soundfile
from sqlalchemy import select

from cti.clock import SetClock
from cti.db.audit import audit
from cti.db.engine import Database
from cti.house import RecordingRules
from recordings.audio import looked
from recordings.converter import Converter
from recordings.record import Gone, Hold, Recording
from recordings.reseal import reseal
from recordings.seal import Key, Keys
from recordings.storage import LocalFolder, Put, StorageUnavailable
from recordings.store import Tomb
from tests.kit.recordings import BEGAN, SPEECH, Archive, archive
from tests.kit.sound import pitch, stairs, wav, written

DAY = timedelta(days=1)
K1 = Key(id="k1", secret=bytes(32))
ON = RecordingRules(opus=True, opus_after=DAY, original_kept=10 * DAY)


def keys(*some: Key) -> Keys:
    return Keys(first=some[0], by_id={one.id: one for one in some})


class Mill:
    """An archive, and what makes it smaller."""

    def __init__(self, kept: Archive, folder: Path) -> None:
        self.kept, self.folder, self.rules = kept, folder, ON
        self.clock = SetClock(BEGAN + 2 * DAY)
        self.held: dict[str, list[Hold]] = {}
        self.converter = Converter(
            kept.store,
            kept.storage,
            holds=self._holds,
            house=lambda: self.rules,
            clock=self.clock,
            scratch=folder / "scratch",
        )

    async def _holds(
        self, calls: Collection[str], recordings: Collection[str] = ()
    ) -> Mapping[str, list[Hold]]:
        return self.held

    async def now(self, one: Recording) -> Recording:
        return await self.kept.store.get(one.id)

    def content(self, place: str) -> bytes:
        with self.kept.storage.open(place) as reader:
            return reader.read(0, reader.size)

    def files(self) -> int:
        return sum(file.is_file() for file in self.kept.folder.glob("??/*"))

    async def noted(self) -> list[str]:
        async with self.kept.db.read() as conn:
            rows = await conn.execute(select(audit.c.what).order_by(audit.c.seq))
            return list(rows.scalars())


@pytest.fixture(params=[None, keys(K1)], ids=["open", "sealed"])
async def mill(
    sqlite_db: Database, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Mill]:
    """An archive two days after the first sound in it."""
    async with archive(sqlite_db, tmp_path / "kept", keys=request.param) as kept:
        yield Mill(kept, tmp_path)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a.wav", SPEECH),
        ("two.wav", wav(stairs(60), channels=2)),
        ("a.WAV", written(stairs(60), "GSM610")),
        ("u.wav", written(stairs(60), "ULAW")),
    ],
)
async def test_it_is_as_long_says_the_same_and_both_are_known(
    mill: Mill, name: str, file: bytes
) -> None:
    one = await mill.kept.keeps(file, name)

    assert (1, 0) == await mill.converter.look()

    now, original = await mill.now(one), await mill.kept.store.original(one.id)
    assert original is not None
    content = mill.content(now.place)
    sound = looked(lambda at, length: content[at : at + length], len(content))
    samples, rate = soundfile.read(io.BytesIO(content))
    fifth = samples[5 * rate : 6 * rate] if samples.ndim == 1 else samples[5 * rate : 6 * rate, 0]
    assert ("ogg", one.channels, one.duration_ms) == (now.format, sound.channels, now.duration_ms)
    assert abs(350 - pitch(fifth, rate)) < 5 or one.channels == 2
    assert (one.sha256, one.size, one.duration_ms, one.format) == (
        original.sha256, original.size, original.duration_ms, original.format,
    )  # fmt: skip
    assert len(content) == now.size < one.size or name == "a.WAV"
    assert file == mill.content(original.place)
    assert ["recording_converted"] == await mill.noted()
    assert [] == list((mill.folder / "scratch").iterdir())


async def test_again_it_does_nothing(mill: Mill) -> None:
    await mill.kept.keeps()
    await mill.converter.look()

    assert (0, 0) == await mill.converter.look()
    assert 2 == mill.files()


@pytest.mark.parametrize(
    "rules", [replace(ON, opus=False), replace(ON, opus_after=3 * DAY)], ids=["off", "young"]
)
async def test_the_house_says_whether_and_when(mill: Mill, rules: RecordingRules) -> None:
    await mill.kept.keeps()
    mill.rules = rules

    assert (0, 0) == await mill.converter.look()


async def test_a_rate_that_opus_does_not_know_stays(mill: Mill) -> None:
    one = await mill.kept.keeps(wav(stairs(2, rate=11_025), rate=11_025))

    assert (0, 0) == await mill.converter.look()
    assert one == await mill.now(one)


async def test_what_the_pbx_wrote_goes_in_its_time_and_its_hash_stays(mill: Mill) -> None:
    one = await mill.kept.keeps()
    await mill.converter.look()
    mill.clock.go(9 * DAY)
    early = await mill.converter.look()
    mill.clock.go(2 * DAY)

    late = await mill.converter.look()

    original = await mill.kept.store.original(one.id)
    assert original is not None
    assert ((0, 0), (0, 1), 1) == (early, late, mill.files())
    assert ("", one.sha256, mill.clock.now()) == (
        original.place, original.sha256, original.dropped_at,
    )  # fmt: skip
    assert ["recording_converted", "recording_original_dropped"] == await mill.noted()
    assert mill.content((await mill.now(one)).place)


@pytest.mark.parametrize("by", ["call", "recording"])
async def test_what_is_held_keeps_its_original(mill: Mill, by: str) -> None:
    one = await mill.kept.keeps()
    await mill.converter.look()
    mill.held = {one.id if by == "recording" else "call-may": []}
    mill.clock.go(30 * DAY)

    assert (0, 0) == await mill.converter.look()
    assert 2 == mill.files()


async def test_an_original_that_another_recording_is_stays_for_that(mill: Mill) -> None:
    first = await mill.kept.keeps(minute=0)
    mill.rules = replace(ON, opus_after=2 * DAY - timedelta(minutes=30))
    second = await mill.kept.keeps(minute=60)  # the same content, an hour later
    await mill.converter.look()
    mill.rules = replace(ON, opus=False)
    mill.clock.go(30 * DAY)

    assert (0, 1) == await mill.converter.look()

    assert "ogg" == (await mill.now(first)).format
    assert SPEECH == mill.content((await mill.now(second)).place)


async def test_with_a_recording_its_original_is_deleted(mill: Mill) -> None:
    one = await mill.kept.keeps()
    await mill.converter.look()
    tomb = Tomb(at=mill.clock.now(), reason=Gone.RETENTION, policy="v", who="cti")

    await mill.kept.store.bury([one.id], tomb)
    places = await mill.kept.store.buried()

    original = await mill.kept.store.original(one.id)
    assert original is not None
    assert {(await mill.now(one)).place, original.place} == set(places)


async def test_one_that_is_deleted_while_it_is_converted_leaves_nothing(
    mill: Mill, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await mill.kept.keeps()
    tomb = Tomb(at=mill.clock.now(), reason=Gone.RETENTION, policy="v", who="cti")
    noting = mill.kept.store.converted

    async def too_late(*given: object) -> bool:
        await mill.kept.store.bury([one.id], tomb)
        return await noting(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(mill.kept.store, "converted", too_late)

    assert (0, 0) == await mill.converter.look()
    assert 1 == mill.files()  # the one that the keeper removes


async def test_a_storage_that_is_away_costs_nothing(
    mill: Mill, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await mill.kept.keeps()

    def away(_content: object) -> Put:
        raise StorageUnavailable("away")

    with monkeypatch.context() as change:
        change.setattr(mill.kept.storage, "put", away)
        with pytest.raises(StorageUnavailable):
            await mill.converter.look()
    assert one == await mill.now(one)

    assert (1, 0) == await mill.converter.look()


async def test_a_new_key_seals_originals_as_well(mill: Mill) -> None:
    one = await mill.kept.keeps()
    await mill.converter.look()
    new = LocalFolder(mill.kept.folder, keys(Key(id="k2", secret=bytes([7] * 32)), K1))

    assert 2 == await reseal(mill.kept.store, new)

    original = await mill.kept.store.original(one.id)
    assert original is not None
    with new.open(original.place) as reader:
        assert ("k2", SPEECH) == (original.key_id, reader.read(0, reader.size))
