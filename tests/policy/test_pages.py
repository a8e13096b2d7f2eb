"""The page of the rules: everybody reads them, a manager loads them, a wrong file is told."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest

from cti import house_file
from cti.clock import SetClock
from cti.db.engine import Database
from cti.house import House
from cti.people.rules import Person, Role
from cti.policy.desk import PolicyDesk
from cti.policy.routes import PolicyRoom
from cti.policy.store import PolicyStore
from tests.kit.web import BO, LIN, MAY, OU, TAM, Seat, Stage, stage

NOON = datetime(2025, 3, 7, 4, tzinfo=UTC)
KIM = Person(id="p-kim", number="5002", name="Kim <3", role=Role.MANAGER)
TEXT = """\
effective_from = {day}
[house]
id = "may"
timezone = "Asia/Taipei"
jurisdiction = "TW"
[inbound]
departments = {{ "4000" = "客<b>" }}
[ring]
max_rings = {rings}
"""


class Hall:
    """A server with the page, and its house file."""

    def __init__(self, it: Stage, desk: PolicyDesk, path: Path, clock: SetClock) -> None:
        self.it, self.desk, self.path, self.clock = it, desk, path, clock

    def writes(self, rings: int, day: str = "2025-01-01") -> None:
        """Let somebody write the house file."""
        self.path.write_text(TEXT.format(rings=rings, day=day))

    async def shows(
        self, person: Person, page: str = "/house", locale: str = "en"
    ) -> tuple[int, str]:
        """Open a page; give its status and text."""
        seat = await self.it.enters(person)
        headers = {"Cookie": f"cti={seat.token}; cti-locale={locale}"}
        async with seat.browser.get(page, headers=headers) as answer:
            return answer.status, unescape(await answer.text())

    async def loads(self, person: Person) -> tuple[int, str]:
        """Press the button; give status and text of where one arrives."""
        seat = await self.it.enters(person)
        return await press(seat)


async def press(seat: Seat, **words: str) -> tuple[int, str]:
    """Press the button that loads the rules."""
    form = {"csrf": seat.csrf, **words}
    async with seat.browser.post("/house/reload", data=form) as answer:
        return answer.status, unescape(await answer.text())


@pytest.fixture
async def hall(sqlite_db: Database, tmp_path: Path) -> AsyncIterator[Hall]:
    """A house in Taipei, whose manager is Kim."""
    path, clock = tmp_path / "may.toml", SetClock(NOON)
    path.write_text(TEXT.format(rings=3, day="2025-01-01"))
    source = house_file.load(path)
    house = house_file.understood(source, str(path), NOON)
    desk = PolicyDesk(PolicyStore(sqlite_db), clock, path, house, lambda _house: None)
    await desk.begin(source)
    room = PolicyRoom(desk, clock, {"p-kim": KIM.name}.__getitem__)
    people = (MAY, BO, LIN, TAM, OU, KIM)
    async with stage(people=people, rooms=[room], clock=clock) as it:
        yield Hall(it, desk, path, clock)


@pytest.mark.parametrize("person", [MAY, LIN, OU, KIM], ids=lambda person: person.name)
async def test_everybody_of_the_house_reads_the_rules(hall: Hall, person: Person) -> None:
    status, text = await hall.shows(person)

    assert status == 200
    assert "A call is answered in time within 3 rings." in text
    assert f"<code>{hall.desk.house.version[:12]}</code>" in text
    assert "fines in money where the law forbids them (TW)" in text


async def test_the_technician_does_not(hall: Hall) -> None:
    assert (await hall.shows(TAM))[0] == 403


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("zh-Hant", "電話須在響鈴 3 聲以內接聽；一聲為 3 秒。"),
        ("zh-Hans", "电话须在响铃 3 声以内接听；一声为 3 秒。"),
    ],
)
async def test_they_are_told_in_chinese_too(hall: Hall, locale: str, expected: str) -> None:
    assert expected in (await hall.shows(MAY, locale=locale))[1]


@pytest.mark.parametrize("person", [MAY, LIN, OU], ids=lambda person: person.name)
async def test_who_is_no_manager_neither_sees_the_button_nor_may_press_it(
    hall: Hall, person: Person
) -> None:
    hall.writes(4)

    assert "/house/reload" not in (await hall.shows(person))[1]
    assert (await hall.loads(person))[0] == 403
    assert hall.desk.house.ring.standard == 3


async def test_a_forged_press_of_the_button_is_turned_away(hall: Hall) -> None:
    seat = await hall.it.enters(KIM)
    hall.writes(4)

    assert (await press(seat, csrf="x"))[0] == 403
    assert hall.desk.house.ring.standard == 3


async def test_a_manager_loads_the_file_and_everybody_reads_the_new_rules(hall: Hall) -> None:
    hall.writes(4)

    status, text = await hall.loads(KIM)

    assert status == 200
    assert "The rules were loaded and are in force." in text
    assert "within 4 rings" in (await hall.shows(MAY))[1]
    assert re.findall(r"<td[^>]*>(in force|former|waits)</td>", text) == ["in force", "former"]


async def test_a_wrong_file_is_refused_with_everything_that_is_wrong(hall: Hall) -> None:
    hall.path.write_text(hall.path.read_text().replace("max_rings = 3", "max_ring = 3\nclock = 1"))

    status, text = await hall.loads(KIM)

    assert status == 409
    assert "2 things in it are wrong. The former rules stay in force." in text
    assert "<code>ring.max_ring</code>" in text
    assert "no such key; did you mean max_rings?" in text
    assert "must be one of agent_ring, customer_wait, not 1" in text
    assert "within 3 rings" in text


async def test_the_same_file_again_is_told(hall: Hall) -> None:
    status, text = await hall.loads(KIM)

    assert status == 409
    assert "nothing has changed" in text


async def test_a_file_of_a_later_day_is_shown_as_waiting(hall: Hall) -> None:
    hall.writes(4, day="2025-03-09")

    _status, text = await hall.loads(KIM)

    assert "They wait for their day." in text
    assert "takes over on 2025-03-09" in text
    assert "within 3 rings" in text
    assert re.findall(r"<td[^>]*>(in force|former|waits)</td>", text) == ["waits", "in force"]


async def test_a_former_version_is_told_in_words_and_as_it_was_written(hall: Hall) -> None:
    former = hall.desk.house.version
    hall.writes(4)
    await hall.loads(KIM)

    status, text = await hall.shows(MAY, f"/house/{former}")

    assert status == 200
    assert "within 3 rings" in text
    assert "max_rings = 3" in text
    assert (await hall.shows(MAY, f"/house/{'0' * 64}"))[0] == 404


async def test_names_are_shown_as_they_are(hall: Hall) -> None:
    hall.writes(4)
    await hall.loads(KIM)
    seat = await hall.it.enters(MAY)

    async with seat.browser.get("/house") as answer:
        text = await answer.text()

    assert "<bdi>客&lt;b&gt;</bdi>" in text
    assert "<bdi>Kim &lt;3</bdi>" in text
    assert "style=" not in text
    assert "<script>" not in text


async def test_without_a_house_file_the_defaults_are_told(sqlite_db: Database) -> None:
    clock = SetClock(NOON)
    desk = PolicyDesk(PolicyStore(sqlite_db), clock, None, House(), lambda _house: None)
    await desk.begin(None)
    async with stage(people=(KIM,), rooms=[PolicyRoom(desk, clock, str)], clock=clock) as it:
        seat = await it.enters(KIM)
        async with seat.browser.get("/house") as answer:
            text = await answer.text()
        refused, _text = await press(seat)

    assert "the defaults of the program count" in text
    assert "/house/reload" not in text
    assert refused == 409
