"""The keeper is killed again and again while it deletes: nothing is half away, nothing too much."""

import asyncio
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from cti.db import migrate
from cti.db.audit import verify
from cti.db.engine import Database
from recordings.record import Recording
from tests.recordings.test_keeper import YEAR, Cellar

REPOSITORY = Path(__file__).parents[2]
OLD, YOUNG = 60, 10
SWEEP = """
import asyncio, sys
from pathlib import Path
from cti.db.engine import Database
from tests.recordings.test_keeper import Cellar
from recordings import keeper

keeper.AT_ONCE = 10

async def sweep():
    db = await Database.open(sys.argv[1])
    cellar = Cellar(db, Path(sys.argv[2]))
    print("ready", flush=True)
    await cellar.keeper.sweep()
    await db.close()

asyncio.run(sweep())
"""


def sweeps(url: str, folder: Path, seconds: float) -> int:
    """Let a process delete what is due, and kill it so long after it began; give how it ended."""
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", SWEEP, url, str(folder)], cwd=REPOSITORY, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        while process.stdout.readline() not in (b"ready\n", b""):
            pass
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            return process.wait()


async def state(url: str, folder: Path) -> tuple[list[Recording], list[Recording]]:
    """Give those that have sound, and those that are gone; what has sound has its file."""
    db = await Database.open(url)
    store = Cellar(db, folder).store
    found = [one for n in range(OLD + YOUNG) for one in await store.of_call(f"call-{n}")]
    alive = [one for one in found if one.gone_at is None]
    async with db.read() as conn:
        assert not (await verify(conn)).broken
    await db.close()
    assert all((folder / one.place).is_file() for one in alive)
    return alive, [one for one in found if one.gone_at is not None]


def test_a_keeper_killed_anywhere_deletes_all_that_is_due_and_nothing_else(tmp_path: Path) -> None:
    url, folder = f"sqlite+aiosqlite:///{tmp_path / 'cti.sqlite3'}", tmp_path / "kept"

    async def fill() -> None:
        await migrate.upgrade(url)
        db = await Database.open(url)
        cellar = Cellar(db, folder)
        for n in range(OLD + YOUNG):
            age = (YEAR + timedelta(days=1 + n)) if n < OLD else timedelta(days=n)
            await cellar.keeps(age / timedelta(days=1), call=f"call-{n}")
        await db.close()

    asyncio.run(fill())
    ended, seconds = -signal.SIGKILL, 0.05
    killed = 0
    while ended:
        ended = sweeps(url, folder, seconds)
        alive, _gone = asyncio.run(state(url, folder))
        assert len(alive) >= YOUNG
        killed += bool(ended)
        seconds *= 2

    alive, gone = asyncio.run(state(url, folder))
    assert (YOUNG, OLD) == (len(alive), len(gone))
    assert killed
    assert {f"call-{n}" for n in range(OLD, OLD + YOUNG)} == {str(one.call) for one in alive}
    assert {one.place for one in alive} == {
        str(path.relative_to(folder)) for path in folder.glob("??/*")
    }
    assert not any(one.place for one in gone)
