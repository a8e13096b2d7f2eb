import asyncio
import re

import pytest
from playwright.async_api import Error, Route, WebSocketRoute, expect

from cti import bus
from cti.bus import Push
from tests.browser.conftest import Room
from tests.kit.scenes import multi, ringing
from tests.kit.until import until
from tests.kit.web import BO, LIN, MAY, make_card

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_reload_shows_the_same_card_with_the_same_rings(room: Room) -> None:
    may = await room.opens(MAY)
    room.it.desk.rings("k1", MAY, ago=7)
    await expect(may.cards.locator(".rings b")).to_have_text("3 / 3")

    await may.page.reload()

    await expect(may.cards).to_have_count(1)
    await expect(may.cards.locator(".rings b")).to_have_text(re.compile("[345] / 3"))
    assert ["k1"] == await may.told("ringing")


async def test_ten_tabs_all_show_the_card_once_and_the_server_stays_quick(room: Room) -> None:
    tabs = [await room.opens(MAY) for _ in range(10)]

    room.it.desk.rings("k1", MAY, BO)
    for tab in tabs:
        await expect(tab.cards).to_have_count(1)
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with room.it.browser().get("/healthz"):
        assert loop.time() - began < 0.5
    room.it.desk.answered("k1", BO)
    for tab in tabs:
        await expect(tab.cards).to_have_count(0)

    assert [["k1"]] * 10 == [await tab.told("ringing") for tab in tabs]
    assert [["k1"]] * 10 == [await tab.told("ended") for tab in tabs]


async def test_twenty_cuts_lose_no_card_and_show_none_twice(room: Room) -> None:
    may = await room.opens(MAY)
    alive = list[str]()
    shown = list[str]()

    for n in range(20):
        room.it.desk.rings(f"before-{n}", MAY)
        await expect(may.page.locator(f'cti-agent li[data-call="before-{n}"]')).to_have_count(1)
        room.it.cut()
        await until(lambda: room.it.registry.get_sample_value("cti_live_clients") == 0)
        room.it.desk.rings(f"missed-{n}", MAY)  # over before the page is back: never shown
        room.it.desk.ends(f"missed-{n}", MAY.id, "caller_gave_up")
        room.it.desk.rings(f"while-{n}", MAY)
        alive += [f"before-{n}", f"while-{n}"]
        shown += alive[-2:]
        room.it.desk.ends(alive.pop(0), MAY.id, "caller_gave_up")
        await expect(may.page.locator(f'cti-agent li[data-call="while-{n}"]')).to_have_count(
            1, timeout=20_000
        )

    cards = await may.page.locator("cti-agent li:has(.card)").evaluate_all(
        "(rows) => rows.map((row) => row.dataset.call)"
    )
    assert (alive, shown) == (cards, await may.told("ringing"))


async def test_a_lost_line_is_said_and_what_is_not_known_does_not_tick(room: Room) -> None:
    may = await room.opens(MAY)
    room.it.desk.rings("k1", MAY, ago=1)
    await expect(may.cards.locator(".rings b")).to_have_text("1 / 3")
    await expect(may.status).to_have_text("live")

    await may.page.context.set_offline(True)
    await expect(may.status).to_have_text("offline")
    await expect(may.page.locator("cti-agent .status")).to_contain_text("What you see is of")
    frozen = await may.cards.locator(".facts").inner_text()
    await may.page.wait_for_timeout(2500)
    assert frozen == await may.cards.locator(".facts").inner_text()
    room.it.desk.ends("k1", MAY.id, "rang_out")
    room.it.desk.rings("k2", MAY)

    await may.page.context.set_offline(False)
    await expect(may.status).to_have_text("live")
    await expect(may.page.locator("cti-agent .over")).to_contain_text("It rang out")
    await expect(may.cards).to_have_count(1)


async def test_an_old_message_brings_no_card_back(room: Room) -> None:
    seen = list[str | bytes]()
    routes = list[WebSocketRoute]()

    def relay(route: WebSocketRoute) -> None:
        def down(message: str | bytes) -> None:
            seen.append(message)
            route.send(message)

        routes.append(route)
        route.connect_to_server().on_message(down)

    context = await room.enters(MAY)
    await context.route_web_socket("**/live", relay)
    may = await room.opens(MAY)
    room.it.desk.rings("k1", MAY)
    await expect(may.cards).to_have_count(1)
    room.it.desk.ends("k1", MAY.id, "rang_out")
    await expect(may.cards).to_have_count(0)

    routes[0].send(next(one for one in seen if '"ringing"' in str(one)))
    room.it.desk.rings("k2", MAY)

    await expect(may.page.locator('cti-agent li[data-call="k2"]')).to_have_count(1)
    assert ["k1", "k2"] == await may.told("ringing")


async def test_another_database_begins_anew_and_nothing_is_shown_twice(room: Room) -> None:
    may = await room.opens(MAY)
    room.it.desk.rings("k1", MAY)
    room.it.desk.rings("k2", MAY)
    await expect(may.cards).to_have_count(2)

    room.it.desk.epoch = "epoch-2"
    room.it.desk.screens[MAY.id].pop("k2")
    room.it.cut()

    await expect(may.page.locator("cti-agent .over")).to_contain_text("was not seen")
    await expect(may.cards).to_have_count(1)
    assert ["k1", "k2"] == await may.told("ringing")


async def test_a_card_that_is_not_stored_yet_is_shown_and_not_shown_again(room: Room) -> None:
    may = await room.opens(MAY)
    card = make_card("k1", room.it.clock.now())
    room.it.desk.screens[MAY.id] = {"k1": card}

    room.it.bus.publish(Push(audience=bus.person(MAY.id), kind="card", call="k1"))
    await expect(may.cards).to_have_count(1)
    room.it.desk.show(MAY.id, card)
    room.it.desk.ends("k1", MAY.id, "rang_out")

    await expect(may.cards).to_have_count(0)
    assert ["k1"] == await may.told("ringing")


async def test_a_pbx_that_is_not_heard_makes_the_screen_stale(room: Room) -> None:
    may = await room.opens(MAY)
    ringing(room.it)

    room.it.desk.link(up=False)
    await expect(may.status).to_have_text("stale")
    await expect(may.page.locator("cti-agent .status")).to_contain_text(
        re.compile(r"main.* has not been heard since \d\d:\d\d:\d\d")
    )
    room.it.desk.link(up=True)

    await expect(may.status).to_have_text("live")


async def test_who_was_logged_out_elsewhere_is_told_and_can_log_in_again(room: Room) -> None:
    may = await room.opens(MAY)

    room.it.accounts.sessions.clear()
    room.it.cut()

    await expect(may.status).to_have_text("logged out")
    link = may.page.locator("cti-agent .status a")
    assert "/login?next=/agent" == await link.get_attribute("href")


async def test_somebody_else_in_the_same_browser_sees_only_his_own(room: Room) -> None:
    may = await room.opens(MAY)
    room.it.desk.rings("k1", MAY)
    await expect(may.cards).to_have_count(1)

    token = room.it.accounts.open_session(BO)
    await may.page.context.add_cookies([{"name": "cti", "value": token, "url": room.it.origin}])
    room.it.desk.rings("k2", BO)
    room.it.cut()

    await expect(may.page.locator('cti-agent li[data-call="k2"]')).to_have_count(1)
    await expect(may.page.locator('cti-agent li[data-call="k1"]')).to_have_count(0)


async def test_a_new_session_of_the_same_person_goes_on(room: Room) -> None:
    may = await room.opens(MAY)
    multi(room.it)
    await expect(may.cards).to_have_count(1)
    token = room.it.accounts.open_session(MAY)
    await may.page.context.add_cookies([{"name": "cti", "value": token, "url": room.it.origin}])

    await may.cards.locator(".pick").first.click()

    await expect(may.cards.locator("h2")).to_contain_text("王小明")


async def test_a_restarted_server_finds_its_screens_again(room: Room) -> None:
    may, lin = await room.opens(MAY), await room.opens(LIN, "/live")

    await room.it.app.shutdown()
    room.it.desk.rings("k1", MAY)

    await expect(may.cards).to_have_count(1)
    await expect(lin.status).to_have_text("live")
    assert ["k1"] == await may.told("ringing")


async def test_a_server_that_is_ill_is_not_besieged(room: Room) -> None:
    may = await room.opens(MAY)
    asked = list[str]()

    async def ill(route: Route) -> None:
        asked.append(route.request.url)
        await route.fulfill(status=500, body="no")

    await may.page.route("**/rt-ticket", ill)
    room.it.cut()
    await expect(may.status).to_have_text("reconnecting")
    await may.page.wait_for_timeout(4000)
    assert 2 <= len(asked) <= 6

    await may.page.unroute("**/rt-ticket")
    await expect(may.status).to_have_text("live", timeout=15_000)


async def test_text_cannot_become_code_even_by_our_own_mistake(room: Room) -> None:
    page = await (await room.enters(MAY)).new_page()
    await page.goto(f"{room.it.origin}/agent")

    for mistake, kind in [
        ("document.body.innerHTML = '<b>x</b>'", "TrustedHTML"),
        ("document.createElement('script').text = 'hit = 1'", "TrustedScript"),
        ("document.createElement('script').src = '/x.js'", "TrustedScriptURL"),
    ]:
        with pytest.raises(Error, match=kind):
            await page.evaluate(f"() => {{ {mistake} }}")


async def test_from_ring_to_card_it_takes_no_time_to_speak_of(room: Room) -> None:
    may = await room.opens(MAY)
    took = list[float]()

    for n in range(40):
        before = room.it.clock.now().timestamp() * 1000
        room.it.desk.rings(f"k{n}", MAY)
        await may.page.locator(f'cti-agent li[data-call="k{n}"]').wait_for()
        events = await may.page.evaluate("window.told")
        took.append(
            next(at for what, call, at in events if call == f"k{n}" and what == "ringing") - before
        )
        room.it.desk.ends(f"k{n}", MAY.id, "rang_out")

    assert sorted(took)[37] < 300  # p95, milliseconds: UI-01
