"""The wallboard and the reports in a real browser: true, readable, usable by everybody."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from cti.clock import SystemClock
from cti.presence.routes import WallboardRoom
from cti.web import wire
from tests.browser.conftest import Room, Tab
from tests.browser.test_access import BROWSERS, DARK, FORCED, NARROW, looks_good
from tests.kit.reports import Told, counted, missed_line, reports_of
from tests.kit.scenes import busy_board
from tests.kit.web import LIN, Stage, stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

AGENTS = (
    ("6001", "May", "on_call"),
    ("6002", "Bo", "ringing"),
    ("6003", "王大同", "wrap_up"),
    ("6004", "Ana", "available"),
    ("6005", "李小華", "break_approved"),
    ("6006", "Kim", "logged_out"),
    ("6007", "Tom", "pause_unapproved"),
)


@pytest_asyncio.fixture(loop_scope="session")
async def room(chrome: Browser) -> AsyncIterator[Room]:
    """A server with wallboard and reports; no page may have complained at the end."""
    told, clock = Told(), SystemClock()
    told.tallies = [counted(calls=128, person="p-bo")]
    told.lines = [missed_line(n) for n in range(3)]
    async with stage(clock=clock, rooms=[WallboardRoom(), reports_of(told, clock)]) as it:
        made = Room(it, chrome)
        yield made
        for context in made.contexts.values():
            await context.close()

        assert [] == [fault for tab in made.tabs for fault in tab.faults]


def busy_wall(it: Stage) -> None:
    """Two wait, one too long; agents stand in seven states."""

    def ago(seconds: float) -> str:
        return wire.stamp(it.clock.now() - timedelta(seconds=seconds))

    agents = [
        {"number": number, "name": name, "state": state, "since": ago(60 * n)}
        for n, (number, name, state) in enumerate(AGENTS, start=1)
    ]
    wall = {
        "waiting": 2,
        "longest": ago(13),
        "states": {state: 1 for _, _, state in AGENTS},
        "agents": agents,
        "alarms": [
            {"key": "longest_wait", "level": "critical", "since": ago(1)},
            {"key": "recordings", "level": "warning", "since": ago(1)},
        ],
    }
    busy_board(it)
    it.desk.set_board(wall=wall)


async def opens(room: Room, path: str = "/wallboard", **how: Any) -> Tab:
    context = await room.enters(LIN, **how)
    tab = Tab(await context.new_page())
    tab.page.on("pageerror", lambda fault: tab.faults.append(str(fault)))
    room.tabs.append(tab)
    await tab.page.goto(f"{room.it.origin}{path}")
    if path == "/wallboard":
        await tab.page.locator("cti-wallboard .status .word").wait_for()
    return tab


async def test_it_shows_who_waits_how_everybody_stands_and_what_is_an_alarm(room: Room) -> None:
    busy_wall(room.it)

    wall = (await opens(room)).page.locator("cti-wallboard")

    await expect(wall.locator(".critical")).to_contain_text("Longest wait")
    await expect(wall.locator(".critical")).to_contain_text("0:1")
    await expect(wall.locator(".critical .level")).to_have_text("critical")
    await expect(wall.locator("section .figures")).to_contain_text("93 %")
    await expect(wall.locator(".states")).to_contain_text("1 wrap-up")
    await expect(wall.locator(".agents li").first).to_contain_text("Ana")
    await expect(wall.locator(".status")).to_contain_text("old")


async def test_it_follows_what_happens_and_comes_back_after_a_lost_connection(room: Room) -> None:
    tab = await opens(room)
    wall = tab.page.locator("cti-wallboard")
    await expect(wall).to_contain_text("Nobody has a phone here yet.")

    busy_wall(room.it)
    await expect(wall.locator(".agents li")).to_have_count(len(AGENTS))
    room.it.cut()
    room.it.desk.set_board(wall=room.it.desk.whole["wall"] | {"waiting": 7})

    await expect(wall.locator("section .figures")).to_contain_text("7")
    await expect(wall.locator(".status .word")).to_have_text("live")


async def test_it_fills_the_screen(room: Room) -> None:
    busy_wall(room.it)
    tab = await opens(room)

    await tab.page.locator("cti-wallboard button").click()

    await expect(tab.page.locator("cti-wallboard button")).to_have_text("Leave full screen")
    assert await tab.page.evaluate("document.fullscreenElement.localName") == "cti-wallboard"


@pytest.mark.parametrize("locale", BROWSERS)
@pytest.mark.parametrize("how", [NARROW, DARK, FORCED], ids=["narrow", "dark", "forced"])
async def test_the_wallboard_is_for_everybody(room: Room, locale: str, how: dict[str, Any]) -> None:
    busy_wall(room.it)

    await looks_good(await opens(room, locale=BROWSERS[locale], **how))


@pytest.mark.parametrize("locale", BROWSERS)
@pytest.mark.parametrize("path", ["/reports/ring", "/reports/missed", "/reports/ring?from=x"])
async def test_the_reports_are_for_everybody_without_scripts_too(
    room: Room, path: str, locale: str
) -> None:
    await looks_good(await opens(room, path, locale=BROWSERS[locale], **NARROW))


async def test_a_report_is_asked_for_by_its_form(room: Room) -> None:
    tab = await opens(room, "/reports/missed", java_script_enabled=False)

    await tab.page.select_option("select[name=by]", "agent")
    await tab.page.fill("input[name=where]", "4000")
    await tab.page.locator("form.bar button").click()

    assert "by=agent" in tab.page.url
    assert "where=4000" in tab.page.url
    await expect(tab.page.locator("main table").first).to_contain_text("<b>Bo (6002)")
