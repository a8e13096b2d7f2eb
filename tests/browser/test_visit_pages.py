"""The pages of visits in a real browser: every state, three languages, keys alone, and axe."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from sqlalchemy import update

from cti.customers.rules import Entry
from cti.db.engine import Database
from cti.dials.rules import AttemptState
from cti.people.rules import Person
from cti.visits.desk import Order
from cti.visits.reckoner import Proposed
from cti.visits.record import OPEN, Visit
from cti.visits.store import visits
from tests.browser.conftest import Room, Tab
from tests.browser.test_access import BROWSERS, NARROW, looks_good
from tests.conftest import sqlite_url
from tests.kit.visited import WHOLE, Visited, booking, screens, visited
from tests.visits.conftest import BO, LIN, MAY, TEN, Debts

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HEARD = WHOLE | {
    "answer_satisfaction": "dissatisfied",
    "opinion_kind": ["complaint", "suggestion"],
    "opinion_text": ["隔壁裝修，一早就開始施工。", "早餐種類可以多一些。"],
    "opinion_department": ["客房部", "餐飲部"],
    "promise_text": "答覆賠償方案",
    "promise_at": "2026-03-04T15:00",
}
ORDER = Order(
    day=date(2026, 3, 3),
    time=time(9, 50),
    ref="B-77",
    restaurant="老正兴",
    numbers=["021 6322 2624"],
    seating="",
    note="",
)


@dataclass
class Front:
    """A house in which something of everything is owed, and who looks at it."""

    room: Room
    it: Visited
    at: dict[str, str]
    """The page of each state."""

    async def opens(self, person: Person, path: str, **how: object) -> Page:
        """Open a page as somebody, in a window of his own."""
        context = await self.room.enters(person, **{"timezone_id": "Asia/Shanghai", **how})
        page = await context.new_page()
        await page.goto(f"{self.room.it.origin}{path}")
        return page


@pytest_asyncio.fixture(loop_scope="session")
async def front(chrome: Browser, tmp_path: Path, made: dict[str, str]) -> AsyncIterator[Front]:
    """A booking house at ten in the morning."""
    db = await Database.open(await sqlite_url(tmp_path, made))
    async with screens(visited(Debts(db), booking())) as shown:
        room = Room(shown.stage, chrome)
        yield Front(room, shown.it, await every_state(shown.it))
        for context in room.contexts.values():
            await context.close()
    await db.close()


async def every_state(it: Visited) -> dict[str, str]:
    """Let a visit be in each state; give their pages, and that of a slip and a campaign."""
    found = dict[str, Visit]()
    for n, name in enumerate(("done", "refused", "wrong_number", "solution_refused", "wrap_up")):
        found[name] = await it.talks(await owe(it, f"王{n}"))
        if name == "done":
            await it.says(found[name], **HEARD)
        elif name != "wrap_up":
            outcome = "refused_contact" if name == "refused" else name
            await it.says(found[name], outcome=outcome)
    found["cancelled"] = await owe(it, "冯雪")
    await it.desk.cancel(LIN, found["cancelled"].id, "客戶已另行聯絡", "")
    found["unreachable"] = await owe(it, "吴芳", due_at=TEN - HOUR)
    await stands(it, found["unreachable"], state="unreachable", ended_at=TEN, outcome="no_answer")
    found["planned"] = await owe(it, "郑凯", from_at=TEN + DAY, due_at=TEN + 2 * DAY)
    found["waiting"] = await owe(it, "許文", due_at=TEN + 5 * HOUR)
    await stands(it, found["waiting"], next_at=TEN + 4 * HOUR, outcome="busy", attempts=1)
    found["due"] = await owe(it, "朱丽", due_at=TEN - HOUR)
    found["given_back"] = await owe(it, "何磊", owner=None)
    held = await it.calls.claim(BO, found["given_back"].id)
    await it.calls.give_back(BO, held.id, held.epoch)
    for name in ("needs_decision", "in_attempt"):
        found[name] = await owe(it, "郭靖", owner=BO.id)
        held = await it.calls.claim(BO, found[name].id)
        made = await it.calls.dial(BO, held.id, held.epoch)
        if name == "needs_decision":
            it.world.ends(made, AttemptState.UNKNOWN)
            await it.calls.look()
    it.orders["e-1"] = ORDER
    table = {"rule": "seating_check", "form": "seating", "script": "booking/seating"}
    found["seating"] = await owe(it, "楊過", event="e-1", channels=("merchant", "phone"), **table)
    await it.calls.claim(MAY, found["seating"].id)
    line = Proposed(person=MAY.id, incident="i1", state="proposed", amount=Decimal(16), unit="CNY")
    it.proposed = [(date(2026, 2, 1), line)]
    record = await it.results.of_visit(found["done"].id)
    assert record
    campaign = await it.desk.campaign(LIN, {"name": "春季回訪", "purpose": "care"}, "")
    await it.desk.conclude(LIN, campaign, "客戶普遍滿意。", "")
    pages = {"slip": f"/visits/slips/{record.id}", "campaign": f"/visits/campaigns/{campaign}"}
    return pages | {name: f"/visits/{one.id}" for name, one in found.items()}


async def owe(it: Visited, name: str, **more: object) -> Visit:
    """Owe a member a visit by May."""
    it.debts._made += 1
    number = f"+86138001{it.debts._made:05}"
    entry = Entry(
        name=name, phones=((number, number),), tier="gold", member_no="M1", company="遠東貿易"
    )
    plain = {"rule": "member_cycle", "form": "member", "script": "booking/member", "owner": MAY.id}
    return await it.debts.owe(await it.debts.customers.add(entry), **plain | more)


async def stands(it: Visited, visit: Visit, **values: object) -> None:
    """Let a visit stand so, as time and attempts have brought it there."""
    async with it.debts.db.write() as conn:
        await conn.execute(update(visits).where(visits.c.id == visit.id).values(**values))


OVERSEEN = (
    "/visits/coverage",
    "/visits/all?state=any",
    "/visits/quota",
    "/visits/quota?month=2026-02",
    "/visits/plan",
    "/visits/campaigns",
    "/visits/slips",
)
OWN = ("/visits", "/visits/work", "/visits/week", "/visits/calendar")


@pytest.mark.parametrize("locale", BROWSERS)
async def test_every_page_and_every_state_on_a_small_screen(front: Front, locale: str) -> None:
    how = {"locale": BROWSERS[locale], **NARROW}
    states = front.at.values() if locale == "en" else ()  # what axe finds has no language
    seen = [(LIN, path) for path in (*OVERSEEN, front.at["slip"], front.at["campaign"], *states)]
    seen += [(MAY, path) for path in (*OWN, front.at["seating"], front.at["wrap_up"])]
    pages = {person.id: await front.opens(person, "/help", **how) for person in (MAY, LIN)}
    for person, path in seen:
        await pages[person.id].goto(f"{front.room.it.origin}{path}")

        await looks_good(Tab(pages[person.id]))


async def test_a_time_of_rest_is_refused_with_its_reason_and_one_key_takes_the_nearest(
    front: Front,
) -> None:
    page = await front.opens(MAY, "/visits", locale="en-GB")
    row = page.locator("tr", has_text="朱丽")
    await row.get_by_role("link", name="Not now, not me").focus()
    await page.keyboard.press("Enter")
    form = page.locator("form[action$='/postpone']")
    await form.get_by_label("Later, at this time").fill("2026-03-04T12:30")
    await form.get_by_label("Why").focus()
    await page.keyboard.type("she is at lunch")
    await page.keyboard.press("Enter")

    fault = page.get_by_role("alert")
    await expect(fault).to_contain_text("The customer rests at that time.")
    await expect(fault).to_contain_text("03-04 14:00")
    await expect(fault).to_be_focused()
    await page.keyboard.press("Tab")
    offer = page.get_by_role("button", name="Put off until 03-04 14:00")
    await expect(offer).to_be_focused()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/visits?done=visit_postpone")

    known = await front.it.debts.store.get(front.at["due"].rpartition("/")[2])
    assert known
    assert (OPEN, TEN + DAY + 4 * HOUR) == (known.state, known.next_at)
    await page.goto(f"{front.room.it.origin}{front.at['due']}")
    await expect(page.locator("section.known")).to_contain_text("she is at lunch")


async def test_a_guest_who_is_not_seated_is_noted_and_called_by_keys_alone(front: Front) -> None:
    page = await front.opens(MAY, front.at["seating"], locale="en-GB")
    await page.locator("form[action$='/restaurant'] input[name=note]").focus()
    await page.keyboard.type("nobody came")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Not seated")).to_be_focused()

    await page.keyboard.press("Enter")

    await expect(page.locator("p.notice", has_text="call him now")).to_be_visible()
    assert replace(ORDER, seating="not_seated", note="nobody came") == front.it.orders["e-1"]
    await page.locator("form[action$='/dial'] button").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").first).to_contain_text("Your phone rings.")


async def test_escape_shuts_the_menu_and_gives_the_focus_back(front: Front) -> None:
    page = await front.opens(LIN, "/visits/quota", locale="en-GB")
    menu = page.locator(".top .row summary")
    await menu.focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.locator(".top .row details a").first).to_be_focused()

    await page.keyboard.press("Escape")

    await expect(menu).to_be_focused()
    await expect(page.locator(".top .row details")).not_to_have_attribute("open", "")
