"""Each person who served a customer gets the score that is about him (CB-STUDIO-08)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

import cti
from cti.customers.events import EventEntry
from cti.customers.rules import Customer, Entry
from cti.customers.store import EventStore
from cti.db.engine import Database
from cti.house import House
from cti.house_file import read
from cti.visits.record import Visit
from tests.kit.visited import WHOLE, Screens, Visited, screens, visited
from tests.visits.conftest import BO, LIN, MAY, TEN, Debts
from tests.visits.conftest import db as db
from tests.visits.conftest import debts as debts

STUDIO = Path(cti.__file__).parents[1] / "config" / "houses" / "studio.toml"
STAFF = {"stylist": "李娜", "photographer": "<b>Ben</b>"}


def studio() -> House:
    house = read(STUDIO, TEN)
    return replace(house, dialing=replace(house.dialing, trunks=("PJSIP/trunk",)))


@pytest.fixture
def it(debts: Debts) -> Visited:
    return visited(debts, studio())


@pytest.fixture
async def house(sqlite_db: Database) -> AsyncIterator[Screens]:
    async with screens(visited(Debts(sqlite_db), studio())) as shown:
        yield shown


async def session(it: Visited, staff: dict[str, str], **changed: object) -> Visit:
    """Owe the call after a session, with whoever served there."""
    number = f"+86912{len(staff)}345678"
    customer: Customer = await it.debts.customers.add(
        Entry(name="王小明", phones=((number, number),))
    )
    events = EventStore(it.debts.db)
    said = EventEntry(kind="session", day=date(2026, 3, 2), ref="S1", staff=staff)
    async with it.debts.db.write() as conn:
        await events.keep(conn, [(customer.id, said)], now=TEN, source="form", who="x")
    (event,) = await events.of_customer(customer.id)
    facts = {"event": event.id, "form": "studio_session", "rule": "session", "owner": MAY.id}
    return await it.debts.owe(customer, **facts | changed)


SAID = WHOLE | {
    "answer_stylist": "satisfied",
    "answer_photographer": "dissatisfied",
    "answer_gown_assistant": "neutral",
}


async def test_the_score_goes_to_each_person_whom_the_event_names(it: Visited) -> None:
    visit = await it.talks(await session(it, STAFF))

    await it.says(visit, **SAID)

    record = await it.results.of_visit(visit.id)
    assert record
    slip = await it.result_desk.slip(record.id)
    assert [
        ("stylist", "李娜", "satisfied"),
        ("photographer", "<b>Ben</b>", "dissatisfied"),
    ] == [(one.role, one.person, one.score) for one in slip.scores]
    assert "neutral" == record.answers["gown_assistant"]


async def test_scores_are_counted_by_person_for_an_agent_and_for_all(it: Visited) -> None:
    for staff, person in ((STAFF, MAY), ({"stylist": "李娜"}, BO)):
        visit = await session(it, staff, owner=person.id)
        await it.says(await it.talks(visit, person), person, **SAID)

    (_span, all_calls) = await it.desk.week(MAY.id, date(2026, 3, 3), everybody=True)
    (_span, own) = await it.desk.week(BO.id, date(2026, 3, 3))
    (_span, before) = await it.desk.week(MAY.id, date(2026, 2, 24), everybody=True)

    assert [("photographer", "<b>Ben</b>", 0, 1), ("stylist", "李娜", 2, 0)] == [
        (one.role, one.person, one.satisfied, one.dissatisfied) for one in all_calls.persons
    ]
    assert [("stylist", "李娜", 1)] == [
        (one.role, one.person, one.satisfied) for one in own.persons
    ]
    assert [] == list(before.persons)


async def test_who_is_asked_about_is_named_in_the_form_on_the_slip_and_in_the_week(
    house: Screens,
) -> None:
    visit = await house.it.talks(await session(house.it, STAFF))

    form = (await house.sees(MAY, f"/visits/{visit.id}"))[1]
    await house.it.says(visit, **SAID)
    record = await house.it.results.of_visit(visit.id)
    assert record
    slip = (await house.sees(LIN, f"/visits/slips/{record.id}"))[1]
    week = (await house.sees(LIN, "/visits/week?day=2026-03-03", "zh-Hans"))[1]
    own = (await house.sees(MAY, "/visits/week?day=2026-03-03"))[1]

    for page in (form, slip, week, own):
        assert "李娜</bdi>" in page
        assert "&lt;b&gt;Ben&lt;/b&gt;</bdi>" in page
    assert "各人员满意度" in week
    assert "in all calls of the week" not in own
    assert "in your calls of the week" in own


async def test_what_was_said_of_persons_is_given_away_with_the_customer(it: Visited) -> None:
    visit = await it.talks(await session(it, STAFF))
    await it.says(visit, **SAID)

    told = await it.results.tell(visit.customer)

    assert ["李娜", "<b>Ben</b>"] == [one["person"] for one in told["scores.json"]]
