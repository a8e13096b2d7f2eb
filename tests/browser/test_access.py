"""Can everybody use it? axe finds nothing; nothing is wider than the narrowest screen."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Room, Tab
from tests.kit.scenes import SCENES, busy_board, idle, ringing
from tests.kit.web import LIN, MAY, PASSWORD, Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

BROWSERS = {"en": "en-GB", "zh-Hant": "zh-TW", "zh-Hans": "zh-CN"}
WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
NARROW: dict[str, Any] = {"viewport": {"width": 320, "height": 640}}
DARK: dict[str, Any] = {"color_scheme": "dark"}
FORCED: dict[str, Any] = {"forced_colors": "active"}


async def looks_good(tab: Tab) -> None:
    assert [] == await tab.axe()
    assert 0 == await tab.page.evaluate(WIDE)


@pytest.mark.parametrize("locale", BROWSERS)
@pytest.mark.parametrize("scene", SCENES)
async def test_every_state_of_the_card(room: Room, scene: str, locale: str) -> None:
    SCENES[scene](room.it)

    await looks_good(await room.opens(MAY, locale=BROWSERS[locale]))


@pytest.mark.parametrize(
    "how", [NARROW | DARK, NARROW, DARK, FORCED], ids=["narrow dark", "narrow", "dark", "forced"]
)
@pytest.mark.parametrize("scene", ["late", "multi", "stacked", "stale", "paused"])
async def test_small_dark_and_forced(room: Room, scene: str, how: dict[str, Any]) -> None:
    SCENES[scene](room.it)

    await looks_good(await room.opens(MAY, **how))


@pytest.mark.parametrize("locale", BROWSERS)
async def test_offline(room: Room, locale: str) -> None:
    may = await room.opens(MAY, locale=BROWSERS[locale], **NARROW)
    ringing(room.it)
    await expect(may.cards).to_have_count(1)

    await may.page.context.set_offline(True)
    await expect(may.page.locator("cti-agent .status.trouble")).to_have_count(1)

    await looks_good(may)


@pytest.mark.parametrize("locale", BROWSERS)
@pytest.mark.parametrize("scene", [idle, busy_board])
@pytest.mark.parametrize("how", [NARROW, DARK], ids=["narrow", "dark"])
async def test_the_board(
    room: Room, scene: Callable[[Stage], None], locale: str, how: dict[str, Any]
) -> None:
    scene(room.it)

    await looks_good(await room.opens(LIN, "/live", locale=BROWSERS[locale], **how))


@pytest.mark.parametrize("path", ["/login", "/help", "/nowhere", "/live", "/login/link/x"])
async def test_the_plain_pages(room: Room, path: str) -> None:
    context = await room.enters(MAY, **NARROW)
    if "login" in path:
        await context.clear_cookies()
    tab = Tab(await context.new_page())
    await tab.page.goto(f"{room.it.origin}{path}")

    await looks_good(tab)


async def test_logging_in_and_changing_the_language_by_keys_alone(room: Room) -> None:
    context = await room.chrome.new_context(locale="en-GB")
    page = await context.new_page()
    await page.goto(f"{room.it.origin}/agent")

    await expect(page.locator("input[name=number]")).to_be_focused()
    await page.keyboard.type(MAY.number)
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.locator("cti-agent .status .word")).to_have_text("live")

    await page.locator("footer button", has_text="繁體中文").press("Enter")
    await expect(page.locator("h1")).to_have_text("我的來電")
    await expect(page.locator("cti-agent .status .word")).to_have_text("即時")
    await context.close()


@pytest.mark.parametrize("locale", BROWSERS.values())
async def test_names_have_the_shapes_of_the_house_in_every_language(
    room: Room, locale: str
) -> None:
    ringing(room.it)
    may = await room.opens(MAY, locale=locale)

    await expect(may.cards.locator("h2 bdi").first).to_have_attribute("lang", "zh-Hant")
