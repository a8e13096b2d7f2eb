"""What do agents see when a real PBX rings? A Chromium for each, logged in by a one-time link."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.conftest import COUNT_EVENTS, Tab, said
from tests.kit.house import WANG, House, at_work
from tests.kit.need import need
from tests.pbx.lab import Lab, Pair, missing
from tests.pbx.lab.desk import DeskPhone
from tests.pbx.lab.trees import CROWD_PORT

pytestmark = [
    pytest.mark.lab,
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
]

SILENT = "ring,60"
SOON = 10_000  # milliseconds


@dataclass
class Office:
    """Everybody's browser, and the lab that rings them."""

    house: House
    lab: Lab
    tabs: dict[str, Tab] = field(default_factory=dict)

    async def opens(self, chrome: Browser, *phones: str) -> None:
        """Let people log in by a one-time link, each in a browser of their own."""
        for phone in phones:
            context = await chrome.new_context(locale="en-GB", timezone_id="Asia/Shanghai")
            await context.add_init_script(COUNT_EVENTS)
            page = await context.new_page()
            person = self.house.staff[phone]
            link = await self.house.people.make_link(person.id, "log_in", timedelta(hours=1))
            await page.goto(f"{self.house.daemon.url}/login/link/{link}")
            await page.locator("form button.main").click()
            await page.wait_for_url("**/agent")
            tab = self.tabs[phone] = Tab(page)
            await expect(tab.status).to_have_text("live", timeout=SOON)

    def __getitem__(self, phone: str) -> Tab:
        return self.tabs[phone]

    async def pops(self, phone: str) -> int:
        """Count how often a call popped up at somebody's in this scene."""
        return len(await self.tabs[phone].told("ringing"))

    async def rest(self) -> None:
        """Wait until nobody has a call, and begin afresh: notices last longer than scenes."""
        for tab in self.tabs.values():
            await expect(tab.cards).to_have_count(0, timeout=SOON)
        await asyncio.gather(*(tab.page.reload() for tab in self.tabs.values()))
        for tab in self.tabs.values():
            await expect(tab.widget).to_contain_text("No call", timeout=SOON)


@pytest.fixture(scope="module")
def own_pair() -> Iterator[Pair]:
    """A PBX for this module alone."""
    need("lab", missing())
    pair = Pair.start()
    yield pair
    pair.stop()


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def open_office(
    own_pair: Pair, chrome: Browser, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Office]:
    """May, Bo, Chen and Dan at their desks."""
    async with Lab(own_pair) as lab, at_work(own_pair, tmp_path_factory.mktemp("office")) as house:
        made = Office(house, lab)
        await made.opens(chrome, "6001", "6002", "6003", "6004")
        yield made
        for tab in made.tabs.values():
            await tab.page.context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def office(open_office: Office) -> Office:
    """The office, with no call on any screen."""
    await open_office.rest()
    return open_office


async def test_all_three_see_the_pop_and_who_answers_keeps_it(office: Office) -> None:
    await office.lab.behave_all(p6001="answer,4,30", p6002=SILENT, p6003=SILENT)

    call = await office.lab.customer_calls(WANG, to="4000", talk=3)

    for phone in ("6001", "6002", "6003"):
        card = office[phone].cards
        await expect(card.locator("h2")).to_have_text(re.compile("王小明"), timeout=SOON)
        await expect(card).to_contain_text("Line 4000", use_inner_text=True)
        await expect(card.locator(".rings b")).to_have_text("1 / 3")
    await expect(office["6002"].cards.locator(".rings b")).to_have_text("2 / 3", timeout=SOON)
    for phone in ("6002", "6003"):
        await expect(office[phone].cards).to_have_count(0, timeout=SOON)
        await expect(office[phone].page.locator("cti-agent .over")).to_have_text(
            said("王小明 May took it")
        )
    await expect(office["6001"].cards.locator(".what")).to_contain_text("talking")
    await call.over()
    await expect(office["6001"].page.locator("cti-agent .over")).to_contain_text("Call finished")
    assert [1, 1, 1, 0] == [await office.pops(phone) for phone in office.tabs]


async def test_a_caller_who_gives_up_takes_the_pop_from_everybody(office: Office) -> None:
    await office.lab.behave_all(p6001=SILENT, p6002=SILENT, p6003=SILENT)

    call = await office.lab.customer_calls("13900000101", to="4000", patience=2)
    for phone in ("6001", "6002", "6003"):
        await expect(office[phone].cards.locator("h2")).to_have_text("Unknown caller", timeout=SOON)
    await call.over()

    for phone in ("6001", "6002", "6003"):
        over = office[phone].page.locator("cti-agent .over")
        await expect(over).to_contain_text("The caller hung up", timeout=SOON)
    assert [1, 1, 1, 0] == [await office.pops(phone) for phone in office.tabs]


async def test_a_blind_transfer_pops_once_at_the_colleague(office: Office) -> None:
    await office.lab.behave_all(p6001="answer,1,30,##,1,6004,1", p6004="answer,2,30")

    call = await office.lab.customer_calls(WANG, to="5001", talk=9)
    await expect(office["6001"].cards.locator(".what")).to_contain_text("talking", timeout=SOON)
    await expect(office["6004"].cards.locator("h2")).to_have_text(
        re.compile("王小明"), timeout=SOON
    )
    await expect(office["6001"].page.locator("cti-agent .over")).to_contain_text("Transferred")
    await expect(office["6004"].cards.locator(".what")).to_contain_text("talking", timeout=SOON)
    await call.over()

    await expect(office["6004"].page.locator("cti-agent .over")).to_contain_text("Call finished")
    assert [1, 0, 0, 1] == [await office.pops(phone) for phone in office.tabs]


async def test_an_attended_transfer_pops_once_at_the_colleague(office: Office) -> None:
    await office.lab.behave_all(p6001="answer,1,8,*2,1,6004,1", p6004="answer,2,30")

    call = await office.lab.customer_calls(WANG, to="5001", talk=11)
    card = office["6004"].cards
    await expect(card.locator("h2")).to_have_text(re.compile("王小明"), timeout=SOON)
    await expect(card.locator(".what")).to_contain_text("talking", timeout=SOON)
    await expect(office["6001"].cards).to_have_count(1)
    await expect(office["6001"].page.locator("cti-agent .over")).to_contain_text(
        "Transferred", timeout=SOON
    )
    await expect(card).to_have_count(1)
    await call.over()

    await expect(office["6004"].page.locator("cti-agent .over")).to_contain_text("Call finished")
    assert [1, 0, 0, 1] == [await office.pops(phone) for phone in office.tabs]


async def test_a_desk_phones_transfer_turns_the_question_into_the_customer(office: Office) -> None:
    place = office.lab.pair.place
    await office.lab.behave("6004", "answer,1,30")
    phone = DeskPhone("6101", (place.phones, CROWD_PORT), (place.pbx, 5060), ring=1)
    await phone.open()
    with closing(phone):
        call = await office.lab.customer_calls(WANG, to="4019", talk=7)
        first = await phone.takes()
        await phone.holds(first)
        second = await phone.dials("6004", until=200)
        card = office["6004"].cards
        await expect(card.locator(".number")).to_have_text("6101", timeout=SOON)
        await expect(card.locator(".what")).to_contain_text("talking", timeout=SOON)

        await phone.refers(first, "6004", replaces=second)

        await expect(card.locator("h2")).to_have_text(re.compile("王小明"), timeout=SOON)
        await expect(card).to_have_count(1)
        await expect(office["6004"].page.locator("cti-agent .over")).to_have_count(0)
        await call.over()
    assert [0, 0, 0, 1] == [await office.pops(phone) for phone in office.tabs]


async def test_round_robin_pops_at_one_after_the_other(office: Office) -> None:
    await office.lab.behave_all(p6001=SILENT, p6002=SILENT, p6003=SILENT)
    since = len(office.lab.pbx.heard)

    call = await office.lab.customer_calls("13900000102", to="4003", patience=8)
    first = await office.lab.pbx.until(lambda m: m.is_event("AgentCalled"), since=since)
    one = office[first["Interface"].removeprefix("PJSIP/")]
    await expect(one.cards).to_have_count(1, timeout=SOON)
    assert 1 == sum([await tab.cards.count() for tab in office.tabs.values()])
    await expect(one.page.locator("cti-agent .over")).to_contain_text("It rang out", timeout=SOON)
    second = await office.lab.pbx.until(
        lambda m: m.is_event("AgentCalled") and m["Interface"] != first["Interface"], since=since
    )
    await expect(office[second["Interface"].removeprefix("PJSIP/")].cards).to_have_count(1)
    await call.over()

    assert [0, 0, 1, 1] == sorted([await office.pops(phone) for phone in office.tabs])


async def test_a_chinese_name_an_anonymous_caller_and_a_busy_phone(office: Office) -> None:
    await office.lab.behave_all(p6001="busy", p6002="answer,1,30", p6003="answer,1,30")

    named = await office.lab.customer_calls("13900000103", to="5002", name="陳大文", talk=1)
    withheld = await office.lab.anonymous_calls(to="5003", talk=1)
    refused = await office.lab.customer_calls("13900000105", to="5001")

    await expect(office["6002"].cards).to_contain_text("陳大文", timeout=SOON)
    await expect(office["6003"].cards.locator("h2")).to_have_text("Number withheld", timeout=SOON)
    await asyncio.gather(named.over(), withheld.over(), refused.over())
    await office.house.kept("13900000105")
    assert [0, 1, 1, 0] == [await office.pops(phone) for phone in office.tabs]
