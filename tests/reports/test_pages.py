"""The reports' pages and files: what the address asks for, the same rows in both."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from cti.calls.record import Outcome
from cti.calls.tally import Wanted
from cti.clock import SetClock
from cti.people.rules import Person
from cti.reports.routes import PAGE
from tests.kit.reports import Told, counted, missed_line, reports_of
from tests.kit.web import LIN, MAY, NOON, OU, TAM, Seat, Stage, stage


class Scene:
    """A server with reports on what is told."""

    def __init__(self, it: Stage, told: Told) -> None:
        self.it, self.told = it, told

    async def get(self, path: str, who: Person = LIN, **headers: str) -> tuple[int, str]:
        seat: Seat = await self.it.enters(who)
        async with seat.browser.get(path, headers=headers) as answer:
            return answer.status, (await answer.read()).decode("utf-8", "replace")


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    told = Told()
    async with stage(rooms=[reports_of(told, SetClock(NOON))]) as it:
        yield Scene(it, told)


@pytest.mark.parametrize("path", ["/reports/ring", "/reports/missed"])
async def test_reports_are_for_who_may_see_reports(scene: Scene, path: str) -> None:
    told = {who.name: (await scene.get(path, who))[0] for who in (LIN, OU, MAY, TAM)}

    assert {"Lin": 200, "Ou": 200, "May": 403, "Tam": 403} == told


async def test_the_ring_report_says_how_well_the_standard_is_kept(scene: Scene) -> None:
    scene.told.tallies = [counted()]

    status, text = await scene.get("/reports/ring")

    assert status == 200
    for said in ("2026-11-22", ">137<", ">128<", "93.4 %", "0:06", "Answered by"):
        assert said in text, said


async def test_the_address_says_what_is_counted(scene: Scene) -> None:
    query = "from=2026-11-01&to=2026-11-21&by=agent&agent=p-bo&where=4000"
    await scene.get(f"/reports/ring?{query}")

    wanted, parts = scene.told.asked[0]
    assert list(parts) == ["person"]
    assert wanted == Wanted(
        began=wanted.began,
        ended=wanted.ended,
        outcome=Outcome.ANSWERED,
        person="p-bo",
        where="4000",
    )
    assert wanted.began.astimezone(UTC) == datetime(2026, 10, 31, 16, tzinfo=UTC)
    assert wanted.ended.astimezone(UTC) == datetime(2026, 11, 21, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("from=2026-11-23&to=2026-11-22", "wrong way round"),
        ("from=2026-02-30", "There is no day 2026-02-30"),
        ("from=<script>", "There is no day &lt;script&gt;"),
        ("from=0001-01-01&to=0001-01-02", "There is no day 0001-01-01"),
        ("from=9999-12-31&to=9999-12-31", "There is no day 9999-12-31"),
    ],
)
@pytest.mark.parametrize("path", ["/reports/ring", "/reports/missed"])
async def test_days_that_make_no_sense_are_told_and_kept(
    scene: Scene, path: str, query: str, said: str
) -> None:
    status, text = await scene.get(f"{path}?{query}&as=csv&where=4000")

    assert status == 400
    assert said in text
    assert 'value="4000"' in text
    assert scene.told.asked == []


@pytest.mark.parametrize("before", ["0001-01-01T00:00:00%2B23:59~c", "2026-11-22~c"])
async def test_a_place_that_no_list_has_is_its_beginning(scene: Scene, before: str) -> None:
    status, _ = await scene.get(f"/reports/missed?before={before}")

    assert (200, [None]) == (status, scene.told.before)


async def test_what_nobody_knows_is_the_plain_report(scene: Scene) -> None:
    status, _ = await scene.get("/reports/ring?by=reason&before=x&as=pdf&extra=1")

    assert status == 200
    assert ["slot"] == list(scene.told.asked[0][1])


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("en", ("No call was answered in this time.", "Hour of day")),
        ("zh-Hant", ("這段時間沒有接聽的來電。", "時段")),
        ("zh-Hans", ("这段时间没有接听的来电。", "时段")),
    ],
)
async def test_an_empty_report_says_so_in_each_language(
    scene: Scene, locale: str, said: tuple[str, ...]
) -> None:
    _, text = await scene.get("/reports/ring", **{"Accept-Language": locale})

    for words in said:
        assert words in text


async def test_names_stay_text(scene: Scene) -> None:
    scene.told.tallies = [counted(person="p-bo"), counted(person=None)]

    _, text = await scene.get("/reports/ring?by=agent")

    assert "&lt;b&gt;Bo (6002)" in text
    assert "<b>Bo" not in text
    assert "phones of nobody" in text


async def test_missed_calls_are_set_against_all_that_came(scene: Scene) -> None:
    scene.told.tallies = [counted(calls=20)]

    _, text = await scene.get("/reports/missed")

    for said in (">20<", ">200<", "10.0 %", "1:01"):
        assert said in text, said


async def test_by_agent_a_missed_call_counts_for_each_who_was_rung(scene: Scene) -> None:
    scene.told.tallies = [
        counted(calls=3, at=None, person="p-bo"),
        counted(calls=1, at=None, person="p-may"),
    ]

    _, text = await scene.get("/reports/missed?by=agent&agent=p-bo")

    wanted, parts = scene.told.asked[0]
    assert (["rung"], "p-bo", None) == (list(parts), wanted.rung, wanted.person)
    assert "&lt;b&gt;Bo (6002)" in text.split("<tbody>")[1]
    assert "May" not in text.split("<tbody>")[1]


async def test_missed_calls_are_listed_page_by_page(scene: Scene) -> None:
    scene.told.tallies = [counted(calls=51)]
    scene.told.lines = [missed_line(n) for n in range(PAGE + 1)]

    _, text = await scene.get("/reports/missed?reason=rang_out&where=4000")

    assert "+886912345678" in text
    assert "2026-11-22 12:00:00" in text
    more = text.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
    assert "reason=rang_out" in more
    assert "where=4000" in more
    await scene.get(more)
    assert scene.told.before[-1] == (NOON - timedelta(minutes=49), "k49")


async def test_a_file_has_the_rows_of_the_page(scene: Scene) -> None:
    scene.told.tallies = [counted(person="p-bo", at=None)]

    seat = await scene.it.enters(LIN)
    async with seat.browser.get("/reports/ring?by=agent&as=csv") as answer:
        text = (await answer.read()).decode("utf-8-sig")
        headers = answer.headers

    assert text.splitlines() == [
        '"Agent","Answered","With ring count","Within the standard","Kept",'
        '"Ring time, average","Apologised"',
        '"<b>Bo (6002)",137,137,128,0.9343,"0:00:06",4',
    ]
    assert headers["Content-Disposition"] == (
        'attachment; filename="ring-agent-2026-11-01-2026-11-22.csv"'
    )


async def test_the_list_of_calls_is_a_file_of_its_own(scene: Scene) -> None:
    scene.told.lines = [missed_line(1, caller="=1+1", number=None), missed_line(2)]

    _, text = await scene.get("/reports/missed?as=csv&part=calls")

    assert text.split("\r\n")[1].startswith('"2026-11-22 11:59:00","\'=1+1","4000","support"')
    assert '"+886912345678"' in text.split("\r\n")[2]


async def test_a_file_can_be_xlsx_in_the_readers_language(scene: Scene) -> None:
    scene.told.tallies = [counted()]

    status, text = await scene.get("/reports/ring?as=xlsx", **{"Accept-Language": "zh-Hant"})

    assert (200, "PK") == (status, text[:2])
