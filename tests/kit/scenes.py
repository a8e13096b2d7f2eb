"""Scenes for the eye: what a screen may look like, for screenshots and for axe.

`python -m tests.kit.scenes [--port N]` runs a server and plays them in turn, for a browser;
`python -m tests.kit.scenes --shots DIR` takes pictures of them all.
"""

import argparse
import asyncio
import shutil
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, Page, async_playwright

from cti.clock import SystemClock
from cti.people.rules import Person
from cti.web import wire
from tests.kit.web import BO, LIN, MAY, PASSWORD, WANG, WANG_MAY, Stage, stage

CONTACTS = [
    (2, "inbound", "answered", None, 2, "Bo", 184_000),
    (26, "outbound", "completed", None, None, "May", 65_000),
    (50, "inbound", "missed", "abandoned_ringing", 4, None, None),
    (24 * 9, "inbound", "answered", None, 1, "王大同", 412_000),
    (24 * 40, "inbound", "missed", "out_of_hours", None, None, None),
]


def contacts(it: Stage) -> list[dict[str, Any]]:
    """Five earlier contacts."""
    keys = ("direction", "outcome", "reason", "rings", "agent", "talk_ms")
    now = it.clock.now()
    return [
        {"at": wire.stamp(now - timedelta(hours=hours)), **dict(zip(keys, rest, strict=True))}
        | {"recording": "r1" if rest[4] == "May" else None}
        for hours, *rest in CONTACTS
    ]


def recording(it: Stage, state: str, **facts: Any) -> dict[str, Any]:
    """How a call is recorded, as a card and the board show it."""
    now, paused = it.clock.now(), state == "paused"
    return {
        "state": state,
        "told": "pbx",
        "since": wire.stamp(now - timedelta(seconds=12)) if paused else None,
        "until": wire.stamp(now + timedelta(seconds=288)) if paused else None,
        "why": "asked" if paused else None,
        "by": None,
        "may": ["resume" if paused else "pause", "refuse"],
    } | facts


def idle(it: Stage) -> None:
    """Nothing to do."""


def ringing(it: Stage) -> None:
    it.desk.rings("k1", MAY, ago=3.2, customers=[WANG], contacts=contacts(it))


def late(it: Stage) -> None:
    it.desk.rings("k1", MAY, ago=13, customers=[WANG], contacts=contacts(it))


def unknown(it: Stage) -> None:
    it.desk.rings(
        "k1", MAY, caller_name="ACME <b>Ltd</b>", number="+886912345678", shown="0912 345 678"
    )


def anonymous(it: Stage) -> None:
    it.desk.rings("k1", MAY, number="anonymous", shown=None)


def multi(it: Stage) -> None:
    it.desk.rings("k1", MAY, ago=4, customers=[WANG, WANG_MAY])


def talking(it: Stage) -> None:
    it.desk.rings("k1", MAY, ago=83, customers=[WANG], contacts=contacts(it)[:2])
    started = wire.stamp(it.clock.now() - timedelta(seconds=77))
    it.desk.show(
        MAY.id, it.desk.screens[MAY.id]["k1"] | {"state": "talking", "answered_at": started}
    )


def recorded(it: Stage) -> None:
    _talks(it, recording(it, "on", told="no"))


def paused(it: Stage) -> None:
    _talks(it, recording(it, "paused", by="May"))


def refused(it: Stage) -> None:
    facts = {"why": "refused", "until": None, "may": ["agree"]}
    _talks(it, recording(it, "paused", **facts))


def _talks(it: Stage, how: dict[str, Any]) -> None:
    talking(it)
    it.desk.show(MAY.id, it.desk.screens[MAY.id]["k1"] | {"recording": how})


def stacked(it: Stage) -> None:
    talking(it)
    it.desk.rings("k2", MAY, ago=1, number="+886912345678", shown="0912 345 678")


def taken(it: Stage) -> None:
    it.desk.rings("k1", MAY, ago=5, customers=[WANG])
    it.desk.rings("k2", MAY, BO, ago=4, customers=[WANG_MAY])


def taken_now(it: Stage) -> None:
    it.desk.answered("k2", BO)


def stale(it: Stage) -> None:
    ringing(it)
    it.desk.link(up=False)


SCENES: dict[str, Callable[[Stage], None]] = {
    "idle": idle,
    "ringing": ringing,
    "late": late,
    "unknown": unknown,
    "anonymous": anonymous,
    "multi": multi,
    "talking": talking,
    "stacked": stacked,
    "recorded": recorded,
    "paused": paused,
    "refused": refused,
    "stale": stale,
}


def busy_board(it: Stage) -> None:
    """A board in the middle of a day."""

    def ago(seconds: float) -> str:
        return wire.stamp(it.clock.now() - timedelta(seconds=seconds))

    def call(id: str, state: str, began: float, **facts: Any) -> dict[str, Any]:
        return {
            "call": id, "state": state, "shown": "138 0013 8000", "caller_name": None,
            "customer": None, "line": "4000", "queue": "support", "began": ago(began),
            "rang_at": None, "agents": [], "direction": "inbound", "recording": None,
        } | facts  # fmt: skip

    def agent(number: str, name: str, state: str, since: float | None) -> dict[str, Any]:
        when = None if since is None else ago(since)
        return {"number": number, "name": name, "state": state, "since": when, "call": None}

    it.desk.set_board(
        calls=[
            call(
                "k1", "talking", 205, customer="王小明", agents=["May"],
                recording=recording(it, "paused", by="May"),
            ),
            call("k2", "ringing", 16, customer="王美玲", rang_at=ago(13), agents=["Bo", "王大同"]),
            call("k3", "ringing", 5, rang_at=ago(4), shown="0912 345 678", agents=["Bo"]),
            call("k4", "waiting", 41, shown=None, line="4001", queue="booking"),
            call("k5", "menu", 3, queue=None, shown="+44 20 7946 0000", caller_name="ACME LTD"),
            call("k6", "talking", 3720, direction="outbound", customer="陳先生", agents=["王大同"],
                recording=recording(it, "on")),
        ],
        pause_by=["agent", "supervisor"],
        agents=[
            agent("6001", "May", "on_call", 200),
            agent("6002", "Bo", "ringing", 13),
            agent("6003", "王大同", "on_call", 3700),
            agent("6004", "Ana", "available", 640),
            agent("6005", "李小華", "paused", 380),
            agent("6006", "Kim", "unreachable", None),
        ],
        today={
            "inbound": 137, "answered": 128, "missed": 9,
            "within_standard": 119, "standard_rate": 0.93, "talk_ms": 164_000,
            "missed_by_reason": {"abandoned_ringing": 5, "rang_out": 2, "out_of_hours": 2},
        },
    )  # fmt: skip


CHROMIUM_ARGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
LANGUAGES = ("en", "zh-Hant", "zh-Hans")


def chromium() -> str | None:
    """Find the browser."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


async def log_in(context: BrowserContext, it: Stage, person: Person, path: str) -> Page:
    """Log a person in through the form, then open a page."""
    page = await context.new_page()
    await page.goto(f"{it.origin}/login")
    await page.fill("input[name=number]", person.number)
    await page.fill("input[name=password]", PASSWORD)
    await page.click("button.main")
    await page.wait_for_url("**/agent" if person.role == "agent" else "**/live")
    await page.goto(f"{it.origin}{path}")
    return page


async def _shoot(browser: Any, folder: Path, name: str, scene: Any, **how: Any) -> None:
    person, path = how.pop("person", MAY), how.pop("path", "/agent")
    width, locale, dark = how.pop("width"), how.pop("locale"), how.pop("dark")
    async with stage(clock=SystemClock()) as it:
        context = await browser.new_context(
            viewport={"width": width, "height": how.pop("height", 700)},
            locale=locale.replace("Hant", "TW").replace("Hans", "CN"),
            color_scheme="dark" if dark else "light",
            timezone_id="Asia/Taipei",
            **{k: v for k, v in how.items() if k != "after"},
        )
        scene(it)
        page = await log_in(context, it, person, path)
        if path in ("/agent", "/live"):
            await page.locator("cti-agent .status, cti-board .status").wait_for()
        if after := how.get("after"):
            await after(it, page)
        tone = "dark" if dark else "light"
        await page.screenshot(path=folder / f"{name}-{width}-{locale}-{tone}.png", full_page=True)
        await context.close()


async def shots(folder: Path) -> None:
    """Take pictures: every scene once, some of them in all widths, languages and tones."""
    folder.mkdir(parents=True, exist_ok=True)

    async def notice(it: Stage, page: Page) -> None:
        taken_now(it)
        await page.wait_for_selector("cti-agent .over")

    async def lost(it: Stage, page: Page) -> None:
        await page.context.set_offline(True)
        await page.wait_for_selector("cti-agent .status.trouble")

    async with async_playwright() as pw:
        browser = await pw.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGS)
        for name, scene in SCENES.items():
            for width, locale, dark in [(400, "zh-Hant", False), (1280, "en", True)]:
                await _shoot(browser, folder, name, scene, width=width, locale=locale, dark=dark)
        await _shoot(
            browser, folder, "taken", taken, width=400, locale="en", dark=False, after=notice
        )
        await _shoot(
            browser, folder, "offline", ringing, width=400, locale="en", dark=False, after=lost
        )
        for width, locale, dark in [
            (320, "zh-Hans", True),
            (320, "en", False),
            (400, "en", False),
            (1280, "zh-Hant", False),
        ]:
            await _shoot(browser, folder, "late", late, width=width, locale=locale, dark=dark)
            await _shoot(browser, folder, "multi", multi, width=width, locale=locale, dark=dark)
        for width, locale, dark in [
            (1280, "zh-Hant", False),
            (1280, "en", True),
            (320, "zh-Hans", False),
            (760, "en", False),
        ]:
            for name, scene in [("board", busy_board), ("board-empty", idle)]:
                how = {
                    "person": LIN,
                    "path": "/live",
                    "width": width,
                    "locale": locale,
                    "dark": dark,
                }
                await _shoot(browser, folder, name, scene, **how)
        await _shoot(
            browser,
            folder,
            "board-noscript",
            busy_board,
            person=LIN,
            path="/live?",
            width=1280,
            locale="zh-Hant",
            dark=False,
            java_script_enabled=False,
        )
        for path, name in [("/help", "help"), ("/live", "forbidden")]:
            await _shoot(
                browser,
                folder,
                name,
                idle,
                path=path + "?",
                width=760,
                locale="zh-Hant",
                dark=False,
            )
        await browser.close()


async def play(port: int) -> None:
    """Run a server and play the scenes in turn, for ever."""
    async with stage(clock=SystemClock(), port=port) as it:
        sys.stdout.write(f"{it.origin}/login  {MAY.number} or {LIN.number}, {PASSWORD}\n")
        while True:
            for scene in SCENES.values():
                scene(it)
                busy_board(it)
                await asyncio.sleep(15)
                it.desk.link(up=True)
                for call in ("k1", "k2"):
                    it.desk.over_for_all(call, "completed")
                await asyncio.sleep(5)


def main() -> None:
    """Read the command line."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--port", type=int, default=8081)
    reader.add_argument("--shots", type=Path)
    given = reader.parse_args()
    asyncio.run(shots(given.shots) if given.shots else play(given.port))


if __name__ == "__main__":
    main()
