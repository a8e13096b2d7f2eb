"""Is a decision fair and quick in a real browser? Many lines by keys, an appeal, another reviewer.

Every call missed costs May ten and Lin, who supervised, fifty: neither decides on what is theirs.
"""

import re
from collections.abc import AsyncIterator, Collection, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from cti.clock import SetClock
from cti.db.engine import Database
from cti.penalties.record import LineState
from cti.penalties.routes import Asks, PenaltyPages
from cti.penalties.store import PenaltyStore
from cti.people.rules import Directory, Person
from tests.browser.conftest import Room, Tab
from tests.browser.test_access import BROWSERS, NARROW, looks_good
from tests.conftest import sqlite_url
from tests.kit.web import LIN, MAY, NOON, NothingRecorded, stage
from tests.penalties.test_pages import HOUSE, MO, PEOPLE, WEI, Office

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CALLS = 15


async def nothing(_some: Collection[str]) -> Mapping[str, str]:
    return {}


class Desk(Office):
    """The pages in a browser, with fifteen missed calls and thirty lines to decide."""

    room: Room

    async def opens(self, person: Person, path: str, locale: str = "en", **how: object) -> Page:
        """Open a page as somebody."""
        if person.id not in self.room.contexts:
            await self.room.enters(person, locale=BROWSERS[locale], **how)
        page = await self.room.contexts[person.id].new_page()
        await page.goto(f"{self.stage.origin}{path}")
        return page

    async def count(self, *states: LineState) -> int:
        """Say how many lines are in these states, of all incidents."""
        found = [await self.store.incident(one) for one in self.incidents]
        return sum(line.state in states for incident in found for line in incident.lines)

    incidents: list[str]


@pytest_asyncio.fixture(loop_scope="session")
async def desk(chrome: Browser, tmp_path: Path, made: dict[str, str]) -> AsyncIterator[Desk]:
    db = await Database.open(await sqlite_url(tmp_path, made))
    clock, directory = SetClock(NOON), Directory(PEOPLE)
    store = PenaltyStore(db, clock, lambda: HOUSE, lambda: directory)
    asks = Asks(
        store=store,
        house=lambda: HOUSE,
        directory=lambda: directory,
        clock=clock,
        callbacks=nothing,
        customers=nothing,
        recordings=NothingRecorded(),
    )
    async with stage(clock=clock, people=PEOPLE, rooms=[PenaltyPages(asks)]) as it:
        desk = Desk(it, store, clock)
        desk.room = Room(it, chrome)
        desk.incidents = [await desk.miss(f"c{n}", clock.now()) for n in range(CALLS)]
        yield desk
        for context in desk.room.contexts.values():
            await context.close()
    await db.close()


async def tabs_to(page: Page, button: str) -> None:
    """Press Tab until a button has the focus."""
    for _ in range(40):
        await page.keyboard.press("Tab")
        if await page.get_by_role("button", name=button, exact=True).evaluate(
            "it => it === document.activeElement"
        ):
            return
    raise AssertionError(f"{button} cannot be reached by Tab")


async def decides_all(page: Page) -> None:
    """Go to the first row, pick all, approve: by keys alone."""
    await page.keyboard.press("j")
    await page.keyboard.press("a")
    for _ in range(2 * CALLS):
        await page.keyboard.press("j")
    await tabs_to(page, "Approve")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def test_thirty_lines_are_decided_by_keys_and_an_appeal_by_another(desk: Desk) -> None:
    await decides_all(await desk.opens(LIN, "/review"))  # who has lines in them
    assert await desk.count(LineState.PROPOSED) == 2 * CALLS

    await decides_all(await desk.opens(WEI, "/review"))
    assert await desk.count(LineState.APPROVED) == 2 * CALLS

    desk.clock.go(HOUSE.penalties.notice_after + timedelta(minutes=1))
    await desk.store.notify()
    may = await desk.opens(MAY, "/mine/penalties")
    await may.locator("main summary").first.click()
    await may.get_by_label("What do you object to?").first.fill("我正在接另一通電話")
    await may.get_by_role("button", name="Appeal", exact=True).first.click()
    appealed = may.locator("tbody tr", has_text="appealed")
    await expect(appealed).to_have_count(1)

    incident = await appealed.get_by_role("link").first.get_attribute("href")
    for person, decided in ((LIN, 0), (WEI, 0), (MO, 1)):
        page = await desk.opens(person, str(incident))
        if await page.get_by_role("button", name="Overturn").count():
            await page.get_by_label("Reason").fill("the log says so")
            async with page.expect_navigation():
                await page.get_by_role("button", name="Overturn").click()
        assert await desk.count(LineState.OVERTURNED) == decided, person.name

    desk.clock.go(timedelta(days=14))
    await desk.store.close()
    month = await desk.opens(MO, f"/statements?month={NOON:%Y-%m}")
    for step in ("Publish", "Make final"):
        async with month.expect_navigation():
            await month.get_by_role("button", name=step).click()
    async with month.expect_download() as coming:
        await month.get_by_role("button", name="Export").click()
    file = Path(await (await coming.value).path()).read_text(encoding="utf-8-sig")
    assert re.search(r"May.*-140\.00", file), file


@pytest.mark.parametrize("locale", BROWSERS)
async def test_the_pages_of_a_reviewer_on_a_small_screen(desk: Desk, locale: str) -> None:
    for path in ("/missed", "/review", f"/incidents/{desk.incidents[0]}", "/review/manual"):
        await looks_good(Tab(await desk.opens(WEI, path, locale, **NARROW)))
    for path in ("/mine/penalties", "/mine/statement"):
        await looks_good(Tab(await desk.opens(MAY, path, locale, **NARROW)))
