"""An agent works through what is due, with real calls; one customer refuses and is called again.

The house's day is cut anew where the test begins: its afternoon comes four minutes later.
"""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from cti.visits.record import OPEN, Outcome, State
from tests.kit.house import House
from tests.kit.need import need
from tests.pbx.lab import Lab, Pair, missing
from tests.pbx.lab.visits import CLOCK, Round, visiting, zone

pytestmark = [
    pytest.mark.lab,
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
]

SOON = 20_000  # milliseconds
UNTIL_AFTERNOON = timedelta(minutes=4)


@pytest.fixture
def own_pair() -> Iterator[Pair]:
    """A PBX for this test alone."""
    need("lab", missing())
    pair = Pair.start()
    yield pair
    pair.stop()


async def enters(house: House, chrome: Browser, phone: str) -> Page:
    """Let somebody log in by a one-time link."""
    context = await chrome.new_context(locale="en-GB")
    page = await context.new_page()
    link = await house.people.make_link(house.staff[phone].id, "log_in", timedelta(hours=1))
    await page.goto(f"{house.daemon.url}/login/link/{link}")
    await page.locator("form button.main").click()
    await page.wait_for_url("**/agent")
    return page


async def takes_next(page: Page) -> str:
    """Take the next visit; give its id."""
    await page.get_by_role("link", name="Return visits").first.click()
    await page.get_by_role("button", name="Take the next").click()
    await page.wait_for_url("**?done=visit_claim")
    return page.url.rpartition("/")[2].partition("?")[0]


async def dials(page: Page, played: Round, visit: str) -> None:
    """Dial, and wait until the call is over."""
    await page.locator("form[action$='/dial'] button").click()
    async with asyncio.timeout(60):
        while True:
            known = await played.store.get(visit)
            assert known is not None
            if known.state not in (State.CLAIMED, State.IN_ATTEMPT):
                break
            await asyncio.sleep(0.1)
    await page.reload()


async def says(page: Page, outcome: Outcome) -> None:
    """Fill in what came of it."""
    form = page.locator("form[action$='/result']")
    await form.locator(f"input[name=outcome][value={outcome.value}]").check()
    if outcome is Outcome.DONE:
        for group in await form.locator("fieldset:has(input[name^=answer_])").all():
            await group.locator("input[type=radio]").first.check()
        for choice in await form.locator("select[name^=answer_]").all():
            await choice.select_option(index=1)
        for text in await form.locator("textarea[name^=answer_]").all():
            await text.fill("All well.")
        await form.locator("input[name=identity]").check()
        await form.locator("input[name=gap]").fill("not recorded in this house")
    await form.locator("button.main").click()
    await page.wait_for_url("**?done=visit_result", timeout=SOON)


async def test_an_agent_works_through_ten_visits_and_a_refusal_goes_to_another_later(
    own_pair: Pair, chrome: Browser, tmp_path: Path
) -> None:
    cut = f"{CLOCK.now().astimezone(zone()) + UNTIL_AFTERNOON:%H:%M}"
    parts = f'{{ morning = ["09:00", "{cut}"], afternoon = ["{cut}", "18:00"] }}'
    retry = '{ solution_refused = { min_gap = "0s" } }'
    async with (
        Lab(own_pair) as lab,
        visiting(own_pair, tmp_path, lab, dayparts=parts, retry=retry, min_gap='"0s"') as played,
    ):
        owed = [await played.owe("answer,0.3,1", owner="6001") for _ in range(10)]
        may = await enters(played.house, chrome, "6001")
        for n in range(10):
            visit = await takes_next(may)
            assert visit in {one.id for one in owed}
            if n == 0:
                await later(may)
                continue
            await dials(may, played, visit)
            await says(may, Outcome.SOLUTION_REFUSED if n == 1 else Outcome.DONE)

        states = [(await played.nth(n)).state for n in range(1, 11)]
        assert ([OPEN] * 2, [State.DONE] * 8) == (sorted(states)[8:], sorted(states)[:8])
        (refused,) = [one for n in range(1, 11) if (one := await played.nth(n)).explanations]
        assert played.house.staff["6001"].id == refused.avoid_agent

        bo = await enters(played.house, chrome, "6002")
        wait = (refused.next_at - CLOCK.now()).total_seconds()
        assert 0 < wait <= UNTIL_AFTERNOON.total_seconds()
        await asyncio.sleep(wait)  # his afternoon
        assert refused.id == await takes_next(bo)
        await dials(bo, played, refused.id)
        await says(bo, Outcome.DONE)

        first, second = await played.store.tries_at(refused.id)
        assert ("weekday:morning", "weekday:afternoon") == (
            first.daypart.replace("weekend", "weekday"),
            second.daypart.replace("weekend", "weekday"),
        )
        assert first.agent != second.agent
        for page in (may, bo):
            await page.context.close()


async def later(page: Page) -> None:
    """Put it off to a time that the page itself allows."""
    form = page.locator("form[action$='/postpone']")
    at = CLOCK.now().astimezone(zone()) + timedelta(hours=5)
    await form.locator("input[name=at]").fill(f"{at:%Y-%m-%dT%H:%M}")
    await form.locator("input[name=reason]").fill("asked for a later call")
    await form.locator("button").click()
    await page.wait_for_url("**?done=visit_postpone")
