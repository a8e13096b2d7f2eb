from datetime import timedelta

import pytest
from playwright.async_api import expect

from cti.web import wire
from tests.browser.conftest import Room, said
from tests.kit.scenes import contacts, late, multi, ringing, talking
from tests.kit.web import BO, MAY, WANG, WANG_MAY, make_card

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_card_comes_at_the_first_ring_and_says_who_where_and_how_long(room: Room) -> None:
    may = await room.opens(MAY)
    await expect(may.widget).to_contain_text("No call")

    ringing(room.it)

    card = may.cards
    await expect(card.locator("h2")).to_have_text("王小明 VIP")
    for text in ("138 0013 8000", "小明餐飲有限公司", "台北市", "Line 4000", "Queue support"):
        await expect(card).to_contain_text(text, use_inner_text=True)
    await expect(card.locator(".rings b")).to_have_text("2 / 3")
    await expect(card.locator(".facts")).to_contain_text("Waiting0:0")
    await expect(card.locator(".contacts li")).to_have_count(5)
    await expect(may.widget).not_to_contain_text("No call")


async def test_rings_and_waiting_go_on_by_the_servers_clock_whatever_the_computers_says(
    room: Room,
) -> None:
    context = await room.enters(MAY)
    await context.add_init_script(
        "const real = Date.now.bind(Date); Date.now = () => real() + 3 * 864e5;"
    )
    may = await room.opens(MAY)

    room.it.desk.rings("k1", MAY, ago=5.0)

    await expect(may.cards.locator(".rings b")).to_have_text("2 / 3")
    await expect(may.cards.locator(".rings b")).to_have_text("3 / 3", timeout=4000)
    await expect(may.cards.locator(".facts")).to_contain_text("Waiting0:0")


async def test_at_ring_five_the_apology_comes_and_nothing_moves(room: Room) -> None:
    may = await room.opens(MAY)
    room.it.desk.rings("k1", MAY, ago=11, customers=[WANG], contacts=contacts(room.it))
    await expect(may.cards.locator(".rings b")).to_have_text("4 / 3")
    await expect(may.cards.locator(".say .shown")).to_contain_text("Hello, this is")
    before = await may.cards.bounding_box()

    await expect(may.cards.locator(".rings b")).to_have_text("5 / 3")

    await expect(may.cards.locator(".say .shown")).to_contain_text("Apologise first")
    await expect(may.cards.locator(".say .shown")).to_contain_text("I am sorry")
    assert before == await may.cards.bounding_box()


async def test_a_card_goes_when_a_colleague_answers_and_says_so_for_a_moment(room: Room) -> None:
    may, bo = await room.opens(MAY), await room.opens(BO)
    room.it.desk.rings("k1", MAY, BO, customers=[WANG])
    await expect(may.cards).to_have_count(1)

    room.it.desk.answered("k1", BO)

    await expect(may.cards).to_have_count(0)
    await expect(may.page.locator("cti-agent .over")).to_have_text(said("王小明 Bo took it"))
    await expect(may.widget.locator("div.hidden[role=status]")).to_contain_text(said("Bo took it"))
    await expect(bo.cards.locator(".what")).to_contain_text("talking")
    await expect(bo.cards.locator(".talk")).to_have_text("0:01", timeout=4000)
    await expect(may.page.locator("cti-agent .over")).to_have_count(0, timeout=6000)
    await expect(may.widget).to_contain_text("No call")
    assert (["k1"], ["k1"]) == (await may.told("ringing"), await may.told("ended"))


ENDS = {
    ("caller_gave_up", None): "The caller hung up",
    ("rang_out", None): "It rang out",
    ("rejected", None): "Declined",
    ("busy", None): "The phone was busy",
    ("unreachable", None): "The phone could not be reached",
    ("picked_up_by_other", "Bo"): "Bo picked it up",
    ("answered_elsewhere", None): "A colleague took it",
    ("forwarded", None): "Forwarded",
    ("withdrawn", None): "Taken back",
    ("completed", None): "Call finished",
    ("unknown", None): "How it ended was not seen",
}


async def test_each_end_is_told_apart(room: Room) -> None:
    may = await room.opens(MAY)
    for n in range(len(ENDS)):
        room.it.desk.rings(f"k{n}", MAY)
    await expect(may.cards).to_have_count(len(ENDS))
    await may.cards.nth(0).hover()  # so that all notices stay

    for n, (outcome, by) in enumerate(ENDS):
        room.it.desk.ends(f"k{n}", MAY.id, outcome, by)

    for n, text in enumerate(ENDS.values()):
        notice = may.page.locator(f'cti-agent li[data-call="k{n}"] .over')
        await expect(notice).to_have_text(said(f"Unknown caller {text}"))


async def test_a_transfer_takes_the_card_along_exactly_once(room: Room) -> None:
    may, bo = await room.opens(MAY), await room.opens(BO)
    talking(room.it)
    await expect(may.cards).to_have_count(1)

    card = room.it.desk.screens[MAY.id]["k1"]
    room.it.desk.ends("k1", MAY.id, "transferred", by="Bo")
    for _ in range(3):  # the PBX says the same more than once
        room.it.desk.show(BO.id, card | {"state": "ringing", "answered_at": None})
    await expect(bo.cards.locator(".what")).to_contain_text("ringing")
    room.it.desk.show(BO.id, card)

    await expect(may.page.locator("cti-agent .over")).to_contain_text(said("Transferred to Bo"))
    await expect(bo.cards).to_have_count(1)
    await expect(bo.cards.locator(".contacts li")).to_have_count(2)
    await expect(bo.cards.locator(".what")).to_contain_text("talking")
    assert (["k1"], ["k1"]) == (await bo.told("ringing"), await bo.told("answered"))


async def test_a_consultation_becomes_the_customers_card_without_a_word(room: Room) -> None:
    bo = await room.opens(BO)
    room.it.desk.rings("asked", BO)
    await expect(bo.cards).to_have_count(1)

    room.it.desk.ends("asked", BO.id, None)
    room.it.desk.rings("k1", BO, customers=[WANG])

    await expect(bo.cards.locator("h2")).to_have_text("王小明 VIP")
    await expect(bo.cards).to_have_count(1)
    await expect(bo.page.locator("cti-agent .over")).to_have_count(0)
    assert ["asked"] == await bo.told("ended")


async def test_a_second_call_stacks_below_and_takes_nothing_away(room: Room) -> None:
    may = await room.opens(MAY)
    talking(room.it)
    await expect(may.cards).to_have_count(1)
    await may.page.evaluate(
        "document.querySelector('main').prepend(document.createElement('input'))"
    )
    field = may.page.locator("main > input")
    await field.type("half a sen")
    before = await may.cards.nth(0).bounding_box()

    room.it.desk.rings("k2", MAY)
    await expect(may.cards).to_have_count(2)
    await field.press("t")

    assert before == await may.cards.nth(0).bounding_box()
    assert "half a sent" == await field.input_value()
    await expect(may.cards.nth(1)).to_contain_text("Unknown caller")


async def test_nothing_moves_under_the_pointer(room: Room) -> None:
    may = await room.opens(MAY)
    room.it.desk.rings("k1", MAY, BO, customers=[WANG])
    room.it.desk.rings("k2", MAY, customers=[WANG, WANG_MAY])
    await expect(may.cards).to_have_count(2)
    button = may.cards.nth(1).locator("button").first
    await button.hover()
    before = await button.bounding_box()

    room.it.desk.answered("k1", BO)
    await expect(may.page.locator("cti-agent .over")).to_have_count(1)
    await may.page.wait_for_timeout(4600)  # longer than the notice lasts

    assert before == await may.cards.nth(0).locator("button").first.bounding_box()

    await may.page.mouse.move(0, 0)
    await expect(may.page.locator("cti-agent .over")).to_have_count(0)


async def test_several_customers_are_a_choice_that_every_screen_keeps(room: Room) -> None:
    may, bo = await room.opens(MAY), await room.opens(BO)
    room.it.desk.rings("k1", MAY, BO, customers=[WANG, WANG_MAY])
    await expect(may.cards.locator("h2")).to_have_text("138 0013 8000")
    await expect(may.cards.locator(".pick")).to_have_count(2)
    await expect(may.cards.locator(".pick").nth(1)).to_contain_text("+886223456789")
    before = await may.cards.locator(".pick").nth(1).bounding_box()

    await may.cards.locator(".pick").nth(1).click()

    for tab in (may, bo):
        await expect(tab.cards.locator("h2")).to_have_text("王美玲")
        await expect(tab.cards.locator(".pick").nth(1)).to_have_attribute("aria-pressed", "true")
    assert before == await may.cards.locator(".pick").nth(1).bounding_box()
    await may.page.reload()
    await expect(may.cards.locator("h2")).to_have_text("王美玲")

    await may.cards.locator(".pick").nth(1).click()
    await expect(bo.cards.locator("h2")).to_have_text("138 0013 8000")


async def test_the_choice_is_made_by_keys_alone(room: Room) -> None:
    may = await room.opens(MAY)
    multi(room.it)
    await expect(may.cards).to_have_count(1)
    await may.page.locator("button.quiet").first.focus()  # the log-out button: the last before

    await may.page.keyboard.press("Tab")
    await may.page.keyboard.press("Tab")
    await may.page.keyboard.press("Enter")

    await expect(may.cards.locator("h2")).to_have_text("王美玲")
    focused = "document.querySelector('cti-agent').shadowRoot.activeElement.textContent"
    assert "王美玲" in await may.page.evaluate(focused)


async def test_a_choice_that_is_refused_says_why(room: Room) -> None:
    may = await room.opens(MAY)
    multi(room.it)
    await expect(may.cards).to_have_count(1)
    room.it.desk.screens[MAY.id]["k1"]["customers"] = [WANG]  # changed meanwhile

    await may.cards.locator(".pick").nth(1).click()

    await expect(may.cards).to_contain_text("The choice was not kept: This customer is not among")
    await expect(may.cards.locator(".pick").nth(1)).to_have_attribute("aria-disabled", "false")


async def test_a_stranger_and_who_hides_are_told_apart(room: Room) -> None:
    may = await room.opens(MAY)
    room.it.desk.rings("k1", MAY, number="+886912345678", shown="0912 345 678")
    room.it.desk.rings("k2", MAY, number="anonymous", shown=None)
    room.it.desk.rings("k3", MAY, number=None, shown=None)

    await expect(may.cards.nth(0)).to_contain_text("No customer has this number.")
    await expect(may.cards.nth(0)).to_contain_text("0912 345 678")
    await expect(may.cards.nth(1).locator("h2")).to_have_text("Number withheld")
    await expect(may.cards.nth(2).locator("h2")).to_have_text("No number")


async def test_what_a_caller_sends_stays_text(room: Room) -> None:
    hostile = "<img src=x onerror=window.hit=1>\u202eevil\x07\n" + "x" * 500
    wang = WANG | {"name": hostile, "tier": hostile, "company": hostile, "area": hostile}
    old = contacts(room.it)[0] | {"agent": hostile, "outcome": hostile, "reason": hostile}
    may = await room.opens(MAY)

    room.it.desk.rings(
        "k<1>'\"\\",
        MAY,
        caller_name=hostile,
        shown=hostile,
        line=hostile,
        queue=hostile,
        customers=[wang],
        contacts=[old],
    )
    room.it.desk.rings("k2", MAY, caller_name=hostile, shown=hostile)
    await expect(may.cards).to_have_count(2)
    room.it.desk.ends("k2", MAY.id, "answered_elsewhere", by=hostile)
    await expect(may.page.locator("cti-agent .over")).to_contain_text("took it")

    text = await may.page.locator("cti-agent .cards").inner_text()
    assert "<img src=x" in text
    assert not {"\u202e", "\x07"} & set(text)
    assert "x" * 150 not in text
    assert 0 == await may.page.locator("cti-agent img").count()
    assert await may.page.evaluate("window.hit === undefined")
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert 0 == await may.page.evaluate(wide)


async def test_the_pages_title_counts_what_rings(room: Room) -> None:
    may = await room.opens(MAY)
    await expect(may.page).to_have_title("My calls · 小南國")

    room.it.desk.rings("k1", MAY)
    room.it.desk.rings("k2", MAY, BO)
    await expect(may.page).to_have_title("(2) My calls · 小南國")
    room.it.desk.answered("k1", MAY)
    await expect(may.page).to_have_title("(1) My calls · 小南國")
    room.it.desk.answered("k2", BO)

    await expect(may.page).to_have_title("My calls · 小南國")


async def test_a_tier_is_shown_in_words(room: Room) -> None:
    may = await room.opens(MAY, locale="zh-TW")
    tiers = {"gold": ["金卡"], "GOLD": ["金卡"], "normal": [], None: [], "老會員": ["老會員"]}

    for n, tier in enumerate(tiers):
        room.it.desk.rings(f"k{n}", MAY, customers=[WANG | {"tier": tier}])

    for n, shown in enumerate(tiers.values()):
        card = may.page.locator(f'cti-agent li[data-call="k{n}"]')
        await expect(card.locator("h2")).to_contain_text("王小明")
        await expect(card.locator(".tier")).to_have_text(shown)


async def test_an_estimate_says_that_it_is_one(room: Room) -> None:
    may = await room.opens(MAY)

    room.it.desk.rings("k1", MAY, ago=4, approximate=True)

    await expect(may.cards.locator(".rings")).to_contain_text("about")


async def test_a_ring_of_unknown_beginning_is_not_counted(room: Room) -> None:
    may = await room.opens(MAY)
    at = room.it.clock.now()

    room.it.desk.show(MAY.id, make_card("k1", at, rang_at=None, waiting_since=None))

    await expect(may.cards).to_have_count(1)
    await expect(may.cards.locator(".rings")).to_have_count(0)


async def test_times_are_the_houses_and_numbers_are_apart(room: Room) -> None:
    may = await room.opens(MAY)
    late(room.it)

    shown = may.cards.locator(".contacts time").first
    at = room.it.clock.now() - timedelta(hours=2)
    taipei = at + timedelta(hours=8)

    await expect(shown).to_contain_text(f"{taipei:%H:%M}")
    await expect(may.cards.locator(".zone")).to_have_text("GMT+8")
    assert wire.stamp(at)[:16] == (await shown.get_attribute("datetime") or "")[:16]


LANGUAGES = {
    "en": ("Incoming call", "Line", "left while it rang", "Apologise first"),
    "zh-Hant": ("來電", "線路", "響鈴中掛斷", "請先致歉"),
    "zh-Hans": ("来电", "线路", "响铃中挂断", "请先致歉"),
}


@pytest.mark.parametrize("locale", LANGUAGES)
async def test_a_card_speaks_the_users_language(room: Room, locale: str) -> None:
    browser = {"en": "en-GB", "zh-Hant": "zh-TW", "zh-Hans": "zh-CN"}[locale]
    may = await room.opens(MAY, locale=browser)

    late(room.it)

    for text in LANGUAGES[locale]:
        await expect(may.cards).to_contain_text(text)
    await expect(may.widget).to_have_attribute("lang", locale)
    await expect(may.cards.locator("h2 bdi").first).to_have_attribute("lang", "zh-Hant")
    assert "{" not in await may.cards.inner_text()


async def test_visits_that_are_owed_can_be_made_in_the_call(room: Room) -> None:
    due = wire.stamp(room.it.clock.now())
    owed = [
        {"visit": "v1", "customer": WANG["id"], "due_at": due, "late": False},
        {"visit": "v2", "customer": WANG["id"], "due_at": due, "late": True},
        {"visit": "v3", "customer": "c-other", "due_at": due, "late": False},
    ]
    room.it.desk.rings("k1", MAY, customers=[WANG], owed=owed)

    may = await room.opens(MAY)

    links = may.cards.locator(".owed a")
    await expect(links).to_have_count(2)
    await expect(links.first).to_have_attribute("href", "/visits/v1")
    await expect(links.first).to_contain_text("due by")
    await expect(links.last).to_contain_text("overdue since")
    assert [] == await may.axe()
