"""How long from the click to the sound of a one-hour recording, among 100,000?

A real Chromium at a real server on this machine, SQLite; PCM and WAV49. Then a moment somewhere
in the hour is sought. Server and tests share one process.
"""

import random
import statistics
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np
from playwright.async_api import Browser, Page, async_playwright

from cti.clock import SystemClock
from cti.db import migrate
from cti.db.engine import Database
from recordings.record import Recording
from tests.kit.recordings import Archive, archive
from tests.kit.scenes import CHROMIUM_ARGS, chromium
from tests.kit.sound import Samples, stairs, wav, written
from tests.kit.web import LIN, Stage, stage

ROWS: Final = 100_000
AT_ONCE: Final = 2_000
TIMES: Final = 20

BEGIN: Final = """
() => {
  const audio = document.querySelector('cti-player audio');
  const now = () => performance.now();
  document.addEventListener('click', () => { window.clicked = now(); }, {capture: true});
  window.played = new Promise((done) => {
    audio.addEventListener('playing', () => done(now() - window.clicked), {once: true});
  });
}
"""
SEEK: Final = """
(ms) => new Promise((done) => {
  const audio = document.querySelector('cti-player audio');
  const began = performance.now();
  const heard = () => {
    if (audio.currentTime * 1000 <= ms) return;
    audio.removeEventListener('timeupdate', heard);
    done(performance.now() - began);
  };
  const slider = document.querySelector('.seek');
  slider.value = ms;
  slider.dispatchEvent(new Event('input'));
  audio.addEventListener('timeupdate', heard);
})
"""
"""Heard when it runs beyond the moment: the browser says so up to 250 ms late."""


async def measure(data: Path) -> dict[str, Any]:
    """Give milliseconds: the median, what 9 of 10 stay below, and the worst."""
    url = f"sqlite+aiosqlite:///{data / 'cti.sqlite3'}"
    await migrate.upgrade(url)
    db, hour = await Database.open(url), np.tile(stairs(60), 60)
    try:
        async with (
            archive(db, data / "recordings", SystemClock()) as kept,
            stage(rooms=[kept.room], clock=SystemClock()) as it,
            async_playwright() as playwright,
        ):
            files = await _hours(kept, hour)
            chrome = await playwright.chromium.launch(
                executable_path=chromium(), args=CHROMIUM_ARGS
            )
            found = {
                name: await _played(chrome, it, f"/recordings/{one.id}")
                for name, one in files.items()
            }
            return {"rows": ROWS, **found}
    finally:
        await db.close()


async def _hours(kept: Archive, hour: Samples) -> dict[str, Recording]:
    """Fill the archive; the two that are played lie in the middle of it."""
    model = await kept.keeps(wav(hour[:8000]))
    files: dict[str, Recording] = {}
    for start in range(0, ROWS, AT_ONCE):
        if start == ROWS // 2:
            files["PCM"] = await kept.keeps(wav(hour), minute=start)
            gsm = written(hour, "GSM610")
            files["WAV49"] = await kept.keeps(gsm, "hour.WAV", minute=start + 1)
        some = [_other(model, n) for n in range(start, start + AT_ONCE)]
        await kept.store.keep(some, {one.id: bytes(range(256)) * 3 for one in some})
    return files


def _other(model: Recording, n: int) -> Recording:
    began = model.seen_at + timedelta(minutes=n)
    return replace(model, id=f"{n:026x}", source=f"/{n}.wav", call=f"c{n}", began=began)


async def _played(chrome: Browser, it: Stage, path: str) -> Mapping[str, Sequence[int]]:
    opened, started, sought = list[float](), list[float](), list[float]()
    for turn in range(TIMES):
        context = await chrome.new_context()
        token = it.accounts.open_session(LIN)
        await context.add_cookies([{"name": "cti", "value": token, "url": it.origin}])
        page = await context.new_page()
        began = perf_counter()
        await page.goto(f"{it.origin}{path}")
        await page.locator(".play").wait_for()
        opened.append((perf_counter() - began) * 1000)
        await page.evaluate(BEGIN)
        await page.locator(".play").click()
        started.append(await page.evaluate("window.played"))
        sought.append(await _sought(page, random.Random(turn)))  # noqa: S311
        with suppress(Exception):  # it may still be loading
            await context.close()
    figures = {"page": opened, "click to sound": started, "seek to sound": sought}
    return {what: _told(ms) for what, ms in figures.items()}


def _told(ms: Sequence[float]) -> list[int]:
    nine_of_ten = statistics.quantiles(ms, n=10, method="inclusive")[-1]
    return [round(one) for one in (statistics.median(ms), nine_of_ten, max(ms))]


async def _sought(page: Page, chance: random.Random) -> float:
    return float(await page.evaluate(SEEK, chance.randrange(60_000, 3_500_000)))
