"""The pages of customers: wishes, events, areas; what programs tell by their token."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from cti.clock import SetClock
from cti.customers.desk import CustomerDesk
from cti.customers.events import KINDS
from cti.customers.routes import CustomerRoom
from cti.customers.rules import read_entry
from cti.customers.store import CustomerStore, EventStore
from cti.db.audit import audit
from cti.db.engine import Database
from cti.errors import Refused
from cti.house import CustomerRules, House
from cti.machines.store import MachineStore
from cti.people.rules import Directory, Person, Role
from cti.results.forms import CONTENT, Field, Form
from cti.web.auth import LOCALE_COOKIE
from tests.kit.web import BO, CAST, LIN, MAY, OU, TAM, Seat, Stage, stage

NOON = datetime(2025, 3, 7, 4, tzinfo=UTC)
FANG = Person(id="p-fang", number="1000", name="Fang", role=Role.MANAGER)
HOSTILE = "<img src=x onerror=alert(1)>"


class Counter:
    """The desk of customers and its pages, run for the cast."""

    def __init__(self, db: Database) -> None:
        self.db, self.clock, self.rules = db, SetClock(NOON), House()
        self.machines = MachineStore(db, self.clock)
        self.customers, self.events = CustomerStore(db, self.clock), EventStore(db)
        self.desk = CustomerDesk(
            db,
            customers=self.customers,
            events=self.events,
            house=lambda: self.rules,
            people=lambda: Directory(CAST),
            clock=self.clock,
        )
        self.room = CustomerRoom(
            self.desk,
            self.machines,
            who=lambda person: {one.id: one.name for one in CAST}.get(person, person),
            house=lambda: self.rules,
            clock=self.clock,
        )

    async def customer(self, name: str = "王小明", **said: str) -> str:
        entry, reasons = read_entry({"name": name, "phones": "13800138000", **said}, "CN")
        assert entry, reasons
        return (await self.customers.add(entry)).id

    async def audits(self) -> list[tuple[str, str]]:
        async with self.db.read() as conn:
            rows = await conn.execute(select(audit).order_by(audit.c.seq))
            return [(row.what, row.who) for row in rows]


@pytest.fixture
def counter(sqlite_db: Database) -> Counter:
    """A desk without customers."""
    return Counter(sqlite_db)


@pytest.fixture
async def on(counter: Counter) -> AsyncIterator[Stage]:
    """The pages of the desk."""
    async with stage(rooms=[counter.room], clock=counter.clock, people=(*CAST, FANG)) as it:
        yield it


async def text(seat: Seat, path: str) -> str:
    async with seat.browser.get(path) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.text()


async def send(seat: Seat, path: str, **said: str) -> tuple[int, str]:
    form = {"csrf": seat.csrf, **said}
    async with seat.browser.post(path, data=form, allow_redirects=False) as answer:
        return answer.status, await answer.text()


async def test_a_customer_is_found_by_his_number(counter: Counter, on: Stage) -> None:
    customer = await counter.customer()
    seat = await on.enters(MAY)

    page = await text(seat, "/customers?q=138+0013+8000")

    assert "王小明" in page
    assert f'action="/customers/{customer}"' not in page
    assert "Nobody has this number" in await text(seat, "/customers?q=1")


async def test_what_a_customer_wants_is_kept_with_who_wrote_it(counter: Counter, on: Stage) -> None:
    customer = await counter.customer()
    seat = await on.enters(MAY)

    status, _ = await send(
        seat,
        f"/customers/{customer}",
        do="wishes",
        do_not_call="yes",
        hours="09:00-10:00",
        zone="Asia/Tokyo",
        **{"consent-marketing": "no"},
    )

    found = await counter.customers.get(customer)
    assert found
    assert status == 303
    assert (found.do_not_call, found.zone, found.consent) == (
        True,
        "Asia/Tokyo",
        {"marketing": False},
    )
    assert await counter.audits() == [("customer_wishes", MAY.id)]
    assert "He does not want to be called." in await text(seat, f"/customers/{customer}")


async def test_only_a_supervisor_lets_a_customer_be_called_again(
    counter: Counter, on: Stage
) -> None:
    customer = await counter.customer(do_not_call="yes")
    may, lin = await on.enters(MAY), await on.enters(LIN)

    refused = await send(may, f"/customers/{customer}", do="wishes")
    allowed = await send(lin, f"/customers/{customer}", do="wishes")

    found = await counter.customers.get(customer)
    assert found
    assert (refused[0], allowed[0], found.do_not_call) == (409, 303, False)
    assert "Only a supervisor lets this customer be called again." in refused[1]


async def test_wishes_that_cannot_be_read_are_refused_and_stay_typed(
    counter: Counter, on: Stage
) -> None:
    customer = await counter.customer()

    status, page = await send(
        await on.enters(MAY), f"/customers/{customer}", do="wishes", hours=HOSTILE
    )

    assert status == 409
    assert "This cannot be kept." in page
    assert HOSTILE not in page
    assert "&lt;img src=x" in page


async def test_an_event_is_entered_moved_and_cancelled(counter: Counter, on: Stage) -> None:
    customer = await counter.customer()
    seat, path = await on.enters(MAY), f"/customers/{customer}"

    await send(seat, path, do="event", kind="session", day="2025-03-20", ref="S1", amount="88")
    (one,) = await counter.events.of_customer(customer)
    await send(seat, path, do="move", event=one.id, day="2025-03-25")
    moved = await counter.events.get(one.id)
    await send(seat, path, do="cancel", event=one.id, day="2025-03-25")

    cancelled = await counter.events.get(one.id)
    assert moved
    assert cancelled
    assert (str(moved.day), moved.moved, moved.amount) == ("2025-03-25", 1, one.amount)
    assert cancelled.cancelled
    assert [what for what, _who in await counter.audits()] == [
        "event_told",
        "event_changed",
        "event_changed",
    ]


async def test_an_event_that_cannot_be_read_marks_its_fields(counter: Counter, on: Stage) -> None:
    customer = await counter.customer()

    status, page = await send(
        await on.enters(MAY), f"/customers/{customer}", do="event", kind="session", day="x"
    )

    assert status == 409
    assert page.count('aria-invalid="true"') == 1


async def test_from_a_customer_one_comes_to_his_recordings_and_who_may_to_all_of_him(
    counter: Counter, on: Stage
) -> None:
    customer = await counter.customer()

    for who, may in ((MAY, False), (LIN, False), (FANG, True)):
        page = await text(await on.enters(who), f"/customers/{customer}")
        assert f'href="/recordings?customer={customer}"' in page
        assert may == (f'href="/customers/{customer}/data"' in page)


async def test_pages_are_for_those_who_may(counter: Counter, on: Stage) -> None:
    customer = await counter.customer()
    may, ou, tam = await on.enters(MAY), await on.enters(OU), await on.enters(TAM)

    async def status(seat: Seat, path: str) -> int:
        async with seat.browser.get(path) as answer:
            return answer.status

    assert await status(ou, f"/customers/{customer}") == 200
    assert await status(tam, f"/customers/{customer}") == 403
    assert await status(may, "/customers/areas") == 403
    assert (await send(ou, f"/customers/{customer}", do="wishes"))[0] == 403
    assert (await send(may, f"/customers/{customer}", do="owner", owner="6001"))[0] == 403
    assert await status(may, "/customers/none") == 404


async def test_a_customer_and_an_area_are_given_to_people(counter: Counter, on: Stage) -> None:
    customer = await counter.customer()
    seat = await on.enters(LIN)

    await send(seat, f"/customers/{customer}", do="owner", owner=BO.number)
    wrong = await send(seat, f"/customers/{customer}", do="owner", owner="6099")
    await send(seat, "/customers/areas", area="三号楼", owner=LIN.number)
    agent = await send(seat, "/customers/areas", area="四号楼", owner=BO.number)

    found = await counter.customers.get(customer)
    assert found
    assert (found.owner, wrong[0], agent[0]) == (BO.id, 409, 409)
    assert await counter.events.supervisors() == {"三号楼": LIN.id}


@pytest.mark.parametrize("locale", ["en", "zh-Hant", "zh-Hans"])
async def test_the_pages_speak_three_languages(counter: Counter, on: Stage, locale: str) -> None:
    customer = await counter.customer(birthday="lunar 08-15", member_no="M1")
    seat = await on.enters(LIN)
    seat.browser.cookie_jar.update_cookies({LOCALE_COOKIE: locale}, on.url)

    page = await text(seat, f"/customers/{customer}")

    said = {"en": "Preferred hours", "zh-Hant": "方便的時間", "zh-Hans": "方便的时间"}
    assert said[locale] in page
    assert {"en": "lunar calendar", "zh-Hant": "農曆", "zh-Hans": "农历"}[locale] in page


# -- programs


async def test_a_program_tells_events_by_its_token(counter: Counter, on: Stage) -> None:
    customer = await counter.customer()
    token = await counter.machines.make("booking-system", "cti")
    body = {
        "events": [
            {
                "phone": "13800138000",
                "kind": "booking",
                "day": "2025-03-07",
                "ref": "B1",
                "staff": {"shop_assistant": "李娜"},
            },
            {"phone": "1", "kind": "booking", "day": "2025-03-07"},
        ]
    }

    async with on.browser().post(
        "/api/v1/events", json=body, headers={"Authorization": f"Bearer {token}"}
    ) as answer:
        told = await answer.json()

    assert told == {
        "added": 1,
        "changed": 0,
        "same": 0,
        "broken": [{"place": 1, "reasons": ["no customer has the phone '1'"]}],
    }
    (kept,) = await counter.events.of_customer(customer)
    assert ("B1", {"shop_assistant": "李娜"}) == (kept.ref, kept.staff)
    assert await counter.audits() == [
        ("token_made", "cti"),
        ("events_told", "machine:booking-system"),
    ]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, {"events": []}, 401),
        ({"Authorization": "Bearer wrong"}, {"events": []}, 401),
        ({"Authorization": "Basic {token}"}, {"events": []}, 401),
        ({"Authorization": "Bearer {token}"}, {"events": []}, 400),
        ({"Authorization": "Bearer {token}"}, {"events": [{"kind": "x", "colour": 1}]}, 400),
    ],
)
async def test_without_a_good_token_and_body_nothing_is_kept(
    counter: Counter, on: Stage, headers: dict[str, str], body: object, status: int
) -> None:
    token = await counter.machines.make("x", "cti")
    sent = {name: text.format(token=token) for name, text in headers.items()}

    async with on.browser().post("/api/v1/events", json=body, headers=sent) as answer:
        assert answer.status == status
        assert set(await answer.json()) == {"code", "message"}


async def test_the_description_tells_a_program_what_to_send_and_what_it_gets(
    counter: Counter, on: Stage
) -> None:
    async with on.browser().get("/api/v1/openapi.json") as answer:
        described = await answer.json()
    schemas = described["components"]["schemas"]

    operation = described["paths"]["/api/v1/events"]["post"]

    assert [{"token": []}] == operation["security"]
    assert "bearer" == described["components"]["securitySchemes"]["token"]["scheme"]
    assert {"200", "400", "401", "413"} == set(operation["responses"])
    wanted = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    assert wanted.endswith("/Events")
    assert 500 == schemas["Events"]["properties"]["events"]["maxItems"]
    assert ["kind", "day"] == schemas["Happened"]["required"]
    assert all(kind in schemas["Happened"]["properties"]["kind"]["description"] for kind in KINDS)
    assert {"added", "changed", "same", "broken"} == set(schemas["EventsTaken"]["required"])


async def test_a_program_that_sends_too_much_is_told_so(counter: Counter, on: Stage) -> None:
    token = await counter.machines.make("x", "cti")
    sent = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    async with on.browser().post("/api/v1/events", data="x" * 70_000, headers=sent) as answer:
        assert (413, {"code", "message"}) == (answer.status, set(await answer.json()))


async def test_a_token_is_kept_as_a_hash_and_can_be_ended(counter: Counter) -> None:
    token = await counter.machines.make("x", "cti")
    with pytest.raises(Refused, match="there is a token 'x' already"):
        await counter.machines.make("x", "cti")

    known = await counter.machines.of_token(token)
    await counter.machines.end("x", "cti")

    assert known
    assert await counter.machines.of_token(token) is None
    assert [one.ended_at for one in await counter.machines.list()] == [NOON]
    with pytest.raises(Refused, match="there is no token 'x'"):
        await counter.machines.end("x", "cti")


async def test_what_is_to_be_minded_is_chosen_of_the_house_s_list(
    counter: Counter, on: Stage
) -> None:
    customer = await counter.customer()
    seat = await on.enters(MAY)
    path = f"/customers/{customer}"

    form = [("csrf", seat.csrf), ("do", "wishes"), ("care_flags", "elderly")]
    async with seat.browser.post(path, data=[*form, ("care_flags", "hearing")]) as answer:
        told = await answer.text()
    status, _ = await send(seat, path, do="wishes", care_flags="deaf")

    found = await counter.customers.get(customer)
    assert found
    assert ("elderly", "hearing") == found.care_flags
    assert '<span class="mark"><bdi>hard of hearing</bdi></span>' in told
    assert 409 == status


async def test_a_supervisor_gives_a_tier_of_the_house(counter: Counter, on: Stage) -> None:
    customer = await counter.customer()
    may, lin = await on.enters(MAY), await on.enters(LIN)
    path = f"/customers/{customer}"

    refused = await send(may, path, do="tier", tier="gold")
    strange = await send(lin, path, do="tier", tier="platin")
    given = await send(lin, path, do="tier", tier="金卡")

    found = await counter.customers.get(customer)
    assert found
    assert (403, 409, 303) == (refused[0], strange[0], given[0])
    assert "The house has no such tier." in strange[1]
    assert "gold" == found.tier
    assert await counter.audits() == [("customer_tier", LIN.id)]
    assert "<bdi>gold card</bdi>" in await text(may, path)
    assert (await send(lin, path, do="tier", tier=""))[0] == 303
    gone = await counter.customers.get(customer)
    assert gone
    assert "" == gone.tier


async def test_a_flag_that_the_house_dropped_stays_until_it_is_taken_off(
    counter: Counter, on: Stage
) -> None:
    customer = await counter.customer(care_flags="hearing")
    counter.rules = replace(House(), customers=CustomerRules(care_flags=()))
    seat = await on.enters(MAY)

    kept = await send(seat, f"/customers/{customer}", do="wishes", care_flags="hearing")
    gone = await send(seat, f"/customers/{customer}", do="wishes")
    again = await send(seat, f"/customers/{customer}", do="wishes", care_flags="hearing")

    assert (303, 303, 409) == (kept[0], gone[0], again[0])


async def test_only_supervisors_see_a_customer_s_number_whole(counter: Counter, on: Stage) -> None:
    customer = await counter.customer()

    seen = {
        who.id: await text(await on.enters(who), f"/customers/{customer}") for who in (MAY, LIN)
    }

    assert ("138 **** 8000" in seen[MAY.id], "138 0013 8000" in seen[MAY.id]) == (True, False)
    assert "138 0013 8000" in seen[LIN.id]


async def test_who_served_a_customer_is_entered_by_role_and_stays_when_the_event_moves(
    counter: Counter, on: Stage
) -> None:
    customer = await counter.customer()
    asked = Field(id="a", type="satisfaction", labels={}, choices=CONTENT, staff="stylist")
    counter.rules = replace(
        House(), forms={"session": Form(id="session", labels={}, fields=(asked,))}
    )
    seat, path = await on.enters(MAY), f"/customers/{customer}"
    said = {"do": "event", "kind": "session", "day": "2025-03-08", "staff-stylist": "李娜"}

    kept = await send(seat, path, **said)
    (before,) = await counter.events.of_customer(customer)
    await send(seat, path, do="move", event=before.id, day="2025-03-09")
    wrong = await send(seat, path, **said | {"staff-stylist": "x" * 65})

    (after,) = await counter.events.of_customer(customer)
    assert (303, 409) == (kept[0], wrong[0])
    assert {"stylist": "李娜"} == before.staff == after.staff
    assert "2025-03-09" == after.day.isoformat()
    assert 'name="staff-stylist"' in wrong[1]
    assert 'maxlength="64" aria-invalid="true"' in wrong[1]
    assert '<span class="soft">stylist</span> <bdi>李娜</bdi>' in await text(seat, path)
