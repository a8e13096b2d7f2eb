"""How long does it take to collect recordings, beside `cp` and `sha256sum` of the same files?

Ours reads each file once, and then has its hash, length, peaks and silence; writes it, flushes it
to the disk, reads it back, and keeps its row. The others copy and hash, and flush nothing.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from cti.calls.record import RecordedCall
from cti.clock import SystemClock
from cti.db import migrate
from cti.db.engine import Database
from cti.house import House
from recordings.collector import Collector
from recordings.record import State
from recordings.spool import Spool
from recordings.storage import LocalFolder
from recordings.store import RecordingStore
from tests.kit.sound import RATE, wav

FILES: Final = 500
LONGEST: Final = 110
"""Talks of 10 to 110 seconds, a minute on the average."""


class NoCalls:
    """A PBX of whose calls nothing is known: what is measured is collecting."""

    async def recorded(self, since: datetime, also: Collection[str] = ()) -> list[RecordedCall]:
        """Know of no call."""
        return []

    async def recorded_on(self, pbx: str, uniqueid: str) -> list[RecordedCall]:
        """Know of no call."""
        return []

    async def recorded_between(
        self, pbx: str, began: datetime, ended: datetime
    ) -> list[RecordedCall]:
        """Know of no call."""
        return []


async def measure(data: Path) -> dict[str, Any]:
    """Collect the files and copy them, in turn, twice; give the better of each."""
    spool = data / "monitor"
    size = written(spool)
    theirs, ours = [], []
    for n in range(2):
        theirs.append(copied(spool, data / f"copy{n}"))
        ours.append(await collected(spool, data / f"own{n}"))
    best, other = min(ours), min(theirs)
    return {
        "files": FILES,
        "mb": round(size / 1e6),
        "seconds": round(best, 2),
        "files_per_s": round(FILES / best),
        "mb_per_s": round(size / 1e6 / best),
        "cp_sha256sum_seconds": round(other, 2),
        "times_as_long": round(best / other, 2),
    }


def written(spool: Path) -> int:
    """Write the files, each an hour old; give their bytes."""
    spool.mkdir()
    chance = np.random.default_rng(1)
    noise = chance.normal(0, 3000, LONGEST * RATE).astype("<i2")
    before, size = time.time_ns() - 3600 * 10**9, 0
    for n in range(FILES):
        seconds = 10 + n * (LONGEST - 10) // FILES
        file = spool / f"{n:05}.wav"
        file.write_bytes(wav(np.roll(noise, n)[: seconds * RATE]))
        os.utime(file, ns=(before, before))
        size += file.stat().st_size
    return size


def copied(spool: Path, to: Path) -> float:
    """Copy all and hash the copies; give the seconds."""
    os.sync()
    began = time.perf_counter()
    subprocess.run(["cp", "-r", str(spool), str(to)], check=True)  # noqa: S603, S607
    files = [str(file) for file in to.iterdir()]
    subprocess.run(  # noqa: S603
        ["sha256sum", *files],  # noqa: S607
        check=True,
        stdout=subprocess.DEVNULL,
    )
    took = time.perf_counter() - began
    shutil.rmtree(to)
    return took


async def collected(spool: Path, data: Path) -> float:
    """Collect all; give the seconds."""
    data.mkdir()
    url = f"sqlite+aiosqlite:///{data / 'cti.sqlite3'}"
    await migrate.upgrade(url)
    db = await Database.open(url)
    store = RecordingStore(db)
    collector = Collector(
        store,
        LocalFolder(data / "recordings"),
        [Spool("main", "/var/spool/asterisk/monitor", spool)],
        calls=NoCalls(),
        house=House,
        clock=SystemClock(),
        stop_below=0,
    )
    os.sync()
    began = time.perf_counter()
    await collector.look()
    took = time.perf_counter() - began
    counts = await store.counts()
    assert sum(counts.values()) == FILES, counts
    assert counts.keys() <= {State.STORED, State.ORPHAN}
    collector.close()
    await db.close()
    shutil.rmtree(data)
    return took
