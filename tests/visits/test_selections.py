"""Criteria select customers by what is known of them; saved ones make campaigns (CB-28)."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event as sql_events
from sqlalchemy import insert, select

from cti.calls.store import calls
from cti.customers.events import EventEntry
from cti.customers.rules import Customer, Entry
from cti.customers.store import EventStore
from cti.db.audit import audit
from cti.db.engine import Database
from cti.errors import Refused
from cti.visits.criteria import NOBODY, Criteria
from cti.visits.record import State
from cti.visits.selections import Selections
from tests.kit.fines import call_row
from tests.kit.visited import OU, Screens, Visited, hotel, screens, visited
from tests.visits.conftest import BO, LIN, MAY, TEN, Debts
from tests.visits.test_planner import scanned

TODAY = date(2026, 3, 3)


class Shelf:
    """Customers, and what happened with them."""

    def __init__(self, debts: Debts) -> None:
        self.debts, self.db, self.it = debts, debts.db, Selections(debts.db)
        self._made = 0

    async def customer(self, name: str, **facts: Any) -> Customer:
        self._made += 1
        number = f"+86138{self._made:08}"
        return await self.debts.customers.add(Entry(name=name, phones=((number, number),), **facts))

    async def buys(self, customer: Customer, amount: str, days: int = 1, **facts: Any) -> None:
        self._made += 1
        day = TODAY - timedelta(days=days)
        said = EventEntry(
            kind="purchase", day=day, ref=str(self._made), amount=Decimal(amount), **facts
        )
        async with self.db.write() as conn:
            told = EventStore(self.db).keep
            await told(conn, [(customer.id, said)], now=TEN, source="csv", who="x")

    async def talks(self, customer: Customer, days: int, outcome: str = "answered") -> None:
        self._made += 1
        row = call_row(f"call-{self._made}", 0, customer.phones[0], 60, "caller")
        at = TEN - timedelta(days=days)
        row |= {"outcome": outcome, "reason": None, "began": at, "seen_at": at}
        async with self.db.write() as conn:
            await conn.execute(insert(calls).values(row))

    async def visited(self, customer: Customer, days: int, state: State = State.DONE) -> None:
        visit = await self.debts.owe(customer)
        values = {"state": state.value, "ended_at": TEN - timedelta(days=days)}
        async with self.db.write() as conn:
            await self.debts.store.move(conn, visit, values, of=("open",))

    async def finds(self, **said: Any) -> set[str]:
        criteria = Criteria(**said)
        found = await self.it.page(criteria, TEN, TODAY, limit=100)
        assert len(found) == await self.it.count(criteria, TEN, TODAY)
        return {one.name for one in found}


@pytest.fixture
def shelf(debts: Debts) -> Shelf:
    """Nobody yet."""
    return Shelf(debts)


async def test_customers_are_selected_by_what_they_are(shelf: Shelf) -> None:
    await shelf.customer("gold", tier="gold", area="静安", owner=MAY.id, member_no="M1")
    await shelf.customer("vip", tier="vip", area="静安", care_flags=("hearing", "elderly"))
    await shelf.customer("shop", merchant=True)
    await shelf.customer("never", tier="gold", do_not_call=True)

    assert {"gold", "vip", "shop"} == await shelf.finds()
    assert {"gold"} == await shelf.finds(tier="gold")
    assert {"gold", "vip"} == await shelf.finds(area="静安")
    assert {"vip"} == await shelf.finds(area="静安", owner=NOBODY)
    assert {"gold"} == await shelf.finds(owner=MAY.id)
    assert {"gold"} == await shelf.finds(kind="member")
    assert {"vip", "shop"} == await shelf.finds(kind="not_member")
    assert {"shop"} == await shelf.finds(kind="merchant")
    assert {"vip"} == await shelf.finds(care="elderly")
    assert set() == await shelf.finds(care="eld%")
    assert set() == await shelf.finds(tier="gold", kind="merchant")


async def test_customers_are_selected_by_when_somebody_was_in_contact(shelf: Shelf) -> None:
    calls_us, missed, made, lost, quiet = [
        await shelf.customer(name) for name in ("calls us", "missed", "made", "lost", "quiet")
    ]
    await shelf.talks(calls_us, 10)
    await shelf.talks(missed, 10, outcome="missed")
    await shelf.visited(made, 10)
    await shelf.visited(lost, 10, State.UNREACHABLE)
    del quiet

    assert {"missed", "lost", "quiet"} == await shelf.finds(not_since=30)
    assert {"calls us", "missed", "made", "lost", "quiet"} == await shelf.finds(not_since=9)


async def test_customers_are_selected_by_what_they_spent(shelf: Shelf) -> None:
    some, much, long_ago = [await shelf.customer(name) for name in ("some", "much", "long ago")]
    await shelf.buys(some, "60.00")
    await shelf.buys(much, "60.00")
    await shelf.buys(much, "40.50", days=29)
    await shelf.buys(some, "60.00", cancelled=True)
    await shelf.buys(long_ago, "900.00", days=30)

    assert {"much"} == await shelf.finds(spent_least="100.50", spent_days=30)
    assert {"some", "much"} == await shelf.finds(spent_least="60", spent_days=30)
    assert {"much", "long ago"} == await shelf.finds(spent_least="61", spent_days=365)


async def test_a_page_goes_on_behind_the_last_one(shelf: Shelf) -> None:
    made = [await shelf.customer(f"C{n}", tier="vip") for n in range(5)]
    criteria = Criteria(tier="vip")

    first = await shelf.it.page(criteria, TEN, TODAY, limit=3)
    rest = await shelf.it.page(criteria, TEN, TODAY, after=first[-1].id, limit=3)

    assert [one.id for one in made] == [one.id for one in (*first, *rest)]


@pytest.mark.parametrize(
    "said",
    [
        {"tier": "gold"},
        {"area": "a"},
        {"owner": "p-may", "not_since": 30},
        {"spent_least": "100", "spent_days": 30, "kind": "member"},
    ],
)
async def test_what_an_index_finds_is_not_looked_for_one_by_one(
    shelf: Shelf, said: dict[str, Any]
) -> None:
    for n in range(3):
        await shelf.customer(f"C{n}", tier="gold", area="a", owner="p-may", member_no="M")
    asked = list[tuple[str, Any]]()
    engine = shelf.db._reader.sync_engine

    def note(_c: Any, _cur: Any, statement: str, parameters: Any, _x: Any, _many: bool) -> None:
        asked.append((statement, parameters))

    sql_events.listen(engine, "before_cursor_execute", note)
    await shelf.it.count(Criteria(**said), TEN, TODAY)
    sql_events.remove(engine, "before_cursor_execute", note)

    assert asked
    assert [] == await scanned(shelf.db, asked)


# -- saved ones


@pytest.fixture
def it(sqlite_db: Database) -> Visited:
    """A hotel at ten in the morning."""
    return visited(Debts(sqlite_db), hotel())


@pytest.fixture
async def house(it: Visited) -> AsyncIterator[Screens]:
    """Its pages."""
    async with screens(it) as shown:
        yield shown


async def audits(it: Visited) -> list[tuple[str, str]]:
    async with it.debts.db.read() as conn:
        rows = await conn.execute(select(audit).order_by(audit.c.seq))
        return [(row.what, row.who) for row in rows if row.about.startswith("selection:")]


async def test_a_selection_is_saved_changed_used_and_deleted_and_all_is_in_the_audit(
    it: Visited,
) -> None:
    shelf, desk = Shelf(it.debts), it.desk
    await shelf.customer("gold", tier="gold")
    await shelf.customer("vip", tier="vip")

    saved = await desk.save_selection(LIN, "", {"name": "Best", "tier": "gold"}, "::1")
    await desk.save_selection(LIN, saved, {"name": "Best", "tier": "vip"}, "::1")
    wanted = {"name": "Spring", "purpose": "care", "saved": saved, "tier": "gold"}
    made = await desk.campaign(LIN, wanted, "::1")
    campaign, _report = await desk.report(made)
    kept = await desk.selection(saved)
    await desk.delete_selection(LIN, saved, "::1")

    assert [
        ("selection_saved", LIN.id),
        ("selection_changed", LIN.id),
        ("selection_used", LIN.id),
        ("selection_deleted", LIN.id),
    ] == await audits(it)
    assert (1, "vip", "Best", saved) == (
        campaign.visits,
        campaign.selection["tier"],
        campaign.selection["saved_name"],
        campaign.selection["saved"],
    )
    assert (LIN.id, TEN) == (kept.used_by, kept.used_at)
    assert [] == await desk.selections()
    assert "Best" == (await desk.report(made))[0].selection["saved_name"]


async def test_what_is_no_selection_is_refused_and_nothing_is_kept(it: Visited) -> None:
    desk = it.desk
    first = await desk.save_selection(LIN, "", {"name": "Best"}, "::1")
    second = await desk.save_selection(LIN, "", {"name": "Other"}, "::1")
    refused = list[str]()

    for selection, fields in (
        ("", {"name": " "}),
        ("", {"name": "Best"}),
        (second, {"name": "Best"}),
        ("", {"name": "X", "tier": "platinum"}),
        ("gone", {"name": "X"}),
    ):
        with pytest.raises(Refused) as caught:
            await desk.save_selection(LIN, selection, fields, "::1")
        refused.append(caught.value.code)
    with pytest.raises(Refused, match="no such selection"):
        await desk.delete_selection(LIN, "gone", "::1")
    with pytest.raises(Refused, match="no such selection"):
        await desk.campaign(LIN, {"name": "X", "purpose": "care", "saved": "gone"}, "::1")

    assert [
        "selection_name",
        "selection_named",
        "selection_named",
        "selection_wrong",
        "no_selection",
    ] == refused
    assert [first, second] == [one.id for one in await desk.selections()]


async def test_more_customers_than_a_campaign_may_visit_are_refused(
    it: Visited, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cti.visits.desk.CAMPAIGN_MOST", 2)
    shelf = Shelf(it.debts)
    for n in range(3):
        await shelf.customer(f"C{n}")

    with pytest.raises(Refused, match="choose fewer"):
        await it.desk.campaign(LIN, {"name": "X", "purpose": "care"}, "::1")


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        (
            "en",
            "Tier gold card</bdi> · <bdi>looked after by Bo</bdi> · <bdi>no contact for 90 days",
        ),
        ("zh-Hant", "等級 金卡</bdi> · <bdi>負責人 Bo</bdi> · <bdi>90 天未聯絡"),
        ("zh-Hans", "等级 金卡</bdi> · <bdi>负责人 Bo</bdi> · <bdi>90 天未联系"),
    ],
)
async def test_the_pages_say_what_is_selected_and_whom(
    house: Screens, locale: str, said: str
) -> None:
    shelf = Shelf(house.it.debts)
    for n in range(22):
        await shelf.customer(f"C{n:02}", tier="gold", owner=BO.id)
    fields = {"name": "<i>Best</i>", "tier": "gold", "owner": BO.id, "not_since": "90"}

    _, looked = await house.sends(LIN, "/visits/selections", do="look", **fields)
    _, saved = await house.sends(LIN, "/visits/selections", do="save", **fields)
    selection = (await house.it.desk.selections())[0]
    _, listed = await house.sees(LIN, "/visits/selections", locale)
    _, one = await house.sees(OU, f"/visits/selections/{selection.id}", locale)
    _, campaign = await house.sees(LIN, f"/visits/campaigns?saved={selection.id}", locale)

    assert "22 customers fit." in looked
    assert ("C19" in looked, "C20" in looked, "And 2 more." in looked) == (True, False, True)
    assert "The selection is saved." in saved
    assert said in listed
    assert said in one
    assert "&lt;i&gt;Best" in one
    assert '<form method="post" action="/visits/sel' not in one
    assert f'<option value="{selection.id}" selected>' in campaign


async def test_a_selection_is_changed_and_deleted_on_its_page(house: Screens) -> None:
    await Shelf(house.it.debts).customer("王小明", tier="vip")
    saved = await house.it.desk.save_selection(LIN, "", {"name": "Best", "tier": "gold"}, "::1")
    path = f"/visits/selections/{saved}"

    _, looked = await house.sends(LIN, path, do="look", name="Best", tier="vip")
    status, wrong = await house.sends(LIN, path, do="save", name="Best", not_since="x")
    _, kept = await house.sends(LIN, path, do="save", name="Best", tier="vip")
    forbidden = (await house.sends(OU, path, do="delete"))[0]
    _, gone = await house.sends(LIN, path, do="delete")

    assert "1 customer fits." in looked
    assert (409, True) == (status, 'value="x" aria-invalid="true"' in wrong)
    assert "王小明" in kept
    assert 403 == forbidden
    assert "The selection is deleted." in gone
    assert 404 == (await house.sees(LIN, path))[0]
    assert 403 == (await house.sees(MAY, "/visits/selections"))[0]
