import pytest
from playwright.async_api import expect

from tests.browser.conftest import Room
from tests.kit.scenes import busy_board
from tests.kit.web import LIN, TAM

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_the_board_shows_calls_agents_and_the_day(room: Room) -> None:
    busy_board(room.it)
    lin = await room.opens(LIN, "/live")

    rows = lin.page.locator("cti-board table.listed tbody tr")
    await expect(rows).to_have_count(6)
    await expect(rows.nth(3)).to_contain_text("王美玲")
    await expect(rows.nth(3)).to_contain_text("5 / 3")
    await expect(lin.page.locator("cti-board section .figures")).to_contain_text("93 %")
    await expect(lin.page.locator("cti-board section .figures")).to_contain_text("119 of 128")
    await expect(lin.page.locator("cti-board .reasons")).to_contain_text("left while it rang 5")
    await expect(lin.page.locator("cti-board")).to_contain_text("1 available · 1 ringing")
    await expect(lin.page.locator("cti-board .status")).to_contain_text("old")


async def test_it_follows_what_happens(room: Room) -> None:
    lin = await room.opens(LIN, "/live")
    await expect(lin.page.locator("cti-board")).to_contain_text("No call now.")

    busy_board(room.it)
    await expect(lin.page.locator("cti-board table.listed tbody tr")).to_have_count(6)
    room.it.desk.link(up=False)

    await expect(lin.status).to_have_text("stale")


async def test_a_row_that_is_over_keeps_its_place_under_the_pointer(room: Room) -> None:
    busy_board(room.it)
    lin = await room.opens(LIN, "/live")
    rows = lin.page.locator("cti-board table.listed tbody tr")
    await rows.nth(4).hover()
    before = await rows.nth(4).bounding_box()

    calls = room.it.desk.whole["calls"]
    room.it.desk.set_board(calls=[call for call in calls if call["call"] not in ("k1", "k6")])
    await expect(lin.page.locator("cti-board tr.gone")).to_have_count(2)
    assert before == await rows.nth(4).bounding_box()

    await lin.page.mouse.move(0, 0)
    await expect(lin.page.locator("cti-board tr.gone")).to_have_count(0)
    await expect(rows).to_have_count(4)


async def test_a_technician_sees_lines_but_not_who_is_calling(room: Room) -> None:
    busy_board(room.it)
    tam = await room.opens(TAM, "/live")

    board = tam.page.locator("cti-board")
    await expect(board).to_contain_text("4000")
    await expect(board).to_contain_text("withheld")
    await expect(board).not_to_contain_text("王小明")


async def test_without_scripts_it_says_how_it_is(room: Room) -> None:
    busy_board(room.it)
    context = await room.enters(LIN, java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{room.it.origin}/live")

    await expect(page.locator("cti-board")).to_contain_text("王美玲")
    await expect(page.locator("cti-board")).to_contain_text("93 %")
