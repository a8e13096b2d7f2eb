"""A disk of its own that is soon full."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.pbx.lab.run import run


@asynccontextmanager
async def small_disk(where: Path, size: str = "4m") -> AsyncIterator[Path]:
    """Mount a disk at a folder; skip where nobody may."""
    where.mkdir(parents=True)
    done = run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(where)])
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    try:
        yield where
    finally:
        run(["umount", "--lazy", str(where)])


def enlarge(disk: Path, size: str) -> None:
    """Give a disk more room, while it is used."""
    assert run(["mount", "-o", f"remount,size={size}", str(disk)]).returncode == 0
