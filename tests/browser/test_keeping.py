"""The pages of keeping and of quality in a real browser: small, in three languages, with sound."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from cti.callbacks.store import CallbackStore
from cti.calls.store import CallStore
from cti.clock import SetClock
from cti.customers.rules import Entry
from cti.customers.store import CustomerStore
from cti.db.engine import Database
from cti.house import QUALITY_ITEMS, House, QualityRules
from cti.penalties.store import PenaltyStore
from cti.people.rules import Directory, Person, Role
from cti.quality.desk import QualityDesk
from cti.quality.record import State
from cti.quality.routes import QualityRoom
from cti.quality.store import QualityStore
from recordings.keeping import KeepingRoom
from recordings.routes import Players
from recordings.setup import keeping_of
from tests.browser.conftest import Room, Tab
from tests.browser.test_access import BROWSERS, NARROW, looks_good
from tests.calls.test_store import answered, batch, keep, keeping
from tests.conftest import sqlite_url
from tests.kit.recordings import BEGAN, Archive, archive
from tests.kit.web import CAST, LIN, MAY, stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

KIM = Person(id="p-kim", number="5002", name="Kim", role=Role.MANAGER)
MEI = Person(id="p-mei", number="5003", name="Mei", role=Role.SUPERVISOR)
PEOPLE = (*CAST, KIM, MEI)
HOUSE = House(quality=QualityRules(sample=2))


class Floor:
    """Wang's call with its sound; one call of May's is to be scored, one is objected to."""

    def __init__(self, kept: Archive, desk: QualityDesk, room: Room) -> None:
        self.kept, self.desk, self.room = kept, desk, room
        self.customer = self.recording = self.waiting = self.objected = ""

    async def begins(self, customer: str, clock: SetClock) -> None:
        self.customer = customer
        known = {"customer": customer, "call": "in"}
        self.recording = (await self.kept.keeps(**known)).id
        await self.kept.keeps(minute=5, **known)
        clock.go(BEGAN + timedelta(days=2) - clock.now())
        await self.desk.draw()
        one, two = await self.desk.store.some((State.WAITING,))
        form = dict.fromkeys(QUALITY_ITEMS, "partly")
        await self.desk.score(two.id, 1, form, "too fast", by=LIN)
        await self.desk.object(two.id, 2, "she asked me to hurry", by=MAY)
        self.waiting, self.objected = one.id, two.id

    async def opens(self, person: Person, path: str, locale: str) -> Page:
        """Open a page as somebody."""
        if person.id not in self.room.contexts:
            await self.room.enters(person, locale=BROWSERS[locale], **NARROW)
        page = await self.room.contexts[person.id].new_page()
        await page.goto(f"{self.room.it.origin}{path}")
        return page


@pytest_asyncio.fixture(loop_scope="session")
async def floor(chrome: Browser, tmp_path: Path, made: dict[str, str]) -> AsyncIterator[Floor]:
    db, clock = await Database.open(await sqlite_url(tmp_path, made)), SetClock(BEGAN)
    customers, calls = CustomerStore(db, clock), CallStore(db)
    wang = await customers.add(Entry(name="王小明", phones=(("+8613800138000", "13800138000"),)))
    await keep(db, batch(keeping(answered("in"), customer=wang.id)))
    quality = QualityStore(db)
    async with archive(db, tmp_path / "kept", clock) as kept:
        keeper, dossier = keeping_of(
            db,
            kept.storage,
            customers=customers,
            calls=calls,
            penalties=PenaltyStore(db, clock, lambda: HOUSE, Directory),
            callbacks=CallbackStore(db),
            quality=quality,
            house=lambda: HOUSE,
            clock=clock,
        )
        desk = QualityDesk(quality, kept.store.sampled_from, house=lambda: HOUSE, clock=clock)
        who = {one.id: one.name for one in PEOPLE}.__getitem__

        async def comments(_recording: str) -> list[tuple[str, str, str]]:
            return []

        keeping_room = KeepingRoom(
            keeper,
            dossier,
            kept.listening,
            who=who,
            house=lambda: HOUSE,
            clock=clock,
            folder=tmp_path,
        )
        quality_room = QualityRoom(
            desk,
            Players(kept.listening, who),
            comments,
            who=who,
            house=lambda: HOUSE,
            clock=clock,
        )
        rooms = [kept.room, keeping_room, quality_room]
        async with stage(clock=clock, people=PEOPLE, rooms=rooms) as it:
            floor = Floor(kept, desk, Room(it, chrome))
            await floor.begins(wang.id, clock)
            yield floor
            for context in floor.room.contexts.values():
                await context.close()
    await db.close()


@pytest.mark.parametrize("locale", BROWSERS)
async def test_the_pages_on_a_small_screen(floor: Floor, locale: str) -> None:
    for who, path in [
        (MEI, f"/recordings/{floor.recording}/keeping"),
        (KIM, f"/customers/{floor.customer}/data"),
        (MEI, "/quality"),
        (MEI, f"/quality/{floor.waiting}"),
        (MEI, f"/quality/{floor.objected}"),
        (MAY, "/mine/quality"),
        (MAY, f"/mine/quality/{floor.objected}"),
    ]:
        await looks_good(Tab(await floor.opens(who, path, locale)))


async def test_a_call_is_heard_and_scored_on_one_page(floor: Floor) -> None:
    page = await floor.opens(MEI, f"/quality/{floor.waiting}", "en")

    assert 1 == await page.locator("cti-player audio").count()
    for box in await page.locator("fieldset input[value=yes]").all():
        await box.check()
    await page.get_by_label("Comment").last.fill("well done")
    await page.locator("main button.main").click()

    assert "The score is kept." in await page.locator("main").inner_text()
