"""The pages of the lines: who sees and may do what, in three languages, without a script."""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from cti.db.engine import Database
from cti.dials.store import DialStore
from cti.lines.routes import LineRoom, RoomLeft
from cti.lines.rules import FaultState, LineTestState
from tests.kit.web import BO, CAST, LIN, MAY, OU, TAM, Seat, Stage, stage
from tests.lines.conftest import Lines
from tests.lines.test_rules import HOUSE, at, on_duty

HOSTILE = "<img src=x onerror=alert(1)>"
PEOPLE = {person.id: person for person in CAST}


@dataclass
class Pages:
    """The lines' desk with its pages served."""

    lines: Lines
    dials: DialStore
    it: Stage
    room: list[RoomLeft]
    """How recordings have room; empty: none are collected."""

    async def reads(self, seat: Seat, path: str = "/lines", **headers: str) -> tuple[int, str]:
        async with seat.browser.get(path, headers=headers) as answer:
            return answer.status, await answer.text()

    async def sends(self, seat: Seat, path: str, **form: str) -> tuple[int, str]:
        """Send a form; give the status, and the text of a page or where it leads."""
        data = {"csrf": seat.csrf} | form
        async with seat.browser.post(path, data=data, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location") or await answer.text()


@pytest.fixture
async def pages(lines: Lines, sqlite_db: Database) -> AsyncIterator[Pages]:
    """The early shift's test passed; the rest of the day lies ahead."""
    dials = DialStore(sqlite_db)
    told: list[RoomLeft] = []
    room = LineRoom(
        lines.desk,
        dials,
        who=PEOPLE.get,
        clock=lines.clock,
        room=lambda: next(iter(told), None),
    )
    async with stage(rooms=[room]) as it:
        await lines.goes(at(8.25))
        lines.ends()
        await lines.passes(1)
        yield Pages(lines, dials, it, told)


def left(word: str, free: int, troubles: Mapping[str, str] | None = None) -> RoomLeft:
    return RoomLeft(word=word, free={"storage": free}, troubles=troubles or {})


@pytest.mark.parametrize(
    ("room", "said"),
    [
        ([], "Recordings are not collected here"),
        ([left("ok", 52_340_000_000)], "52.3 GB"),
        ([left("low", 4_000_000_000)], "There is little room left"),
        ([left("full", 0)], "There is no room left"),
        ([left("ok", 9, {"main /<b>": "no answer"})], "<bdi>main /&lt;b&gt;</bdi>: <bdi>no answer"),
    ],
)
async def test_the_room_for_recordings_is_told_before_work_starts(
    pages: Pages, room: list[RoomLeft], said: str
) -> None:
    pages.room += room

    _, text = await pages.reads(await pages.it.enters(MAY))

    assert said in text


async def test_an_agent_sees_and_confirms_his_own_tests_and_no_others(pages: Pages) -> None:
    may, bo = await pages.it.enters(MAY), await pages.it.enters(BO)
    test = await pages.lines.early()
    assert "02161110000" in (await pages.reads(may))[1]
    assert test.id not in (await pages.reads(bo))[1]
    path, word = f"/lines/tests/{test.id}/confirm", {"quality": "good", "remark": "清楚"}

    status, text = await pages.sends(bo, path, **word)
    assert (status, "somebody else" in text) == (409, True)

    assert (303, "/lines?done=lines_confirmed") == await pages.sends(may, path, **word)

    told = await pages.lines.early()
    assert (told.confirmed_by, told.remark) == (MAY.id, "清楚")
    assert "清楚" in (await pages.reads(may, "/lines/history"))[1]
    assert test.id not in (await pages.reads(bo, "/lines/history"))[1]


@pytest.mark.parametrize(
    ("person", "path", "form", "status"),
    [
        (MAY, "/lines/run", {"line": "trunk/02161110000"}, 403),
        (MAY, "/lines/dialing", {"turn": "off", "reason": "x"}, 403),
        (MAY, "/lines/bill", {}, 403),
        (MAY, "/lines/faults/x", {"step": "fix", "note": ""}, 403),
        (OU, "/lines/faults", {"line": "phones", "began": "", "note": ""}, 403),
        (LIN, "/lines/run", {"line": "trunk/02161110000"}, 303),
        (TAM, "/lines/run", {"line": "trunk/02161110000"}, 303),
        (TAM, "/lines/run", {"line": "trunk/000"}, 409),
        (TAM, "/lines/run", {}, 409),
        (TAM, "/lines/faults/x", {"step": "fix", "note": ""}, 409),
        (TAM, "/lines/faults/x", {"step": "../x", "note": ""}, 409),
        (TAM, "/lines/dialing", {"turn": "off", "reason": ""}, 409),
        (TAM, "/lines/tests/none/confirm", {"quality": "good", "remark": ""}, 409),
        (TAM, "/lines/faults", {"line": "phones", "began": "yesterday", "note": ""}, 409),
        (TAM, "/lines/faults", {"line": "phones", "began": "", "note": "x" * 501}, 409),
        (TAM, "/lines/bill", {}, 303),
    ],
)
async def test_who_may_do_what_is_checked_and_nonsense_refused(
    pages: Pages, person: Any, path: str, form: dict[str, str], status: int
) -> None:
    seat = await pages.it.enters(person)

    found, _ = await pages.sends(seat, path, **form)

    assert status == found


async def test_without_the_forms_token_nothing_is_done(pages: Pages) -> None:
    tam = await pages.it.enters(TAM)

    status, _ = await pages.sends(tam, "/lines/dialing", csrf="", turn="off", reason="x")

    assert status == 403
    assert await pages.dials.switched() is None


async def test_a_test_at_once_is_dialled_for_who_asked(pages: Pages) -> None:
    tam = await pages.it.enters(TAM)
    await pages.sends(tam, "/lines/run", line="trunk/02161110000")

    await pages.lines.passes(1)

    assert pages.lines.wanted[-1].who == TAM.id


async def test_a_fault_goes_its_way_by_buttons(pages: Pages) -> None:
    may, tam = await pages.it.enters(MAY), await pages.it.enters(TAM)
    form = {"line": "trunk/02161110000", "began": "2026-03-02T07:50", "note": HOSTILE}
    assert (303, "/lines?done=lines_fault") == await pages.sends(may, "/lines/faults", **form)
    (fault,) = await pages.lines.store.open_faults()
    assert (fault.began_at, fault.found_by) == (at(7 + 50 / 60), MAY.id)

    for step in ("report", "repair", "fix"):
        status, _ = await pages.sends(tam, f"/lines/faults/{fault.id}", step=step, note="")
        assert status == 303

    assert (await pages.lines.store.fault(fault.id)).state is FaultState.FIXED
    _, text = await pages.reads(tam)
    assert "A test that passes confirms the repair." in text
    assert HOSTILE not in text


async def test_what_was_typed_is_kept_when_it_is_refused(pages: Pages) -> None:
    tam = await pages.it.enters(TAM)
    form = {"line": "phones", "began": "2026-03-09T07:50", "note": "all dead"}

    status, text = await pages.sends(tam, "/lines/faults", **form)

    assert status == 409
    assert 'value="all dead"' in text
    assert "within the last three days" in text


async def test_a_test_by_hand_is_kept_from_the_page(pages: Pages) -> None:
    pages.lines.agents = [on_duty(MAY.id, "middle", since=11)]
    pages.lines.refuses = "dial_number_day"
    await pages.lines.goes(at(11))
    may = await pages.it.enters(MAY)
    (test,) = [t for t in await pages.lines.store.open_tests() if t.shift == "middle"]
    assert "dialled too often" in (await pages.reads(may))[1]

    word = {"result": "passed", "quality": "good", "remark": ""}
    await pages.sends(may, f"/lines/tests/{test.id}/record", **word)

    assert (await pages.lines.store.test(test.id)).state is LineTestState.PASSED


async def test_the_switch_is_seen_by_all_and_turned_by_who_keeps_the_lines(pages: Pages) -> None:
    lin, may = await pages.it.enters(LIN), await pages.it.enters(MAY)
    await pages.sends(lin, "/lines/dialing", turn="off", reason="calls abroad")

    _, text = await pages.reads(may)

    assert "Dialling is switched off." in text
    assert "calls abroad" in text
    await pages.sends(lin, "/lines/dialing", turn="on", reason="mended")
    assert "switched off." not in (await pages.reads(may))[1]


async def test_contacts_are_one_click_away(pages: Pages) -> None:
    numbers = {"exchange_room": "02161119999", "telephone_manager": ""}
    pages.lines.house = replace(HOUSE, line_test=replace(HOUSE.line_test, contacts=numbers))
    may = await pages.it.enters(MAY)

    _, text = await pages.reads(may)

    assert '<a href="tel:02161119999">' in text
    assert "no number in the house file" in text


async def test_the_bill_is_remembered_until_it_is_ticked_off(pages: Pages) -> None:
    pages.lines.clock.at = at(9, day=21)
    lin, may = await pages.it.enters(LIN), await pages.it.enters(MAY)
    assert "Phone bill of 2026-03" in (await pages.reads(lin))[1]
    assert "Phone bill" not in (await pages.reads(may))[1]

    await pages.sends(lin, "/lines/bill")

    assert "Phone bill" not in (await pages.reads(lin))[1]


async def test_history_has_pages(pages: Pages) -> None:
    tam = await pages.it.enters(TAM)
    for _ in range(51):
        test = await pages.lines.desk.run_now("trunk/02161110000", TAM)
        await pages.lines.desk.record(test.id, TAM, passed=True, quality="good", remark="")

    _, first = await pages.reads(tam, "/lines/history")
    (more,) = re.findall(r"/lines/history\?before=\w+", first)
    _, rest = await pages.reads(tam, more)

    assert [50, 2] == [text.count("02161110000") for text in (first, rest)]
    assert "before=" not in rest


@pytest.mark.parametrize("locale", ["en", "zh-Hant", "zh-Hans"])
@pytest.mark.parametrize("path", ["/lines", "/lines/history"])
async def test_every_page_is_in_the_users_language(pages: Pages, locale: str, path: str) -> None:
    await pages.lines.store.suspect("phones", "phones", at(8), "", at(8))
    tam = await pages.it.enters(TAM)

    status, text = await pages.reads(tam, path, **{"Accept-Language": locale})

    assert status == 200
    assert f'<html lang="{locale}">' in text
    assert not re.search(r"\b(lines|line_\w+|fault_\w+)\.[a-z_]+", text)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text)
