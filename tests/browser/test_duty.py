"""The duty pages in a real browser: axe finds nothing, nothing is too wide, keys are enough."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from cti.db.engine import Database
from cti.duty.routes import DutyPages
from cti.web.site import Site
from tests.browser.conftest import Room, Tab
from tests.browser.test_access import BROWSERS, NARROW, looks_good
from tests.conftest import sqlite_url
from tests.duty.conftest import MONDAY, DutyRoom, by
from tests.kit.roster import BO, CHEN, HOUSE, LIN, MAY, STAFF, TAN
from tests.kit.web import stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PAGES = [
    (LIN, "/duty"),
    (LIN, "/duty/now"),
    (LIN, "/duty/requests"),
    (LIN, "/duty/notices"),
    (MAY, f"/duty/mine?colleague={BO.id}"),
    (CHEN, "/duty/mine"),
]


@pytest_asyncio.fixture(loop_scope="session")
async def front(chrome: Browser, tmp_path: Path, made: dict[str, str]) -> AsyncIterator[Room]:
    """The pages at a quarter past five, when May waits for her relief."""
    db = await Database.open(await sqlite_url(tmp_path, made))
    duty = DutyRoom(db)
    await a_day(duty)
    pages = DutyPages(
        duty.store, house=lambda: duty.house, people=lambda: duty.people, clock=duty.clock
    )
    site = Site(house="小南國", house_locale="zh-Hant", zone=HOUSE.zone)
    async with stage(clock=duty.clock, people=STAFF, rooms=[pages], site=site) as it:
        front = Room(it, chrome)
        yield front
        for context in front.contexts.values():
            await context.close()
    await db.close()


async def a_day(duty: DutyRoom) -> None:
    """Let something of everything be there to be shown."""
    planned = ((MAY, "early"), (BO, "middle"), (CHEN, "late"), (LIN, "early"), (TAN, "late"))
    await duty.plans(*planned)
    for person, clock in ((LIN, "08:05"), (MAY, "08:22"), (BO, "10:55"), (CHEN, "12:50")):
        duty.at(clock)
        await duty.store.clock_in(by(person))
    tuesday = MONDAY + timedelta(days=1)
    first, back = await duty.shift(MAY, tuesday), await duty.shift(BO, tuesday)
    swap = await duty.store.ask_swap(by(MAY), first.id, back.id, "看牙醫")
    await duty.store.answer_swap(by(BO), swap, yes=True)
    await duty.store.ask_leave(by(CHEN), (await duty.shift(CHEN, tuesday)).id, "發燒")
    await duty.store.post(by(LIN), "春茶上市", "即日起至三月底九折。")
    await duty.store.add(by(LIN), CHEN.id, "early", [MONDAY + timedelta(days=5)])
    duty.at("15:00")
    await duty.store.ask_break(by(BO), 15, "咖啡")
    await duty.store.call_away(by(LIN), (await duty.shift(CHEN)).id, "盤點")
    duty.at("17:15")
    await duty.store.clock_out(by(MAY))


async def opened(front: Room, page: Page, path: str) -> Tab:
    await page.goto(f"{front.it.origin}{path}")
    return Tab(page)


@pytest.mark.parametrize("locale", BROWSERS)
async def test_every_page_on_a_small_screen(front: Room, locale: str) -> None:
    for person, path in PAGES:
        if person.id not in front.contexts:
            await front.enters(person, locale=BROWSERS[locale], **NARROW)
        page = await front.contexts[person.id].new_page()

        await looks_good(await opened(front, page, path))


async def test_a_shift_is_planned_by_keys_alone(front: Room) -> None:
    page = await (await front.enters(LIN)).new_page()
    await opened(front, page, "/duty")

    await page.get_by_label("Who").focus()
    await page.keyboard.type("6001")
    await page.keyboard.press("Tab")
    await page.keyboard.type("Late")
    for _ in range(7):
        await page.keyboard.press("Tab")
    await page.keyboard.press("Space")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("status")).to_have_text("Added as a draft.")
    sunday = page.locator("tr", has_text="Sun 16 Mar")
    await expect(sunday).to_contain_text("May draft")
