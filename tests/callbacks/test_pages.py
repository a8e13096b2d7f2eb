"""The pages: what each sees, what each may do, in three languages, and nothing of strangers."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from cti.callbacks.routes import CallbackPages
from cti.callbacks.rules import Callback, State
from cti.db.engine import Database
from cti.people.rules import Person
from cti.web.site import Site
from tests.callbacks.conftest import BO, CHEN, LIN, MAY, OU, TAM, WANG, WU, Story, minutes
from tests.kit.web import NothingRecorded, Seat, Stage, stage

HOSTILE = "<img src=x onerror=alert(1)>\u202e{{7*7}}"
LANGUAGES = ("en", "zh-Hant", "zh-Hans")
Answer = tuple[int, str]


@dataclass
class House:
    """A house that is seen in a browser."""

    story: Story
    stage: Stage

    async def sees(self, who: Person, path: str, **headers: str) -> Answer:
        """What somebody gets."""
        seat = await self.stage.enters(who)
        async with seat.browser.get(path, headers=headers) as answer:
            return answer.status, await answer.text()

    async def does(self, who: Person, callback: Callback, deed: str, **fields: object) -> Answer:
        """Send a form, and follow where it leads."""
        seat = await self.stage.enters(who)
        return await sends(seat, f"/callbacks/{callback.id}/{deed}", **fields)


async def sends(seat: Seat, path: str, **fields: object) -> Answer:
    data = {"csrf": seat.csrf} | {key: str(said) for key, said in fields.items()}
    async with seat.browser.post(path, data=data) as answer:
        return answer.status, await answer.text()


@pytest.fixture
async def house(sqlite_db: Database) -> AsyncIterator[House]:
    """A house at ten in the morning."""
    story = Story(sqlite_db)
    await story.begins()
    site = Site(house="小南國", house_locale="zh-Hant", zone=ZoneInfo("Asia/Shanghai"))
    cast = (MAY, BO, CHEN, LIN, OU, TAM)
    async with stage(
        site=site,
        clock=story.clock,
        people=cast,
        rooms=[CallbackPages(story.desk, NothingRecorded())],
    ) as it:
        yield House(story, it)


async def test_an_agent_sees_what_is_owed_to_whom_since_when(house: House) -> None:
    it = house.story
    it.on_duty(MAY)
    await it.knows("王小明")
    await it.owes("m1", reason="abandoned_ringing", rung=[MAY])
    await it.owes("m2", WU)
    it.clock.go(minutes(5))
    it.misses("m3", reason="abandoned_ringing")
    await it.desk.look()

    status, text = await house.sees(MAY, "/callbacks")

    own, free = text.split("Free to take")
    assert 200 == status
    for said in ("王小明", "138 **** 8000", "03-02 10:30", "in 0:25", "03-02 10:05", "2 times"):
        assert said in own, said
    assert "left while it rang" in own
    assert "139 **** 9000" in free
    assert "王小明" not in free
    assert "0 more" not in text
    assert '<noscript><meta http-equiv="refresh" content="30">' in text


async def test_nothing_owed_is_said(house: House) -> None:
    for who, path, said in [
        (MAY, "/callbacks", "Nothing is waiting for you."),
        (MAY, "/callbacks", "Nothing is free."),
        (LIN, "/callbacks/all", "No callback fits these filters."),
    ]:
        assert said in (await house.sees(who, path))[1]


async def test_what_is_overdue_says_by_how_much(house: House) -> None:
    owed = await house.story.owes()
    await house.story.after(105)

    for who, path in [(MAY, "/callbacks"), (LIN, "/callbacks/all"), (MAY, page(owed))]:
        assert "overdue by 1:15" in (await house.sees(who, path))[1]


def page(callback: Callback) -> str:
    return f"/callbacks/{callback.id}"


async def test_take_call_and_close_without_a_script(house: House) -> None:
    it = house.story
    owed = await it.owes()

    status, text = await house.does(MAY, owed, "take")

    assert 200 == status
    assert "It is yours now." in text
    assert f'href="tel:{WANG}"' in text
    epoch = re.search(r'name="epoch" value="(\d+)"', text)
    assert epoch
    status, text = await house.does(
        MAY, owed, "close", epoch=epoch[1], result="settled", note="wants a table"
    )
    assert "Done. The callback is closed." in text
    found = await it.now(owed)
    assert (State.DONE, "wants a table", MAY.id) == (found.state, found.note, found.ended_by)


async def test_a_number_is_dialled_only_by_who_holds_it_and_never_in_rest(house: House) -> None:
    it = house.story
    owed = await it.owes()
    await it.after(115)
    assert "tel:" not in (await house.sees(MAY, page(owed)))[1]

    assert "tel:" in (await house.does(MAY, owed, "take"))[1]
    assert "tel:" not in (await house.sees(BO, page(owed)))[1]
    it.clock.go(minutes(6))
    text = (await house.sees(MAY, page(owed)))[1]

    assert "tel:" not in text
    assert "Customers rest now." in text


async def test_in_rest_nothing_is_offered_and_it_is_said_until_when(house: House) -> None:
    it = house.story
    owed = await it.owes()
    await it.after(125)

    text = (await house.sees(MAY, "/callbacks"))[1]
    status, refused = await house.does(MAY, owed, "take")

    assert "Nobody is called before 03-02 14:00." in text
    assert "/take" not in text
    assert (409, True) == (status, "Take it from 03-02 14:00 on." in refused)


async def test_who_is_too_late_is_told_who_was_faster(house: House) -> None:
    owed = await house.story.owes()
    await house.does(MAY, owed, "take")

    status, text = await house.does(BO, owed, "take")

    assert (409, True) == (status, "May has taken it." in text)


async def test_what_was_typed_is_kept_when_it_is_refused(house: House) -> None:
    owed = await house.story.owes()
    await house.does(MAY, owed, "take")

    status, text = await house.does(MAY, owed, "close", epoch=1, result="", note="he was angry")

    assert 409 == status
    assert "Say what came of the call." in text
    assert ">he was angry</textarea>" in text


async def test_what_was_typed_is_kept_also_when_the_claim_is_over(house: House) -> None:
    owed = await house.story.owes()
    await house.does(MAY, owed, "take")
    await house.story.after(31)

    status, text = await house.does(
        MAY, owed, "close", epoch=1, result="settled", note="he was angry"
    )

    assert (409, True) == (status, "<bdi>he was angry</bdi>" in text)


@pytest.mark.parametrize("epoch", ["", "x", "-1", "9" * 30, "1.0", "²"])
async def test_a_form_that_makes_no_sense_is_refused(house: House, epoch: str) -> None:
    owed = await house.story.owes()
    await house.does(MAY, owed, "take")

    status, text = await house.does(MAY, owed, "close", epoch=epoch, result="settled")

    assert (409, True) == (status, "You do not hold it" in text)


async def test_giving_back_and_handing_over(house: House) -> None:
    it = house.story
    owed = await it.owes()
    await house.does(MAY, owed, "take")
    await house.does(MAY, owed, "give-back", epoch=1, note="no answer")
    await house.does(MAY, owed, "take")

    status, text = await house.does(MAY, owed, "hand-over", epoch=3, to=BO.id, note="for you")

    assert (200, True) == (status, "Handed over." in text)
    own = (await house.sees(BO, "/callbacks"))[1].split("Free to take")[0]
    assert "for you" in own
    history = (await house.sees(BO, page(owed)))[1]
    for said in ("given back", "no answer", "handed over", "taken"):
        assert said in history


async def test_a_supervisor_assigns_closes_and_reopens_with_a_reason(house: House) -> None:
    it = house.story
    owed = await it.owes()

    assert "Say why." in (await house.does(LIN, owed, "assign", to=BO.id, reason=" "))[1]
    assert "Assigned." in (await house.does(LIN, owed, "assign", to=BO.id, reason="knows him"))[1]
    assert BO.id == (await it.now(owed)).owner
    assert "Closed without a call." in (await house.does(LIN, owed, "cancel", reason="fax"))[1]
    assert State.CANCELLED == (await it.now(owed)).state
    assert "Reopened." in (await house.does(LIN, owed, "reopen", reason="no fax"))[1]
    assert State.WAITING == (await it.now(owed)).state


@pytest.mark.parametrize("deed", ["assign", "cancel", "reopen"])
@pytest.mark.parametrize("who", [MAY, OU, TAM])
async def test_only_a_supervisor_decides(house: House, who: Person, deed: str) -> None:
    owed = await house.story.owes()

    assert 403 == (await house.does(who, owed, deed, to=BO.id, reason="why not"))[0]
    assert owed == await house.story.now(owed)


@pytest.mark.parametrize(
    ("who", "path", "status"),
    [
        (MAY, "/callbacks", 200),
        (MAY, "/callbacks/all", 403),
        (LIN, "/callbacks/all", 200),
        (OU, "/callbacks", 200),  # is led to all
        (OU, "/callbacks/all", 200),
        (TAM, "/callbacks", 403),
        (TAM, "/callbacks/all", 403),
        (MAY, "/callbacks/" + "0" * 26, 404),
        (LIN, "/callbacks/" + "0" * 26, 404),
        (MAY, "/callbacks/x", 404),
    ],
)
async def test_each_sees_what_is_for_him(house: House, who: Person, path: str, status: int) -> None:
    assert status == (await house.sees(who, path))[0]


async def test_an_agent_of_another_department_sees_and_does_nothing(house: House) -> None:
    it = house.story
    owed = await it.owes()
    async with it.db.write() as conn:
        await conn.exec_driver_sql("UPDATE callbacks SET department = 'Repair'")

    assert 404 == (await house.sees(CHEN, page(owed)))[0]
    assert 404 == (await house.does(CHEN, owed, "take"))[0]
    assert "138 **** 8000" not in (await house.sees(CHEN, "/callbacks"))[1]
    assert "138 **** 8000" in (await house.sees(MAY, "/callbacks"))[1]


async def test_an_auditor_sees_all_and_is_offered_nothing(house: House) -> None:
    owed = await house.story.owes()

    text = (await house.sees(OU, page(owed)))[1].split("<main")[1].split("<footer")[0]

    assert "138 **** 8000" in text
    assert "<form" not in text
    assert 403 == (await house.does(OU, owed, "take"))[0]


async def test_a_technician_has_no_way_there(house: House) -> None:
    assert "/callbacks" not in (await house.sees(TAM, "/help"))[1]
    assert "/callbacks" in (await house.sees(MAY, "/help"))[1]


async def test_without_our_token_nothing_is_done(house: House) -> None:
    owed = await house.story.owes()
    seat = await house.stage.enters(MAY)

    async with seat.browser.post(f"{page(owed)}/take", data={"csrf": "x"}) as answer:
        assert 403 == answer.status

    assert owed == await house.story.now(owed)


async def test_the_url_is_the_view(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cti.callbacks.desk.PAGE", 2)
    it = house.story
    for n in range(5):
        it.misses(f"m{n}", f"+86138001380{n:02}")
        it.clock.go(minutes(1))
    await it.desk.look()

    first = (await house.sees(LIN, "/callbacks/all?state=waiting&owner=nobody"))[1]
    following = re.search(r'href="(/callbacks/all\?[^"]+)"', first.split("</table>")[1])
    assert following
    path = following[1].replace("&amp;", "&")
    second = (await house.sees(LIN, path))[1]

    assert "state=waiting&owner=nobody&after=" in path
    assert ["138 0013 8000", "138 0013 8001"] == numbers(first)
    assert ["138 0013 8002", "138 0013 8003"] == numbers(second)
    assert '<option value="waiting" selected>' in second
    assert [] == numbers((await house.sees(LIN, "/callbacks/all?overdue=1"))[1])


def numbers(text: str) -> list[str]:
    return re.findall(r"<bdi class=.number.>(138 [0-9*]{4} \d{4})</bdi>", text)


async def test_an_agent_pages_on_through_what_is_free(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cti.callbacks.desk.PAGE", 2)
    for n in range(3):
        house.story.misses(f"m{n}", f"+86138001380{n:02}")
        house.story.clock.go(minutes(1))
    await house.story.desk.look()

    first = (await house.sees(MAY, "/callbacks"))[1]
    following = re.search(r'href="(/callbacks\?after=\w+)"', first)
    assert following

    assert ["138 **** 8002"] == numbers((await house.sees(MAY, following[1]))[1])


@pytest.mark.parametrize(
    "query", ["state=x", "owner=" + "x" * 999, "after=x", "state=&after=%01", "overdue=2", "a=%ff"]
)
async def test_an_odd_url_is_no_fault(house: House, query: str) -> None:
    for who, path in [(LIN, "/callbacks/all"), (MAY, "/callbacks")]:
        assert 200 == (await house.sees(who, f"{path}?{query}"))[0]


async def test_what_others_write_stays_text(house: House) -> None:
    it = house.story
    await it.knows(HOSTILE)
    owed = await it.owes(dialled=HOSTILE)
    await house.does(MAY, owed, "take")
    await house.does(MAY, owed, "give-back", epoch=1, note=HOSTILE)

    for who, path in [(MAY, "/callbacks"), (LIN, "/callbacks/all"), (MAY, page(owed))]:
        text = (await house.sees(who, path))[1]
        assert "<img" not in text
        assert "&lt;img" in text
        assert "{{7*7}}" in text


@pytest.mark.parametrize("locale", LANGUAGES)
async def test_every_page_speaks_the_users_language(house: House, locale: str) -> None:
    it = house.story
    owed = await it.owes("m1")
    closed = await it.owes("m2", WU)
    await it.desk.cancel(LIN, closed.id, "fax", "")
    await it.desk.take(LIN, owed.id, "")
    it.clock.go(timedelta(minutes=45))

    for path in ("/callbacks", "/callbacks/all?state=any", page(owed), page(closed)):
        text = (await house.sees(LIN, path, **{"Accept-Language": locale}))[1]
        assert f'<html lang="{locale}">' in text
        assert "{" not in text
        assert not re.search(r"\b(callbacks?|fault|done)[._][a-z_]+\b(?!\.js)", text), path
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text)
