"""The pages of visits: what each sees and may do, in three languages, and nothing of strangers."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, time, timedelta
from decimal import Decimal

import pytest

from cti.customers.rules import Customer, Entry
from cti.db.engine import Database
from cti.dials.rules import AttemptState
from cti.house import CustomerRules, Tier
from cti.people.rules import Person
from cti.results.forms import SEATING
from cti.results.record import WorkKind
from cti.visits.allowed import Refusal
from cti.visits.desk import Order
from cti.visits.reckoner import Proposed
from cti.visits.record import State, Visit
from cti.visits.store import PlanStore
from cti.web.words import Words
from tests.kit.visited import CHEN, OU, WHOLE, Screens, booking, hotel, screens, visited
from tests.visits.conftest import BO, LIN, MAY, TEN, Debts

HOSTILE = "<img src=x onerror=alert(1)>\u202e{{7*7}}"
LANGUAGES = ("en", "zh-Hant", "zh-Hans")
HOURS = timedelta(hours=1)


@pytest.fixture
async def house(sqlite_db: Database) -> AsyncIterator[Screens]:
    """A hotel at ten in the morning."""
    async with screens(visited(Debts(sqlite_db), hotel())) as shown:
        yield shown


async def wang(house: Screens, name: str = "王小明") -> Customer:
    phones = (("+886912345678", "0912345678"),)
    return await house.it.debts.customers.add(Entry(name=name, phones=phones, tier="gold"))


async def owed(house: Screens, **more: object) -> Visit:
    customer = more.pop("customer", None) or await wang(house)
    plain = {"rule": "after_checkout", "form": "stay", "script": "hotel/stay", "owner": MAY.id}
    return await house.it.debts.owe(customer, **plain | more)


async def deeds(house: Screens, who: Person, visit: Visit, deed: str, **fields: object) -> str:
    """Do something with a visit as it stands now; give the page that follows."""
    epoch = (await house.it.now(visit)).epoch
    status, text = await house.sends(who, f"/visits/{visit.id}/{deed}", epoch=epoch, **fields)
    assert status in (200, 409), text
    return text


async def test_an_agent_sees_whom_to_visit_until_when_and_how_much_is_done(house: Screens) -> None:
    await owed(house, due_at=TEN + 5 * HOURS)
    await owed(
        house, owner=None, rule="birthday", due_at=TEN - HOURS, customer=await wang(house, "張家")
    )

    status, text = await house.sees(MAY, "/visits")

    own, free = text.split("Free to take")
    assert 200 == status
    for said in ("王小明", "09** **5 678", "in 5:00", "after check-out", "0<span", "/ 20", "/ 80"):
        assert said in own, said
    assert "overdue by 1:00" in free
    assert "張家" in free


@pytest.mark.parametrize(("locale", "tier"), [("en", "gold card"), ("zh-Hant", "金卡")])
async def test_a_tier_is_said_in_the_language_of_the_page(
    house: Screens, locale: str, tier: str
) -> None:
    await owed(house)

    assert (
        f'<span class="mark"><bdi>{tier}</bdi></span>'
        in (await house.sees(MAY, "/visits", locale))[1]
    )


async def test_nothing_to_do_is_said(house: Screens) -> None:
    for who, path, said in [
        (MAY, "/visits", "Nothing is waiting for you."),
        (MAY, "/visits", "Nothing is free now."),
        (MAY, "/visits/work", "Nothing is to be done."),
        (MAY, "/visits/week", "No opinion was written down."),
        (MAY, "/visits/calendar", "No customer has named a time"),
        (LIN, "/visits/all", "No visit fits these filters."),
        (LIN, "/visits/coverage", "Nothing was owed in these periods."),
        (LIN, "/visits/campaigns", "No campaign has been made yet."),
        (LIN, "/visits/slips", "No slip waits for a signature."),
    ]:
        assert said in (await house.sees(who, path))[1], path


async def test_a_tier_is_called_what_the_house_calls_it(house: Screens) -> None:
    await owed(house)
    labels = dict.fromkeys(("en", "zh-Hant", "zh-Hans"), "金鑽")
    rules = CustomerRules(tiers={"gold": Tier(id="gold", labels=labels)})
    house.site.obey(replace(house.it.rules, customers=rules))

    assert "<bdi>金鑽</bdi>" in (await house.sees(MAY, "/visits"))[1]


async def test_claim_read_dial_and_write_down_without_a_script(house: Screens) -> None:
    visit = await owed(house)

    status, text = await house.sends(MAY, "/visits/next")

    assert 200 == status
    assert "It is yours now." in text
    assert "雲泊旅店" in text  # the script names the house
    assert "Call 0912 345 678" in text
    assert "Your phone rings." in await deeds(house, MAY, visit, "dial")
    made = (await house.it.lists.tries_of(visit.id))[0]
    house.it.world.ends(made, house.it.world.known[made.id].state.ANSWERED)
    await house.it.calls.look()
    assert "Kept." in await deeds(house, MAY, visit, "result", **WHOLE)
    assert State.DONE == (await house.it.now(visit)).state


async def test_only_who_holds_the_visit_and_supervisors_see_the_number_whole(
    house: Screens,
) -> None:
    visit = await owed(house)
    path, whole, ends = f"/visits/{visit.id}", "0912 345 678", "09** **5 678"
    free = (await house.sees(MAY, path))[1]
    await house.it.talks(visit)
    await house.it.says(visit, **WHOLE)
    record = await house.it.results.of_visit(visit.id)
    assert record
    slip = f"/visits/slips/{record.id}"

    seen = [(await house.sees(who, slip))[1] for who in (MAY, OU, LIN)]

    assert (False, True) == (whole in free, ends in free)
    assert [False, False, True] == [whole in page for page in seen]
    assert [True, True, False] == [ends in page for page in seen]


async def test_a_customer_who_has_called_is_visited_in_that_call(house: Screens) -> None:
    visit = await owed(house)
    assert "Make it in this call" not in (await house.sees(MAY, f"/visits/{visit.id}"))[1]
    assert "You do not talk with this customer now." in await deeds(house, MAY, visit, "in-call")
    house.it.world.talking = "c7"

    page = (await house.sees(MAY, f"/visits/{visit.id}"))[1]
    text = await deeds(house, MAY, visit, "in-call")

    assert "Make it in this call" in page
    assert "Write down below what comes of this call." in text
    assert (State.WRAP_UP, []) == ((await house.it.now(visit)).state, house.it.world.wanted)
    assert "Kept." in await deeds(house, MAY, visit, "result", **WHOLE)


async def test_what_was_typed_stays_when_the_record_is_not_whole(house: Screens) -> None:
    visit = await owed(house)
    await house.it.talks(visit)
    typed = WHOLE | {
        "answer_satisfaction": "",
        "answer_opinion": "Very quiet rooms.",
        "opinion_kind": ["complaint", "opinion"],
        "opinion_text": ["No towels.", ""],
        "opinion_department": ["Rooms", ""],
    }

    text = await deeds(house, MAY, visit, "result", **typed)

    assert "The record is not whole." in text
    assert "This is needed." in text
    for said in ("Very quiet rooms.", "No towels.", "Rooms"):
        assert said in text, said


async def test_a_time_of_rest_is_refused_with_the_nearest_that_is_allowed(house: Screens) -> None:
    visit = await owed(house)

    text = await deeds(house, MAY, visit, "postpone", at="2026-03-03T12:30")

    assert "The customer rests at that time." in text
    assert "The nearest time that is allowed: 03-03 14:00." in text

    await deeds(house, MAY, visit, "postpone", at="2026-03-03T15:30")

    assert TEN + 5.5 * HOURS == (await house.it.now(visit)).next_at


async def test_a_time_that_the_customer_named_may_lie_in_rest(house: Screens) -> None:
    visit = await owed(house)

    text = await deeds(house, MAY, visit, "postpone", at="2026-03-03T21:30", named="1")

    assert "Put off." in text
    assert TEN + 11.5 * HOURS == (await house.it.now(visit)).appointment_at
    assert "agreed with the customer" in text


async def test_later_without_a_time_is_the_next_that_is_allowed(house: Screens) -> None:
    visit = await owed(house)

    await deeds(house, MAY, visit, "postpone")

    assert TEN + 4 * HOURS == (await house.it.now(visit)).next_at  # two hours later is rest


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("2026-03-03T09:00", "This time has passed."),
        ("2028-03-03T09:00", "A time within a year."),
        ("tomorrow", "A day and a time"),
    ],
)
async def test_a_time_that_cannot_be_is_refused(house: Screens, at: str, said: str) -> None:
    assert said in await deeds(house, MAY, await owed(house), "postpone", at=at)


async def test_somebody_leaves_a_visit_to_a_colleague_and_says_why(house: Screens) -> None:
    visit = await owed(house)

    assert "Say why." in await deeds(house, MAY, visit, "pass-on", to=BO.id)
    assert "Left to somebody else." in await deeds(
        house, MAY, visit, "pass-on", to=BO.id, reason="She speaks his dialect."
    )
    assert BO.id == (await house.it.now(visit)).owner
    assert "She speaks his dialect." in (await house.sees(BO, f"/visits/{visit.id}"))[1]


async def test_a_refused_claim_says_from_when_on(house: Screens) -> None:
    visit = await owed(house)
    house.it.clock.go(2.5 * HOURS)  # half past twelve

    text = await deeds(house, MAY, visit, "claim")

    assert "The customer rests now. From 03-03 14:00 on." in text
    assert State.DUE.value != (await house.it.now(visit)).state


async def test_a_supervisor_assigns_cancels_and_lets_go_on(house: Screens) -> None:
    visit = await owed(house)

    assert "Assigned." in await deeds(house, LIN, visit, "assign", to=BO.id, reason="Sick.")
    async with house.it.debts.db.write() as conn:
        held = await house.it.now(visit)
        await house.it.debts.store.move(
            conn, held, {"state": State.NEEDS_DECISION.value}, of=("open",)
        )
    assert "A supervisor has to decide" in (await house.sees(LIN, f"/visits/{visit.id}"))[1]
    assert "It goes on." in await deeds(house, LIN, visit, "resume", reason="The line is back.")
    assert "Closed without" in await deeds(house, LIN, visit, "cancel", reason="Cancelled stay.")
    assert State.CANCELLED == (await house.it.now(visit)).state


async def test_the_board_tells_what_is_due_done_late_and_why(house: Screens) -> None:
    await owed(house, period="2026-03", due_at=TEN - HOURS / 2, customer=await wang(house, "張家"))
    await house.it.calls.look()
    done = await owed(house, period="2026-03")
    await house.it.talks(done)
    await house.it.says(done, **WHOLE)

    _, text = await house.sees(LIN, "/visits/coverage")

    row = re.sub(r"<[^>]+>|\s+", " ", text.split("<tbody>")[1].split("</tbody>")[0])
    assert "after check-out 2026-03 2 1 1 1 0 1 owner never tried 1 50.0 % / 100 %" in re.sub(
        r" +", " ", row
    )


@pytest.mark.parametrize("locale", LANGUAGES)
async def test_the_board_and_the_agent_see_whether_customers_are_rung_first_and_who_met_nobody(
    sqlite_db: Database, locale: str
) -> None:
    plain = hotel()
    first = replace(plain.visits, mode="customer_first")
    async with screens(visited(Debts(sqlite_db), replace(plain, visits=first))) as house:
        visit = await owed(house)
        await house.it.talks(visit)
        await house.it.says(visit, **WHOLE)
        held = await owed(house, customer=await wang(house, "張家"))
        await house.it.calls.claim(MAY, held.id)

        _, board = await house.sees(LIN, "/visits/coverage", locale)
        _, file = await house.sees(MAY, f"/visits/{held.id}", locale)

    stopped, rate = TOLD[locale]
    assert stopped in board
    assert rate in board
    assert stopped in file


TOLD = {
    "en": ("Stopped by the cap", "Met nobody: 0 of 1 who answered since 02-01 10:00 (0.0 %)"),
    "zh-Hant": ("已達上限而停止", "接聽的 1 通中有 0 通（0.0 %）；上限 3 %。"),
    "zh-Hans": ("已达上限而停止", "接听的 1 通中有 0 通（0.0 %）；上限 3 %。"),
}


async def test_a_campaign_visits_a_selection_and_tells_what_it_came_to(house: Screens) -> None:
    await wang(house)
    await house.it.debts.customers.add(Entry(name="No", phones=(("+886911111111", "1"),)))
    fields = {"name": "Spring", "purpose": "care", "tier": "gold", "until": "2026-03-06"}

    _, counted = await house.sends(LIN, "/visits/campaigns", do="count", **fields)
    _, made = await house.sends(LIN, "/visits/campaigns", do="make", **fields)

    assert "1 customer would be visited." in counted
    assert "The campaign is made." in made
    campaign = (await house.it.desk.campaigns())[0]
    held = await house.it.calls.claim(MAY)
    await house.it.talks(await house.it.now(held)) if held.held_by != MAY.id else None
    assert campaign.id == held.campaign
    _, told = await house.sends(
        LIN, f"/visits/campaigns/{campaign.id}", conclusion="They want a longer breakfast."
    )
    assert "They want a longer breakfast." in told


async def test_a_campaign_that_reaches_nobody_is_refused(house: Screens) -> None:
    status, text = await house.sends(
        LIN, "/visits/campaigns", do="make", name="X", purpose="care", tier="vip"
    )

    assert 409 == status
    assert "No customer fits." in text


async def test_strangers_see_nothing_and_agents_no_board(house: Screens) -> None:
    visit = await owed(house, department="front")

    assert 404 == (await house.sees(CHEN, f"/visits/{visit.id}"))[0]
    for path in ("all", "coverage", "plan", "campaigns", "slips"):
        assert 403 == (await house.sees(MAY, f"/visits/{path}"))[0], path
    assert 403 == (await house.sends(OU, f"/visits/{visit.id}/cancel", reason="x"))[0]


@pytest.mark.parametrize("locale", LANGUAGES)
async def test_every_page_speaks_each_language_and_escapes_what_others_wrote(
    house: Screens, locale: str
) -> None:
    visit = await owed(house, customer=await wang(house, HOSTILE))
    await house.it.talks(visit)
    await house.it.says(
        visit,
        **WHOLE
        | {
            "answer_opinion": HOSTILE,
            "opinion_kind": ["complaint"],
            "opinion_text": [HOSTILE],
            "promise_text": HOSTILE,
            "promise_at": "2026-03-04T15:00",
        },
    )
    record = await house.it.results.of_visit(visit.id)
    assert record is not None
    for who, path in [
        (MAY, "/visits"),
        (MAY, f"/visits/{visit.id}"),
        (MAY, "/visits/work"),
        (MAY, "/visits/week"),
        (LIN, "/visits/calendar"),
        (LIN, "/visits/all?state=any"),
        (LIN, "/visits/coverage"),
        (LIN, "/visits/quota"),
        (LIN, "/visits/plan"),
        (LIN, "/visits/campaigns"),
        (LIN, "/visits/slips"),
        (LIN, f"/visits/slips/{record.id}"),
    ]:
        status, text = await house.sees(who, path, locale)
        assert 200 == status, path
        assert f'<html lang="{locale}">' in text
        assert "<img src=x" not in text
        assert not re.search(r"visits?[._][a-z]", re.sub(r"<[^>]+>", "", text)), path


async def test_who_has_which_work_is_seen_and_changed(house: Screens) -> None:
    visit = await owed(house)
    await house.it.talks(visit)
    await house.it.says(visit, outcome="wrong_number")
    (item,) = await house.it.results.work_of(visit.id)
    path = f"/visits/work/{item.id}"
    assert "nobody yet" in (await house.sees(MAY, "/visits/work"))[1]

    assert "It is yours now." in (await house.sends(MAY, path, do="take"))[1]
    assert (
        "Only a supervisor gives work" in (await house.sends(MAY, path, do="assign", to=BO.id))[1]
    )
    assert "Choose somebody" in (await house.sends(LIN, path, do="assign", to="p-none"))[1]
    assert "Assigned." in (await house.sends(LIN, path, do="assign", to=BO.id))[1]
    assert "This is for" in (await house.sends(MAY, path, do="take"))[1]

    assert item.id in (await house.sees(LIN, f"/visits/work?owner={BO.id}"))[1]
    assert item.id not in (await house.sees(LIN, "/visits/work?owner=nobody"))[1]
    assert item.id not in (await house.sees(MAY, "/visits/work"))[1]
    assert "It is nobody" in (await house.sends(BO, path, do="let_go"))[1]


@pytest.mark.parametrize(
    ("locale", "said"),
    [("en", "not needed any more"), ("zh-Hant", "已不需要"), ("zh-Hans", "已不需要")],
)
async def test_a_reminder_that_was_cancelled_with_its_event_says_so(
    house: Screens, locale: str, said: str
) -> None:
    visit = await owed(house)
    await house.it.talks(visit)
    await house.it.says(visit, outcome="wrong_number")
    (item,) = await house.it.results.work_of(visit.id)
    reminder = replace(
        item, id="w-gown", kind=WorkKind.REMINDER, origin="reminder:gown:e1", customer="c-bride"
    )
    results, now = house.it.results, item.opened_at
    async with results.db.write() as conn:
        await results.remind(conn, {"e1": "c-bride"}, [reminder], now)
        await results.remind(conn, {"e1": "c-bride"}, [], now)

    assert said in (await house.sees(LIN, "/visits/work?done_work=1", locale))[1]


async def test_an_agent_ticks_work_off_and_a_supervisor_signs(house: Screens) -> None:
    visit = await owed(house)
    await house.it.talks(visit)
    await house.it.says(visit, **WHOLE | {"answer_satisfaction": "dissatisfied"})
    (item,) = await house.it.results.work_of(visit.id)
    record = await house.it.results.of_visit(visit.id)
    assert record is not None

    _, ticked = await house.sends(MAY, f"/visits/work/{item.id}", do="tick", note="Called.")
    _, signed = await house.sends(LIN, f"/visits/slips/{record.id}", do="sign")

    assert "Ticked off." in ticked
    assert "The slip is signed." in signed


ORDER = Order(
    day=date(2026, 3, 3),
    time=time(9, 50),
    ref="B-77",
    restaurant="老正兴",
    numbers=["021 6322 2624"],
    seating="",
    note="",
)


async def seating(house: Screens) -> Visit:
    """Owe a visit that asks a restaurant first."""
    house.it.rules, house.it.orders["e-1"] = booking(), ORDER
    return await owed(
        house,
        rule="seating_check",
        form="seating",
        script="booking/seating",
        channels=("merchant", "phone"),
        event="e-1",
    )


async def test_a_seated_guest_is_not_called(house: Screens) -> None:
    visit = await seating(house)
    page = await deeds(house, MAY, visit, "claim")
    for said in ("First ask the restaurant", "老正兴", "021 6322 2624", "2026-03-03 09:50", "B-77"):
        assert said in page, said
    assert "say whether" in (await deeds(house, MAY, visit, "restaurant")).casefold()

    await deeds(house, MAY, visit, "restaurant", seated="yes", note="table 9")

    record = await house.it.results.of_visit(visit.id)
    assert record
    assert ("merchant", {"seating": "seated"}, "table 9", False) == (
        record.channel,
        record.answers,
        record.note,
        record.effective,
    )
    assert (State.DONE, []) == ((await house.it.now(visit)).state, house.it.world.wanted)
    assert ("seated", "table 9") == (house.it.orders["e-1"].seating, house.it.orders["e-1"].note)


async def test_who_is_not_seated_is_called_as_the_next_step(house: Screens) -> None:
    visit = await seating(house)
    await deeds(house, MAY, visit, "claim")

    page = await deeds(house, MAY, visit, "restaurant", seated="no", note="nobody came")

    assert "call him now" in page
    assert 'name="seated"' not in page
    assert "nobody came" in page.split("What happened")[1]
    assert ("not_seated", State.CLAIMED) == (
        house.it.orders["e-1"].seating,
        (await house.it.now(visit)).state,
    )
    await deeds(house, MAY, visit, "dial")
    made = (await house.it.lists.tries_of(visit.id))[0]
    house.it.world.ends(made, AttemptState.ANSWERED)
    await house.it.calls.look()
    said = {"outcome": "done", "answer_seating": "late", "note": "in ten minutes", "identity": "1"}
    assert "Kept." in await deeds(house, MAY, visit, "result", **said)
    record = await house.it.results.of_visit(visit.id)
    assert record
    assert ("phone", "late", "in ten minutes") == (
        record.channel,
        house.it.orders["e-1"].seating,
        house.it.orders["e-1"].note,
    )


async def test_who_does_not_hold_the_visit_sees_the_ends_of_the_restaurants_number(
    house: Screens,
) -> None:
    visit = await seating(house)

    seen = [(await house.sees(who, f"/visits/{visit.id}"))[1] for who in (MAY, OU, LIN)]

    assert [False, False, True] == ["021 6322 2624" in page for page in seen]
    assert all("2624" in page for page in seen)


@pytest.mark.parametrize("seated", ["yes", "no"])
async def test_what_became_of_a_table_is_noted_whatever_the_house_calls_the_question(
    house: Screens, seated: str
) -> None:
    visit = await seating(house)
    asked = replace(SEATING, id="table")
    form = replace(house.it.rules.forms["seating"], fields=(asked,))
    house.it.rules = replace(house.it.rules, forms={"seating": form})
    await deeds(house, MAY, visit, "claim")

    await deeds(house, MAY, visit, "restaurant", seated=seated)
    if seated == "no":
        await deeds(house, MAY, visit, "dial")
        house.it.world.ends((await house.it.lists.tries_of(visit.id))[0], AttemptState.ANSWERED)
        await house.it.calls.look()
        said = {"outcome": "done", "answer_table": "no_show", "identity": "1"}
        await deeds(house, MAY, visit, "result", **said)

    record = await house.it.results.of_visit(visit.id)
    assert record
    told = "seated" if seated == "yes" else "no_show"
    assert ({"table": told}, told) == (record.answers, house.it.orders["e-1"].seating)


async def test_only_a_visit_that_asks_a_restaurant_is_ended_by_it(house: Screens) -> None:
    visit = await owed(house)
    await deeds(house, MAY, visit, "claim")

    page = await deeds(house, MAY, visit, "restaurant", seated="yes")

    assert "by what way" in page
    assert "First ask the restaurant" not in page
    assert State.CLAIMED == (await house.it.now(visit)).state


async def test_a_refused_time_offers_the_nearest_that_is_allowed(house: Screens) -> None:
    visit = await owed(house)

    text = await deeds(house, MAY, visit, "postpone", at="2026-03-04T12:30", reason="at lunch")

    offer = text.split('class="offer"')[1].split("</form>")[0]
    assert "The customer rests at that time." in text
    for said in ("2026-03-04T14:00", "at lunch", "Put off until 03-04 14:00"):
        assert said in offer, said
    assert 'class="offer"' not in (await house.sees(MAY, f"/visits/{visit.id}"))[1]


async def test_what_was_given_back_says_so_and_why_it_comes_back(house: Screens) -> None:
    visit = await owed(house, owner=None)
    await house.sends(MAY, "/visits/next")

    await deeds(house, MAY, visit, "give-back")

    page = (await house.sees(BO, f"/visits/{visit.id}"))[1]
    assert "gave it back today" in page
    assert "given back" in page.split("What happened")[1]
    assert "nobody else on duty may make it" not in page
    assert "given back today" in (await house.sees(MAY, "/visits"))[1]
    assert "given back today" not in (await house.sees(BO, "/visits"))[1]
    async with house.it.debts.db.write() as conn:
        await PlanStore(house.it.debts.db).give(conn, {visit.id: MAY.id})
    page = (await house.sees(MAY, f"/visits/{visit.id}"))[1]
    assert "nobody else on duty may make it" in page


async def test_who_leaves_it_to_nobody_is_not_he_whose_solution_was_refused(house: Screens) -> None:
    visit = await owed(house)

    await deeds(house, MAY, visit, "pass-on", to="", reason="my aunt")

    now = await house.it.now(visit)
    assert (None, None) == (now.owner, now.avoid_agent)
    assert "gave it back today" in (await house.sees(BO, f"/visits/{visit.id}"))[1]


@pytest.mark.parametrize("code", sorted(set(re.findall(r"`(\w+)`", Refusal.__doc__ or ""))))
def test_every_reason_not_to_call_has_its_words(code: str) -> None:
    for locale in LANGUAGES:
        words = Words().catalogues[locale]
        assert {f"visit_refusal.{code}", f"fault.{code}"} <= set(words)


async def quota_of(house: Screens, path: str = "/visits/quota", locale: str = "en") -> str:
    status, text = await house.sees(LIN, path, locale)
    assert 200 == status, text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


async def test_a_supervisor_sees_what_each_agent_made_of_the_quota(house: Screens) -> None:
    for customer in (await house.it.debts.member(), await wang(house)):  # one is no member
        visit = await house.it.talks(await owed(house, customer=customer))
        await deeds(house, MAY, visit, "result", **WHOLE)

    text = await quota_of(house)

    assert "May 6001 1 / 20 1 / 80 79" in text
    assert "Bo 6002 0 / 20 0 / 80 80" in text
    assert "On 2026-04-01 the month is counted" in text
    assert "1<span" in (await house.sees(MAY, "/visits"))[1]
    assert "1 of 20 effective visits." in (await house.sees(MAY, "/visits/week"))[1]


async def test_an_earlier_month_says_what_was_proposed_and_where(house: Screens) -> None:
    line = Proposed(
        person=MAY.id, incident="i-1", state="proposed", amount=Decimal("16.00"), unit="CNY"
    )
    house.it.proposed = [(date(2026, 2, 1), line)]
    path = "/visits/quota?month=2026-02"

    shown, text = (await house.sees(LIN, path))[1], await quota_of(house, path)

    assert "Counted on 2026-03-01." in text
    assert "May 6001 0 / 80 80 proposed 16.00 CNY" in text
    assert "Bo 6002 0 / 80 80 nothing proposed" in text
    assert 'href="/incidents/i-1"' in shown
    assert "month=2026-01" in shown
    assert "month=2026-03" in shown
    assert "month=2026-04" not in (await house.sees(LIN, "/visits/quota?month=2030-01"))[1]
    assert "尚缺" in await quota_of(house, path, "zh-Hant")


async def test_a_house_that_fines_nothing_says_so(house: Screens) -> None:
    house.it.rules = replace(house.it.rules, penalties=replace(house.it.rules.penalties, rules={}))

    assert "no penalty for what is missing" in await quota_of(house)


async def test_the_quota_is_given_away_as_a_file(house: Screens) -> None:
    _, text = await house.sees(LIN, "/visits/quota?as=csv")

    assert '"6001","May","2026-03",0,80,80,""' in text


@pytest.mark.parametrize("month", ["2026-13", "x", "2026-02-01", "9999-99"])
async def test_a_month_that_is_none_is_this_one(house: Screens, month: str) -> None:
    assert "2026-03" in await quota_of(house, f"/visits/quota?month={month}")


async def test_only_who_oversees_sees_the_quota_of_all(house: Screens) -> None:
    seen = {who.name: (await house.sees(who, "/visits/quota"))[0] for who in (MAY, LIN, OU)}

    assert {"May": 403, "Lin": 200, "Ou": 200} == seen
