"""Who looks after the team's work sees what is missing, and what belongs to nothing."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from cti.db.engine import Database
from cti.web.auth import LOCALE_COOKIE
from recordings.lists import PER_PAGE, ListRoom
from recordings.record import Recording, State
from recordings.rules import Room
from recordings.store import RecordingStore
from tests.kit.web import LIN, MAY, OU, TAM, Stage, stage
from tests.recordings.conftest import Plant
from tests.recordings.test_store import NOON, recording

HOSTILE = "<img src=x onerror=alert(1)>"


def missing(minute: int = 0, **known: object) -> Recording:
    """Make the row of a call without a recording."""
    facts = {"state": State.MISSING, "call": f"call-{minute}", "source": "", "place": ""}
    return recording(minute, **(facts | {"fault": "none_named", "person": "p-may"} | known))


@pytest.fixture
async def it(plant: Plant) -> AsyncIterator[Stage]:
    """The lists of a plant, served."""
    room = ListRoom(plant.store, collector=plant.collector, who=lambda who: f"name of {who}")
    async with stage(rooms=[room]) as made:
        yield made


async def page(it: Stage, path: str, who: object = LIN, **how: object) -> tuple[int, str]:
    """Read a page as somebody."""
    seat = await it.enters(who)  # type: ignore[arg-type]
    async with seat.browser.get(path, **how) as answer:  # type: ignore[arg-type]
        return answer.status, await answer.text()


async def keep(plant: Plant, some: Sequence[Recording]) -> None:
    """Put recordings where a collector would put them."""
    await plant.store.keep(some)


async def test_a_missing_recording_is_told_with_whose_it_is_and_why(
    plant: Plant, it: Stage
) -> None:
    await keep(plant, [missing()])

    status, text = await page(it, "/recordings/missing")

    assert 200 == status
    assert "name of p-may" in text
    assert "The PBX recorded nothing." in text
    assert "/recordings?call=call-0" in text


async def test_an_orphan_is_told_with_its_file_and_may_be_heard(plant: Plant, it: Stage) -> None:
    source = "/monitor/q-4000-138-20261127-120000-secret-1795322718.42.wav"
    one = recording(state=State.ORPHAN, source=source)
    await keep(plant, [one])

    _, text = await page(it, "/recordings/orphans")

    assert f'href="/recordings/{one.id}"' in text
    assert "q-4000-138-20261127-120000-…1795322718.42.wav" in text
    assert "secret" not in text
    assert "/monitor" not in text


async def test_a_hostile_name_is_shown_and_does_nothing(plant: Plant, it: Stage) -> None:
    await keep(plant, [recording(state=State.ORPHAN, source=f"/monitor/{HOSTILE}.wav")])

    _, text = await page(it, "/recordings/orphans")

    assert HOSTILE not in text
    assert "&lt;img src=x" in text


@pytest.mark.parametrize("which", ["missing", "orphans"])
async def test_an_empty_list_says_that_all_is_well(it: Stage, which: str) -> None:
    said = {"missing": "No recording is missing.", "orphans": "Every recording belongs to a call."}

    status, text = await page(it, f"/recordings/{which}")

    assert (200, True) == (status, said[which] in text)
    assert "<table" not in text


@pytest.mark.parametrize("which", ["missing", "orphans"])
async def test_a_long_list_is_read_page_by_page(plant: Plant, it: Stage, which: str) -> None:
    make = missing if which == "missing" else lambda n: recording(n, state=State.ORPHAN)
    await keep(plant, [make(n) for n in range(PER_PAGE * 2 + 1)])

    rows, path = [], f"/recordings/{which}"
    while path:
        _, text = await page(it, path)
        rows.append(text.count("<tr>") - 1)
        older = re.search(rf'href="(/recordings/{which}\?before=[0-9a-f]+)"', text)
        path = older[1] if older else ""

    assert [PER_PAGE, PER_PAGE, 1] == rows


@pytest.mark.parametrize("which", ["missing", "orphans"])
@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("en", ("Missing recordings", "Recordings without a call")),
        ("zh-Hant", ("缺少的錄音", "找不到通話的錄音")),
        ("zh-Hans", ("缺少的录音", "找不到通话的录音")),
    ],
)
async def test_each_list_is_told_in_each_language(
    plant: Plant, it: Stage, which: str, locale: str, said: tuple[str, str]
) -> None:
    await keep(plant, [missing(), recording(1, state=State.ORPHAN)])

    _, text = await page(it, f"/recordings/{which}", cookies={LOCALE_COOKIE: locale})

    assert said[which == "orphans"] in text


async def test_only_who_looks_after_the_work_sees_them(it: Stage) -> None:
    seen = [(await page(it, "/recordings/missing", who))[0] for who in (LIN, OU, MAY, TAM)]

    assert [200, 200, 403, 403] == seen


async def test_what_hinders_collecting_and_little_room_are_told(plant: Plant, it: Stage) -> None:
    plant.collector.figures.room = Room.LOW
    plant.collector.figures.free = {"storage": 4_200_000_000}
    plant.collector.figures.troubles = {"main /monitor": "No such file or directory"}

    _, text = await page(it, "/recordings/missing")

    assert "There is little room left for recordings." in text
    assert "4.2 GB" in text
    assert "No such file or directory" in text


async def test_where_nothing_is_collected_the_page_says_so(sqlite_db: Database) -> None:
    room = ListRoom(RecordingStore(sqlite_db), collector=None, who=str)
    async with stage(rooms=[room]) as it:
        _, text = await page(it, "/recordings/missing")

    assert "No recordings are collected" in text


async def test_a_call_with_a_damaged_file_is_missing_its_recording(plant: Plant, it: Stage) -> None:
    damaged = recording(state=State.DAMAGED, call="call-1", fault="audio_broken")
    await keep(plant, [replace(damaged, seen_at=NOON + timedelta(seconds=1))])

    _, text = await page(it, "/recordings/missing")

    assert "The file is damaged." in text
