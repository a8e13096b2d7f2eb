"""A call is drawn, scored, objected to and decided, by those who may; on every database."""

import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from cti.clock import SetClock
from cti.db.audit import audit
from cti.db.engine import Database
from cti.errors import Refused
from cti.house import QUALITY_ITEMS, House, QualityRules
from cti.people.rules import Person
from cti.quality import rules
from cti.quality.desk import QualityDesk
from cti.quality.record import Sample, State
from cti.quality.routes import QualityRoom
from cti.quality.store import QualityStore
from cti.web.auth import LOCALE_COOKIE
from recordings.record import Kind
from recordings.record import State as Kept
from recordings.store import RecordingStore
from tests.kit.web import BO, CAST, LIN, MAY, OU, TAM, Stage, stage
from tests.quality.test_rules import MEI
from tests.recordings.test_store import linked

MONDAY = datetime(2026, 11, 22, 17, tzinfo=UTC)  # one in the morning in Shanghai
WEEK = date(2026, 11, 16)
HOSTILE = "<img src=x onerror=alert(1)>"
ALL_YES = dict.fromkeys(QUALITY_ITEMS, "yes")


class Ward:
    """Recordings of a week, and the desk that draws from them."""

    def __init__(self, db: Database) -> None:
        self.db, self.clock = db, SetClock(MONDAY)
        self.recordings, self.store = RecordingStore(db), QualityStore(db)
        self.rules = QualityRules(sample=2)
        self.desk = QualityDesk(
            self.store,
            self.recordings.sampled_from,
            house=lambda: House(quality=self.rules, version="v7"),
            clock=self.clock,
        )

    async def records(self, n: int, person: str | None = MAY.id, **known: Any) -> str:
        """Record a call of the week."""
        began = datetime(2026, 11, 18, 1, n, tzinfo=UTC)
        one = linked(
            **{
                "id": f"{int(began.timestamp() * 1000):012x}{str(person)[-3:]}{n:011}",
                "source": f"/{person}-{n}.wav",
                "call": f"call-{person}-{n}",
                "person": person,
                "began": began,
                "ended": began + timedelta(minutes=1),
                "seen_at": began,
            }
            | known
        )
        await self.recordings.keep([one])
        return one.id

    async def drawn(self) -> list[Sample]:
        """Draw, and give all that waits."""
        await self.desk.draw()
        return await self.store.some((State.WAITING,))

    async def one(self) -> Sample:
        """Give a sample of May's."""
        await self.records(1)
        (found,) = await self.drawn()
        return found

    async def scored(self) -> Sample:
        """Give one that Lin scored with 100."""
        one = await self.one()
        return await self.desk.score(one.id, one.version, ALL_YES, "good", by=LIN)

    async def audits(self) -> list[tuple[str, str]]:
        async with self.db.read() as conn:
            rows = await conn.execute(select(audit).order_by(audit.c.seq))
            return [(row.what, row.who) for row in rows]


@pytest.fixture
def ward(db: Database) -> Ward:
    """A ward on each database."""
    return Ward(db)


# -- drawing


async def test_each_agent_has_so_many_drawn_of_a_week(ward: Ward) -> None:
    for n in range(5):
        await ward.records(n)
    await ward.records(1, person=BO.id)

    found = await ward.drawn()

    assert {MAY.id: 2, BO.id: 1} == {
        who: sum(one.person == who for one in found) for who in (MAY.id, BO.id)
    }
    assert {WEEK} == {one.week for one in found}


async def test_a_draw_can_be_drawn_again_by_its_seed(ward: Ward) -> None:
    ids = {await ward.records(n) for n in range(9)}

    one, *_ = await ward.drawn()

    draw = await ward.store.draw_of(one)
    assert draw is not None
    assert ids == set(draw.pool)
    assert draw.drawn == rules.drawn(draw.pool, 2, draw.seed)
    assert [("quality_drawn", "cti")] == await ward.audits()


async def test_a_week_is_drawn_once_whatever_comes_later(ward: Ward) -> None:
    await ward.records(1)
    first = await ward.drawn()

    await ward.records(2)

    assert first == await ward.drawn()


@pytest.mark.parametrize(
    "known",
    [
        {"duration_ms": 29_999},
        {"person": None},
        {"kind": Kind.VOICEMAIL},
        {"state": Kept.DAMAGED},
        {"gone_at": MONDAY},
        {"began": datetime(2026, 11, 22, 16, tzinfo=UTC)},
    ],
)
async def test_what_cannot_be_scored_is_not_drawn(ward: Ward, known: dict[str, Any]) -> None:
    await ward.records(1, **known)

    assert [] == await ward.drawn()


async def test_a_house_that_draws_none_has_none(ward: Ward) -> None:
    ward.rules = QualityRules(sample=0)
    await ward.records(1)

    assert [] == await ward.drawn()


# -- scoring


async def test_a_score_keeps_the_form_by_which_it_was_made(ward: Ward) -> None:
    one = await ward.one()

    told = await ward.desk.score(one.id, 1, ALL_YES | {"tone": "no"}, "too fast", by=LIN)
    ward.rules = QualityRules(items={})

    assert told == await ward.store.get(one.id)
    assert (Decimal("85.0"), 9, "too fast", LIN.id, 2) == (
        told.points,
        len(told.answers),
        told.comment,
        told.scored_by,
        told.version,
    )
    assert ("quality_scored", LIN.id) == (await ward.audits())[-1]


async def test_two_who_score_at_once_make_one_score(ward: Ward) -> None:
    one = await ward.one()
    await ward.desk.score(one.id, 1, ALL_YES, "", by=LIN)

    with pytest.raises(Refused) as refused:
        await ward.desk.score(one.id, 1, ALL_YES | {"tone": "no"}, "", by=MEI)

    assert "sample_changed" == refused.value.code
    assert Decimal("100.0") == (await ward.store.get(one.id)).points


async def test_an_objection_holds_the_recording_until_somebody_else_decides(ward: Ward) -> None:
    one = await ward.scored()
    assert one.call

    objected = await ward.desk.object(one.id, one.version, "she asked me to hurry", by=MAY)
    held = await ward.store.objected([one.call])
    told = await ward.desk.decide(
        one.id, objected.version, ALL_YES | {"tone": "none"}, "heard again", by=MEI
    )

    assert {one.call: one.id} == held
    assert {} == await ward.store.objected([one.call])
    assert (State.DECIDED, "upheld", Decimal("100.0")) == (told.state, told.verdict, told.points)
    assert ["quality_drawn", "quality_scored", "quality_objected", "quality_decided"] == [
        what for what, _ in await ward.audits()
    ]


# -- the pages


class Hall:
    """The ward, served."""

    def __init__(self, ward: Ward, it: Stage) -> None:
        self.ward, self.it = ward, it

    async def asks(self, who: Person, path: str, **form: str) -> tuple[int, str]:
        seat = await self.it.enters(who)
        data = {"csrf": seat.csrf} | form if form else None
        async with seat.browser.request(
            "POST" if form else "GET", path, data=data, allow_redirects=False
        ) as answer:
            return answer.status, await answer.text()

    async def scores(self, who: Person, sample: Sample, **more: str) -> tuple[int, str]:
        form = {f"item-{item}": mark for item, mark in ALL_YES.items()}
        given = {"do": "score", "version": str(sample.version), "text": ""} | form | more
        return await self.asks(who, f"/quality/{sample.id}", **given)


class NoPlayers:
    """Nobody hears anything here."""

    async def __call__(
        self, _calls: Collection[str], _person: Person, _address: str
    ) -> Sequence[Mapping[str, Any]]:
        return []

    async def known(self, _calls: Collection[str], _person: Person) -> Collection[str]:
        return ()


@pytest.fixture
async def hall(sqlite_db: Database) -> AsyncIterator[Hall]:
    """The ward, served; a comment stands beside each recording."""

    async def comments(_recording: str) -> list[tuple[str, str, str]]:
        return [("0:05", LIN.id, HOSTILE)]

    made = Ward(sqlite_db)
    room = QualityRoom(
        made.desk,
        NoPlayers(),
        comments,
        who={one.id: one.name for one in (*CAST, MEI)}.__getitem__,
        house=House,
        clock=made.clock,
    )
    async with stage(rooms=[room], people=(*CAST, MEI), clock=made.clock) as it:
        yield Hall(made, it)


async def test_empty_lists_say_so(hall: Hall) -> None:
    assert "Nothing waits to be scored." in (await hall.asks(LIN, "/quality"))[1]
    assert "None of your calls is scored yet." in (await hall.asks(MAY, "/mine/quality"))[1]


async def test_a_score_goes_its_way_over_the_pages(hall: Hall) -> None:
    one = await hall.ward.one()
    own = f"/mine/quality/{one.id}"
    assert "2026-11-16" in (await hall.asks(LIN, "/quality"))[1]
    assert (404, 403) == ((await hall.asks(MAY, own))[0], (await hall.scores(MAY, one))[0])

    assert 303 == (await hall.scores(LIN, one, text=HOSTILE))[0]
    _, mine = await hall.asks(MAY, own)
    assert "<strong>100.0</strong>" in mine
    assert "&lt;img src=x" in mine
    assert HOSTILE not in mine

    assert 303 == (await hall.asks(MAY, own, version="2", text="no"))[0]
    objected = await hall.ward.store.get(one.id)
    assert 409 == (await hall.scores(LIN, objected, do="decide", text="mine"))[0]
    changed = {"do": "decide", "text": "heard again", "item-tone": "no"}
    assert 303 == (await hall.scores(MEI, objected, **changed))[0]

    _, mine = await hall.asks(MAY, own)
    assert "<strong>85.0</strong>" in mine
    assert "before: 100.0" in mine
    assert "The score was changed." in mine
    assert "heard again" in mine


async def test_what_was_typed_stands_there_when_it_is_refused(hall: Hall) -> None:
    one = await hall.ward.one()

    status, page = await hall.scores(LIN, one, text="fine", **{"item-tone": ""})

    assert 409 == status
    assert "Answer every question." in page
    assert ">fine</textarea>" in page
    assert 8 == len(re.findall(r'value="yes" required checked', page))


@pytest.mark.parametrize(
    ("who", "some", "one", "mine"),
    [(LIN, 200, 200, 404), (OU, 200, 200, 403), (BO, 403, 403, 404), (TAM, 403, 403, 403)],
)
async def test_rights_say_who_sees_what(
    hall: Hall, who: Person, some: int, one: int, mine: int
) -> None:
    scored = await hall.ward.scored()

    paths = ("/quality", f"/quality/{scored.id}", f"/mine/quality/{scored.id}")

    assert [some, one, mine] == [(await hall.asks(who, path))[0] for path in paths]


async def test_who_may_not_object_any_more_is_told(hall: Hall) -> None:
    scored = await hall.ward.scored()
    hall.ward.clock.go(timedelta(days=8))

    status, page = await hall.asks(MAY, f"/mine/quality/{scored.id}", version="2", text="late")

    assert (409, True) == (status, "may no longer be objected to" in page)


@pytest.mark.parametrize(
    ("locale", "said"),
    [("en", "Greets"), ("zh-Hant", "問候並報上姓名"), ("zh-Hans", "问候并报上姓名")],
)
async def test_the_form_is_asked_in_each_language(hall: Hall, locale: str, said: str) -> None:
    one = await hall.ward.one()
    seat = await hall.it.enters(LIN)

    async with seat.browser.get(f"/quality/{one.id}", cookies={LOCALE_COOKIE: locale}) as answer:
        assert said in await answer.text()
