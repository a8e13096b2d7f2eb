"""A call that is recorded, on the card and on the board: seen at once, paused by keys alone."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from cti.clock import SystemClock
from cti.errors import Refused
from cti.people.rules import Person
from recordings.live import LiveRoom
from tests.browser.conftest import Room
from tests.kit.scenes import busy_board, recorded, recording
from tests.kit.web import LIN, MAY, OU, Stage, stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


class FakeControl:
    """Does what is asked at once, as the real one does when the PBX has answered."""

    def __init__(self) -> None:
        self.it: Stage | None = None
        self.away = False

    async def do(self, deed: str, call: str, person: Person, address: str = "") -> None:
        if self.away:
            raise Refused("control_away", "the PBX cannot be reached")
        assert self.it is not None
        state = {"pause": "paused", "resume": "on"}[deed]
        how = recording(self.it, state, by=person.name if state == "paused" else None)
        self.it.desk.show(MAY.id, self.it.desk.screens[MAY.id][call] | {"recording": how})


@pytest_asyncio.fixture(loop_scope="session")
async def control() -> FakeControl:
    return FakeControl()


@pytest_asyncio.fixture(loop_scope="session")
async def hall(chrome: Browser, control: FakeControl) -> AsyncIterator[Room]:
    """A server at the machine's own time; no page may have complained at the end."""
    async with stage(rooms=[LiveRoom(control)], clock=SystemClock()) as it:
        control.it = it
        made = Room(it, chrome)
        yield made
        for context in made.contexts.values():
            await context.close()
        assert [] == [fault for tab in made.tabs for fault in tab.faults]


async def test_an_agent_pauses_and_goes_on_by_the_keyboard_and_sees_it_at_once(hall: Room) -> None:
    may = await hall.opens(MAY)
    recorded(hall.it)
    card = may.cards.locator(".rec")
    await expect(card).to_contain_text("Being recorded")

    await card.get_by_role("button", name="Pause recording").focus()
    await may.page.keyboard.press("Enter")

    await expect(card.locator(".rec-how")).to_have_text("Recording paused")
    await expect(card).to_contain_text("Goes on by itself in 4:4")
    await card.get_by_role("button", name="Go on recording").focus()
    await may.page.keyboard.press("Space")
    await expect(card.locator(".rec-how")).to_have_text("Being recorded")


async def test_why_nothing_was_paused_is_said_where_it_was_asked(
    hall: Room, control: FakeControl
) -> None:
    may = await hall.opens(MAY)
    recorded(hall.it)
    control.away = True

    await may.cards.get_by_role("button", name="Pause recording").click()

    fault = may.cards.locator(".rec-fault")
    await expect(fault).to_contain_text("take it that the call is being recorded")
    await expect(may.cards.locator(".rec-how")).to_have_text("Being recorded")


async def test_a_call_that_is_not_recorded_says_nothing_of_it(hall: Room) -> None:
    may = await hall.opens(MAY)
    hall.it.desk.rings("k1", MAY)

    await expect(may.cards).to_have_count(1)
    await expect(may.cards.locator(".rec")).to_have_count(0)


async def test_the_board_has_the_key_for_those_whom_the_house_lets_pause(hall: Room) -> None:
    lin, ou = await hall.opens(LIN, "/live"), await hall.opens(OU, "/live")
    busy_board(hall.it)

    await expect(lin.page.locator("cti-board .rec.paused")).to_contain_text("Recording paused")
    await expect(lin.page.locator("cti-board .rec button")).to_have_count(2)
    await expect(ou.page.locator("cti-board .rec.paused")).to_contain_text("Recording paused")
    await expect(ou.page.locator("cti-board .rec button")).to_have_count(0)
