"""A script is told with what is known: the house's number, the day of the event."""

from dataclasses import replace
from datetime import date

import pytest

from cti.customers.events import EventEntry
from cti.customers.store import EventStore
from cti.results.forms import Part, Script
from tests.kit.visited import Visited, visited
from tests.visits.conftest import MAY, TEN, Debts

SAID = "{day} | {phone} | {department}"


@pytest.fixture
def it(debts: Debts) -> Visited:
    """A house with one script."""
    it = visited(debts)
    part = Part(step="questions", text=SAID)
    script = Script(id="x", parts={"en": (part,), "zh-Hans": (part,)})
    it.rules = replace(it.rules, scripts={"x": script})
    return it


async def told(it: Visited, locale: str, event: str | None = None) -> str:
    visit = await it.debts.owe(event=event, script="x", department="front")
    return (await it.desk.brief(MAY, visit.id, locale)).script[0].text


@pytest.mark.parametrize(
    ("locale", "said"),
    [("en", "26 February | …… | front"), ("zh-Hans", "2月26日 | …… | front")],
)
async def test_the_day_is_that_of_the_event(it: Visited, locale: str, said: str) -> None:
    customer, events = await it.debts.customer(), EventStore(it.debts.db)
    entry = EventEntry(kind="check_out", day=date(2026, 2, 26), ref="R1")
    async with it.debts.db.write() as conn:
        await events.keep(conn, [(customer.id, entry)], now=TEN, source="form", who="x")
    (event,) = await events.of_customer(customer.id)

    assert said == await told(it, locale, event.id)


async def test_without_an_event_it_is_the_visit_s_first_day(it: Visited) -> None:
    assert "3 March | …… | front" == await told(it, "en")
    assert "3 March | …… | front" == await told(it, "en", "gone")


@pytest.mark.parametrize(
    ("phone", "caller_id", "said"),
    [
        ("021-6234 5678", "02158881234", "021 6234 5678"),
        ("", "02158881234", "021 5888 1234"),
        ("95588", "", "95588"),
    ],
)
async def test_the_number_is_the_house_s_or_the_one_that_customers_see(
    it: Visited, phone: str, caller_id: str, said: str
) -> None:
    rules = it.rules
    it.rules = replace(
        rules,
        card=replace(rules.card, phone=phone),
        dialing=replace(rules.dialing, caller_id=caller_id),
    )

    assert f"3 March | {said} | front" == await told(it, "en")
