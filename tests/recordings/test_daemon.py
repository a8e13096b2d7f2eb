"""The daemon killed in the middle, its storage full or away: each file is linked or listed."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from cti.calls.record import CallRecord
from cti.db.engine import Database
from recordings.record import Recording, State
from recordings.storage import INCOMING, MARKER
from recordings.store import RecordingStore
from tests.calls.test_store import answered, batch, keep
from tests.kit.daemon import Daemon
from tests.kit.disk import enlarge, small_disk
from tests.kit.sftp import sftp_host
from tests.kit.sound import tone, wav
from tests.recordings.conftest import MONITOR, at

FILES = 1000
APART = timedelta(minutes=1)
WITHIN = 60


@dataclass
class Plant:
    """A daemon whose PBX is away, but whose files are there."""

    daemon: Daemon
    db: Database
    spool: Path
    contents: dict[str, bytes]

    @property
    def kept(self) -> Path:
        """Where recordings are kept."""
        return self.daemon.data / "recordings"

    async def has(self, files: range, *, calls: bool = True) -> None:
        """Let the PBX have written so many files, each of a call of its own."""
        for n in files:
            name, ended = f"{n:04}.wav", at(9) + n * APART
            self.contents[name] = wav(tone(0.4 + n % 7 / 10, 300 + n))
            (self.spool / name).write_bytes(self.contents[name])
            stamp = int(ended.timestamp() * 1e9)
            os.utime(self.spool / name, ns=(stamp, stamp))
        if calls:
            await keep(self.db, *(batch(_call(n)) for n in files))

    async def counts(self) -> dict[State, int]:
        """Count the recordings of each state."""
        return await RecordingStore(self.db).counts()

    async def has_kept(self, files: int, within: float = WITHIN) -> None:
        """Wait until so many files are linked."""
        async with asyncio.timeout(within):
            while (await self.counts()).get(State.LINKED, 0) < files:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def recordings(self) -> list[Recording]:
        """Give all recordings."""
        found = await RecordingStore(self.db).of_calls([f"call-{n}" for n in range(FILES)])
        return [one for some in found.values() for one in some]

    def stored(self) -> dict[str, str]:
        """Give what lies in the storage: each file's name, and what its content hashes to."""
        return {
            file.name: hashlib.sha256(file.read_bytes()).hexdigest()
            for file in self.kept.rglob("*")
            if file.is_file() and file.name != MARKER
        }


def _call(n: int) -> CallRecord:
    return answered(
        f"call-{n}",
        recordings=(f"{MONITOR}/{n:04}.wav",),
        began=at(0) + n * APART,
        ended_at=at(9) + n * APART,
    )


@pytest.fixture
async def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Plant]:
    """A daemon that is to be started; its disk may be filled to the last byte."""
    monkeypatch.setenv("CTI_RECORDINGS__STOP_BELOW_GB", "0")
    spool = tmp_path / "monitor"
    spool.mkdir()
    setting = f"{MONITOR} = {spool}"
    daemon = Daemon(tmp_path / "data", {"name": "main", "port": 1, "recordings": [setting]})
    await daemon.prepare()
    db = await Database.open(daemon.database)
    made = Plant(daemon, db, spool, {})
    yield made
    await daemon.stop()
    await db.close()


async def test_killed_again_and_again_it_keeps_a_thousand_files_once_each(plant: Plant) -> None:
    await plant.has(range(FILES))

    for reached in (1, 150, 400, 401, 800):
        await plant.daemon.start()
        await plant.has_kept(reached)
        await plant.daemon.kill()
    await plant.daemon.start()
    await plant.has_kept(FILES)

    found = await plant.recordings()
    assert {State.LINKED: FILES} == await plant.counts()
    assert sorted(plant.contents) == sorted(one.source.rpartition("/")[2] for one in found)
    wanted = {name: hashlib.sha256(file).hexdigest() for name, file in plant.contents.items()}
    assert wanted == {one.source.rpartition("/")[2]: one.sha256 for one in found}
    assert {f"call-{int(name[:4])}" for name in wanted} == {one.call for one in found}
    assert dict.fromkeys(wanted.values()).keys() == plant.stored().keys()
    assert all(name == content for name, content in plant.stored().items())
    assert plant.contents == {file.name: file.read_bytes() for file in plant.spool.iterdir()}


async def test_files_on_another_machine_are_kept_also_after_it_was_away(tmp_path: Path) -> None:
    async with sftp_host(tmp_path) as host:
        server = host.server
        pbx = {
            "name": "main",
            "port": 1,
            "recordings": [f"{MONITOR} = sftp://{server.user}@{server.host}:{server.port}/monitor"],
            "sftp_known_hosts": str(server.known_hosts),
            "sftp_key_file": str(server.key_file),
        }
        daemon = Daemon(tmp_path / "data", pbx)
        await daemon.prepare()
        db = await Database.open(daemon.database)
        far = Plant(daemon, db, host.root / "monitor", {})
        try:
            await far.has(range(20))
            await daemon.start()
            await far.has_kept(20)
            await host.goes()
            await daemon.says("recordings_trouble")
            await far.has(range(20, 40))
            await daemon.kill()
            await daemon.start()
            await host.comes()
            await far.has_kept(40)

            wanted = {hashlib.sha256(file).hexdigest() for file in far.contents.values()}
            assert {State.LINKED: 40} == await far.counts()
            assert wanted == far.stored().keys()
            assert far.contents == {one.name: one.read_bytes() for one in far.spool.iterdir()}
        finally:
            await daemon.stop()
            await db.close()


async def test_a_storage_that_was_away_gets_everything_when_it_is_back(plant: Plant) -> None:
    await plant.has(range(20))
    await plant.daemon.start()
    await plant.has_kept(20)

    away = plant.kept.rename(plant.daemon.data / "away")
    plant.kept.mkdir()
    await plant.has(range(20, 120))
    said = await plant.daemon.says("recordings_trouble")
    assert "is not the folder of the recordings" in said["why"]
    assert [] == list(plant.kept.iterdir())
    plant.kept.rmdir()
    away.rename(plant.kept)

    await plant.has_kept(120)
    assert {State.LINKED: 120} == await plant.counts()
    assert 120 == len(plant.stored())


async def test_a_full_storage_gets_everything_when_there_is_room(plant: Plant) -> None:
    await plant.has(range(600))
    async with small_disk(plant.kept, "2m"):
        await plant.daemon.start()
        said = await plant.daemon.says("recordings_trouble")
        assert "storage_full" == said["code"]
        ready, text = await plant.daemon.fetch("/readyz")
        enlarge(plant.kept, "64m")

        await plant.has_kept(600)
        assert {State.LINKED: 600} == await plant.counts()
        assert (503, True) == (ready, "recordings keeping" in text)
        assert [] == list((plant.kept / INCOMING).iterdir())
        assert all(name == content for name, content in plant.stored().items())
        await plant.daemon.stop()
