"""A PBX that writes files, a clock that stands, and everything between them real."""

import os
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from cti.calls.record import CallRecord
from cti.calls.store import CallStore
from cti.clock import SetClock
from cti.db.engine import Database
from cti.house import House, RecordingRules
from recordings.collector import Collector
from recordings.record import Recording
from recordings.spool import Source, Spool
from recordings.storage import LocalFolder
from recordings.store import RecordingStore
from tests.calls.test_store import answered, keep
from tests.calls.test_store import batch as batch_of
from tests.kit.sound import tone, wav
from tests.kit.story import NINE

MONITOR = "/var/spool/asterisk/monitor"


def at(seconds: float) -> datetime:
    """Give an instant: the customer calls at 0, talks from 4 to 9, and is gone."""
    return NINE + timedelta(seconds=seconds)


class Plant:
    """A spool, a storage, a database, and what is collected between them."""

    def __init__(self, db: Database, root: Path) -> None:
        self.db, self.root = db, root
        self.folder, self.kept = root / "monitor", root / "kept"
        self.folder.mkdir()
        self.clock = SetClock(at(-60))
        self.store, self.storage = RecordingStore(db), LocalFolder(self.kept)
        self.rules = RecordingRules()
        self.sources: list[Source] = [Spool("main", MONITOR, self.folder)]
        self.start()

    def start(self) -> None:
        """Start to collect; once more is a restart."""
        self.collector = Collector(
            self.store,
            self.storage,
            self.sources,
            calls=CallStore(self.db),
            house=lambda: House(recordings=self.rules),
            clock=self.clock,
            stop_below=0,
        )

    def writes(
        self, name: str, *, seconds: float = 5, ended: float = 9, sound: bytes = b""
    ) -> Path:
        """Let the PBX write a file, the last byte of it at an instant."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(sound or wav(tone(seconds, hertz=300 + len(name))))
        self.ended(file, ended)
        return file

    def ended(self, file: Path, ended: float) -> None:
        """Let a file be last written at an instant."""
        stamp = int(at(ended).timestamp() * 1_000_000_000)
        os.utime(file, ns=(stamp, stamp))

    async def calls(self, *files: str, **facts: Any) -> CallRecord:
        """Let Wang call, and Bo answer; the PBX names files of it."""
        record = answered(recordings=tuple(f"{MONITOR}/{file}" for file in files), **facts)
        await keep(self.db, batch_of(record))
        return record

    async def goes(self, to: float) -> None:
        """Let time go on to an instant, and look."""
        self.clock.go(at(to) - self.clock.now())
        await self.collector.look()

    async def all_of(self, call: str = "call-1") -> list[Recording]:
        """Give the recordings of a call."""
        return await self.store.of_call(call)

    async def one_of(self, call: str = "call-1") -> Recording:
        """Give the one recording of a call."""
        (one,) = await self.all_of(call)
        return one

    def content(self, one: Recording) -> bytes:
        """Read what is kept of a recording."""
        with self.storage.open(one.place) as reader:
            return reader.read(0, reader.size)


@pytest.fixture
async def plant(sqlite_db: Database, tmp_path: Path) -> AsyncIterator[Plant]:
    """Everything, a minute before Wang calls; it has looked once."""
    structlog.configure(processors=[structlog.processors.KeyValueRenderer()])
    made = Plant(sqlite_db, tmp_path)
    await made.collector.look()
    yield made
    made.collector.close()
