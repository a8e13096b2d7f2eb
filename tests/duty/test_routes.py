"""The duty room's pages: planned, worked, asked and decided by plain forms, in three languages."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, timedelta
from html import unescape
from typing import Any

import pytest

from cti.db.engine import Database
from cti.duty.routes import DutyPages
from cti.people.rules import Person, Role
from cti.web.site import Site
from tests.duty.conftest import MONDAY, DutyRoom, by
from tests.kit.roster import BO, CHEN, HOUSE, LIN, MAY, STAFF, TAN
from tests.kit.web import Seat, Stage, stage

OU = Person(id="p-ou", number="9002", name="Ou", role=Role.AUDITOR)
TAM = Person(id="p-tam", number="9001", name="Tam", role=Role.TECHNICIAN)
TUESDAY = MONDAY + timedelta(days=1)
CODE = re.compile(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:")
"""What the pages' rules for scripts and styles would not let run."""


@dataclass
class Front:
    """The pages, and the room behind them."""

    it: Stage
    room: DutyRoom

    async def enters(self, person: Person) -> "Desk":
        """Let somebody sit down at the pages."""
        return Desk(await self.it.enters(person))


@dataclass
class Desk:
    """One person at the pages, without scripts."""

    seat: Seat

    async def reads(self, path: str, locale: str = "en", status: int = 200) -> str:
        """Open a page and give its text."""
        headers = {"Accept-Language": locale}
        async with self.seat.browser.get(path, headers=headers) as answer:
            assert status == answer.status, path
            return unescape(await answer.text())

    async def sends(self, path: str, action: str, status: int = 200, **fields: Any) -> str:
        """Send a form and give the page that follows."""
        data = [("csrf", self.seat.csrf), ("action", action)]
        for name, value in fields.items():
            data += [(name, str(one)) for one in (value if isinstance(value, list) else [value])]
        async with self.seat.browser.post(path, data=data) as answer:
            assert status == answer.status, await answer.text()
            return unescape(await answer.text())


@pytest.fixture
async def front(sqlite_db: Database) -> AsyncIterator[Front]:
    """The pages at seven on a Monday morning."""
    room = DutyRoom(sqlite_db)
    pages = DutyPages(
        room.store, house=lambda: room.house, people=lambda: room.people, clock=room.clock
    )
    site = Site(house="小南國", house_locale="zh-Hant", zone=HOUSE.zone)
    async with stage(clock=room.clock, people=(*STAFF, OU, TAM), rooms=[pages], site=site) as it:
        yield Front(it, room)


async def test_a_supervisor_plans_a_week_and_publishes_it(front: Front) -> None:
    lin = await front.enters(LIN)
    week = {"week": MONDAY}

    empty = await lin.reads("/duty")
    text = await lin.sends(
        "/duty", "add", person=MAY.id, shift="early", day=[MONDAY, TUESDAY], **week
    )
    published = await lin.sends("/duty", "publish", **week)

    assert "Not published yet" in empty
    assert "Mon 10 Mar: no supervisor" in empty
    assert text.count("draft") >= 2
    assert "Mon 10 Mar 17:15: nobody is planned to relieve the shift Early" in text
    assert "by Lin, version 1." in published
    assert [MAY.id] == await front.room.on_duty("09:00")


async def test_those_ticked_are_moved_taken_out_and_kept(front: Front) -> None:
    await front.room.plans((MAY, "early"), days=2)
    lin = await front.enters(LIN)

    def pick(text: str, nth: int = 0) -> str:
        return re.findall(r'name="pick" value="([^"]+)"', text)[nth]

    text = await lin.reads("/duty")
    text = await lin.sends("/duty", "remove", pick=pick(text), week=MONDAY)
    assert "to be taken out" in text
    text = await lin.sends("/duty", "keep", pick=pick(text), week=MONDAY)
    assert "to be taken out" not in text
    text = await lin.sends(
        "/duty", "move", pick=pick(text), to_day="2025-03-13", to_shift="late", week=MONDAY
    )
    assert ("draft" in text, "to be taken out" in text) == (True, True)


async def test_a_refusal_is_said_and_what_was_typed_is_kept(front: Front) -> None:
    await front.room.plans((MAY, "early"), days=1)
    lin = await front.enters(LIN)

    text = await lin.sends(
        "/duty?week=2025-03-10",
        "add",
        status=409,
        person=MAY.id,
        shift="late",
        day=[MONDAY],
        week=MONDAY,
    )

    assert "two shifts at the same time" in text
    assert f'value="{MAY.id}" selected' in text
    assert re.search(r'value="2025-03-10" checked', text)
    assert 'value="late" selected' in text


@pytest.mark.parametrize(
    "sent",
    [
        {"action": "add", "person": "x", "shift": "early", "day": "2025-03-12"},
        {"action": "add", "person": MAY.id, "shift": "early", "day": "12.3."},
        {"action": "remove", "pick": "x"},
        {"action": "remove", "pick": "x.１"},
        {"action": "remove", "pick": "x." + "9" * 5000},
        {"action": "publish", "week": ""},
        {"action": "copy", "week": "9999-99-99"},
        {"action": "nonsense"},
        {"action": ""},
    ],
)
async def test_nonsense_is_told_and_changes_nothing(front: Front, sent: dict[str, str]) -> None:
    lin = await front.enters(LIN)

    text = await lin.sends("/duty", status=409, **sent)

    assert 'role="alert"' in text
    assert [] == await front.room.store.week(MONDAY)


@pytest.mark.parametrize("week", ["nonsense", "0001-01-01", "2025-03-12"])
async def test_an_address_that_makes_no_sense_shows_this_week(front: Front, week: str) -> None:
    lin = await front.enters(LIN)

    text = await lin.reads(f"/duty?week={week}", status=200 if week[0] == "2" else 409)

    assert "Mon 10 Mar – Sun 16 Mar" in text


async def test_an_agent_s_day_from_clocking_in_to_the_hand_over(front: Front) -> None:
    room = front.room
    await room.plans((MAY, "early"), (BO, "early"), (CHEN, "late"), (LIN, "early"))
    may, chen = await front.enters(MAY), await front.enters(CHEN)
    room.at("08:22")
    await room.store.clock_in(by(BO))
    assert "7 min late" in await may.sends("/duty/mine", "clock_in")
    text = await may.sends(
        "/duty/mine",
        "check",
        assignment=(await room.shift(MAY)).id,
        kind="start",
        item=["phone", "tidy"],
    )
    assert 2 == text.count('" checked')

    room.at("12:00")
    text = await may.sends("/duty/mine", "break", minutes=30, reason="lunch")
    assert "waits for the supervisor" in text
    lin = await front.enters(LIN)
    (asked,) = re.findall(r'name="id" value="([^"]+)"', await lin.reads("/duty/requests"))
    await lin.sends("/duty/requests", "break", id=asked, answer="yes")
    assert "12:00–12:30" in await may.reads("/duty/mine")
    assert "12:00–12:30" in await lin.reads("/duty/now")
    await may.sends("/duty/mine", "end", away=asked)

    room.at("12:55")
    await chen.sends("/duty/mine", "clock_in")
    room.at("17:10")
    await may.sends("/duty/mine", "offer", notes="all quiet", open_items="call 王小明 back")
    text = await chen.reads("/duty/mine")
    assert "call 王小明 back" in text
    (handover,) = re.findall(r'name="handover" value="([^"]+)"', text)
    await chen.sends("/duty/mine", "accept", handover=handover)

    assert {BO.id, CHEN.id} == set(await room.on_duty("17:10"))


async def test_a_swap_from_the_wish_to_the_approval(front: Front) -> None:
    await front.room.plans((MAY, "early"), (BO, "late"))
    may, bo, lin = [await front.enters(one) for one in (MAY, BO, LIN)]
    first, back = await front.room.shift(MAY, TUESDAY), await front.room.shift(BO, TUESDAY)

    text = await may.reads(f"/duty/mine?colleague={BO.id}")
    assert {first.id, back.id} <= set(re.findall(r'option value="([^"]+)"', text))
    text = await may.sends("/duty/mine", "swap", first=first.id, back=back.id, reason="dentist")
    assert "waits for the colleague" in text
    (swap,) = re.findall(r'name="swap" value="([^"]+)"', await bo.reads("/duty/mine"))
    await bo.sends("/duty/mine", "swap_answer", swap=swap, answer="yes")
    assert "dentist" in await lin.reads("/duty/requests")
    refused = await lin.sends("/duty/requests", "swap", status=409, id=swap, answer="no")
    assert "Write the text that is needed." in refused
    await lin.sends("/duty/requests", "swap", id=swap, answer="yes")

    assert [BO.id, MAY.id] == await front.room.on_duty("14:00", TUESDAY)
    assert "swapped" in await bo.reads("/duty/mine")


async def test_leave_that_the_house_does_not_give_is_said_and_listed(front: Front) -> None:
    front.room.house = HOUSE
    week = date(2025, 3, 31)
    await front.room.plans((MAY, "early"), week=week)
    may = await front.enters(MAY)
    holiday = await front.room.shift(MAY, date(2025, 4, 4))

    text = await may.sends(
        "/duty/mine", "leave", status=409, assignment=holiday.id, reason="grandmother"
    )

    assert "2025-04-04 is a holiday (清明节): no leave." in text
    assert "no leave on holidays" in text
    assert 'value="grandmother"' in text


async def test_who_is_on_duty_now_and_why_and_what_a_supervisor_does_about_it(
    front: Front,
) -> None:
    room = front.room
    await room.plans((MAY, "early"), (BO, "late"), (LIN, "early"))
    for person in (MAY, LIN):
        room.at("08:10")
        await room.store.clock_in(by(person))
    room.at("14:00")
    lin, mays = await front.enters(LIN), (await room.shift(MAY)).id

    text = await lin.reads("/duty/now")
    assert "in the plan · clocked in" in text
    assert "in the plan · late" in text
    await lin.sends("/duty/now", "seat", assignment=mays)
    text = await lin.sends("/duty/now", "away", assignment=mays, reason="help in the shop")
    assert ("chat seat" in text, "help in the shop" in text) == (True, True)
    text = await lin.sends("/duty/now", "call_in", person=CHEN.id, shift="late")
    assert "called in" in text
    room.at("17:20")
    assert "not relieved yet" in await lin.reads("/duty/now")
    none = await lin.sends("/duty/now", "exception", status=409, assignment=mays, reason="")
    assert "Write the text that is needed." in none
    await lin.sends("/duty/now", "exception", assignment=mays, reason="sick child")

    assert MAY.id not in await room.on_duty("17:20")


async def test_a_notice_is_read_by_whom_it_concerns_and_that_is_seen(front: Front) -> None:
    lin, may = await front.enters(LIN), await front.enters(MAY)
    await lin.sends("/duty/notices", "post", title="<b>春茶</b>", body="九折\n至三月底")

    text = await may.reads("/duty/mine")
    assert "<b>春茶</b>" in text  # as text: the page was unescaped above
    (notice,) = re.findall(r'name="notice" value="([^"]+)"', text)
    assert 'name="notice"' not in await may.sends("/duty/mine", "read", notice=notice)
    text = await lin.reads("/duty/notices")

    assert "Read by 1:" in text
    assert "4 have not read it:" in text


@pytest.mark.parametrize("path", ["/duty", "/duty/now", "/duty/requests", "/duty/notices"])
async def test_who_sees_and_who_changes(front: Front, path: str) -> None:
    for person, sees, changes in (
        (LIN, 200, 409),
        (OU, 200, 403),
        (MAY, 403, 403),
        (TAM, 403, 403),
    ):
        desk = await front.enters(person)
        text = await desk.reads(path, status=sees)
        await desk.sends(path, "nonsense", status=changes)
        assert person is LIN or "<button" not in text.split("<main")[1].split("</main")[0]


async def test_ones_own_page_is_for_who_works_on_shifts(front: Front) -> None:
    for person, status in ((MAY, 200), (LIN, 200), (OU, 403), (TAM, 403)):
        await (await front.enters(person)).reads("/duty/mine", status=status)


@pytest.mark.parametrize("locale", ["en", "zh-Hant", "zh-Hans"])
async def test_every_page_is_in_the_users_language_and_carries_no_code(
    front: Front, locale: str
) -> None:
    room = front.room
    await room.plans((MAY, "early"), (BO, "late"), (LIN, "early"), (TAN, "late"))
    room.at("08:10")
    for person in (MAY, LIN):
        await room.store.clock_in(by(person))
    await room.store.ask_leave(by(MAY), (await room.shift(MAY, TUESDAY)).id, "fever")
    await room.store.ask_break(by(MAY), 10)
    lin, may = await front.enters(LIN), await front.enters(MAY)

    for desk, path in [
        (lin, "/duty"),
        (lin, "/duty/now"),
        (lin, "/duty/requests"),
        (lin, "/duty/notices"),
        (may, f"/duty/mine?colleague={BO.id}"),
    ]:
        text = await desk.reads(path, locale)
        assert f'<html lang="{locale}">' in text, path
        assert not re.search(r"\b(duty|done|fault|nav)[._][a-z_]+\.[a-z]", text), path
        assert "{" not in text.split("<main")[1], path
        assert not re.search(
            r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:", text
        ), path


async def test_a_name_is_text_whatever_is_in_it(front: Front) -> None:
    evil = "<img src=x onerror=alert(1)>"
    await front.room.store.add(by(LIN), MAY.id, "early", [MONDAY])
    front.room.people = type(front.room.people)([LIN, Person(id=MAY.id, number="6001", name=evil)])
    lin = await front.enters(LIN)

    async with lin.seat.browser.get("/duty") as answer:
        assert "<img" not in await answer.text()
