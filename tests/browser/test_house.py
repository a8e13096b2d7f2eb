"""The rules in words: readable by everybody, on every screen, and without a script."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from cti import house_file
from cti.clock import SetClock
from cti.db import migrate
from cti.db.engine import Database
from cti.people.rules import Person, Role
from cti.policy.desk import PolicyDesk
from cti.policy.routes import PolicyRoom
from cti.policy.store import PolicyStore
from tests.browser.conftest import Room, Tab
from tests.browser.test_access import BROWSERS, DARK, FORCED, NARROW, looks_good
from tests.kit.web import stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

KIM = Person(id="p-kim", number="5002", name="Kim", role=Role.MANAGER)
BOOKING = Path(__file__).parents[2] / "config" / "houses" / "booking.toml"


@pytest_asyncio.fixture(loop_scope="session")
async def hall(chrome: Browser, tmp_path: Path) -> AsyncIterator[tuple[Room, Path]]:
    """A server with the page and a house file; Kim is the manager."""
    path, clock = tmp_path / "house.toml", SetClock(datetime(2025, 3, 7, 4, tzinfo=UTC))
    path.write_bytes(BOOKING.read_bytes())
    url = f"sqlite+aiosqlite:///{tmp_path / 'cti.sqlite3'}"
    await migrate.upgrade(url)
    db = await Database.open(url)
    source = house_file.load(path)
    house = house_file.understood(source, str(path), clock.now())
    desk = PolicyDesk(PolicyStore(db), clock, path, house, lambda _house: None)
    await desk.begin(source)
    rooms = [PolicyRoom(desk, clock, lambda _person: KIM.name)]
    async with stage(people=(KIM,), rooms=rooms, clock=clock) as it:
        made = Room(it, chrome)
        yield made, path
        for context in made.contexts.values():
            await context.close()
    await db.close()


async def opens(room: Room, **how: Any) -> Tab:
    """Open the page as the manager."""
    context = await room.enters(KIM, **how)
    tab = Tab(await context.new_page())
    await tab.page.goto(f"{room.it.origin}/house")
    return tab


@pytest.mark.parametrize("locale", BROWSERS)
@pytest.mark.parametrize("how", [NARROW | DARK, {}, FORCED], ids=["narrow dark", "wide", "forced"])
async def test_the_rules_look_good(
    hall: tuple[Room, Path], locale: str, how: dict[str, Any]
) -> None:
    tab = await opens(hall[0], locale=BROWSERS[locale], **how)

    await looks_good(tab)


async def test_a_wrong_file_and_a_former_version_look_good(hall: tuple[Room, Path]) -> None:
    room, path = hall
    tab = await opens(room, **NARROW)
    path.write_text(path.read_text().replace("max_rings = 3", "max_rings = 300"))
    await tab.page.get_by_role("button", name="Load the rules").click()
    await expect(tab.page.get_by_role("alert")).to_have_count(1)
    await looks_good(tab)

    await tab.page.get_by_role("link", name="").filter(has=tab.page.locator("code")).first.click()
    await expect(tab.page.locator("pre.file")).not_to_have_count(0)
    await looks_good(tab)


async def test_the_file_is_loaded_without_a_script(hall: tuple[Room, Path]) -> None:
    room, path = hall
    tab = await opens(room, java_script_enabled=False)
    path.write_text(path.read_text().replace("max_rings = 3", "max_rings = 4"))

    await tab.page.get_by_role("button", name="Load the rules").click()

    await expect(tab.page.get_by_role("status")).to_have_text(
        "The rules were loaded and are in force."
    )
    await expect(tab.page.get_by_text("within 4 rings")).to_have_count(1)
