"""A recording is paused by whoever may, and goes on in time: whatever dies, whoever leaves."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from cti.calls.desk import Update
from cti.calls.record import CallRecord
from cti.calls.store import CallStore
from cti.clock import SetClock
from cti.db.audit import audit
from cti.db.engine import Database
from cti.errors import ActionUnknown, PbxUnavailable, Refused
from cti.house import RecordingRules
from cti.pbx.actions import Action
from cti.pbx.frames import Frame
from cti.pbx.session import Answer
from cti.people.rules import Person
from recordings.control import Control
from recordings.record import Pause, Told, Why
from recordings.store import RecordingStore
from tests.calls.test_store import answered, batch, keep
from tests.kit.desk import NOON, Room, over, talking, update
from tests.kit.exchange import BO, LIN, MAY

TRUNK = "PJSIP/trunk-00000001"
PEOPLE = {one.id: one for one in (MAY, BO, LIN)}
ALL = RecordingRules(pause_by=("agent", "supervisor"))


class FakePbx:
    """Mutes what is asked, or says why not."""

    def __init__(self) -> None:
        self.mute: set[str] = set()
        self.keys: list[tuple[str, str]] = []
        self.answers: list[Exception | str] = []
        """What befalls the next actions, each once; then all goes well."""

    async def act(self, action: Action, within: timedelta) -> Answer:
        befalls = self.answers.pop(0) if self.answers else ""
        if isinstance(befalls, Exception):
            raise befalls
        if befalls:
            return Answer(ok=False, message=befalls, headers=Frame(b"Response: Error"))
        channel = str(action["Channel"])
        if action["Action"] == "PlayDTMF":
            self.keys.append((channel, str(action["Digit"])))
        else:
            (self.mute.add if action["State"] == "1" else self.mute.discard)(channel)
        return Answer(ok=True, message="", headers=Frame(b"Response: Success"))


class Desk:
    """Wang talks to May and is recorded; `restarts` gives a new control on the same database."""

    def __init__(self, db: Database) -> None:
        self.db, self.room, self.pbx = db, Room(), FakePbx()
        self.store, self.rules, self.updates = RecordingStore(db), ALL, 0
        self.restarts()

    @property
    def clock(self) -> SetClock:
        return self.room.clock

    def restarts(self) -> None:
        self.control = Control(
            self.store,
            desk=self.room.desk,
            calls=CallStore(self.db),
            exchanges={"main": self.pbx},
            people=PEOPLE.get,
            house=lambda: self.rules,
            clock=self.clock,
        )
        self.room.desk.recording = self.control.line

    async def talks(self, *recorders: str, **facts: Any) -> CallRecord:
        record = replace(talking(), pbx="main", recorders=recorders, **facts)
        await self.shows(update(record))
        return record

    async def is_over(self) -> None:
        await self.shows(update(replace(over(), pbx="main")))

    async def shows(self, one: Update) -> None:
        self.updates += 1
        one.n = self.updates
        await self.room.shows(one)

    async def does(self, deed: str, who: Person = MAY) -> None:
        await self.control.do(deed, "k1", who, "192.0.2.7")

    async def passes(self, seconds: float) -> None:
        self.clock.go(timedelta(seconds=seconds))
        await self.control.look()

    async def pauses(self) -> list[Pause]:
        return await self.store.pauses_of("k1")

    async def noted(self) -> list[tuple[str, str, str]]:
        async with self.db.read() as conn:
            rows = await conn.execute(select(audit).order_by(audit.c.seq))
            return [(row.what, row.who, row.reason) for row in rows]

    def line(self, who: Person | None = MAY) -> dict[str, Any]:
        record = self.room.desk.record("k1")
        assert record is not None
        found = self.control.line(record, who.id if who else None)
        assert found is not None
        return found


@pytest.fixture
def desk(sqlite_db: Database) -> Iterator[Desk]:
    """A house that lets agents and supervisors pause."""
    with capture_logs():
        yield Desk(sqlite_db)


async def refusal(desk: Desk, deed: str, who: Person = MAY) -> str:
    with pytest.raises(Refused) as told:
        await desk.does(deed, who)
    return told.value.code


class TestPausing:
    """What one may do, and what is kept of it."""

    async def test_who_talks_pauses_and_goes_on_and_both_are_kept(self, desk: Desk) -> None:
        await desk.talks(TRUNK)

        await desk.does("pause")
        paused, muted = desk.line(), set(desk.pbx.mute)
        desk.clock.go(timedelta(seconds=20))
        await desk.does("resume")

        [pause] = await desk.pauses()
        assert ({TRUNK}, set()) == (muted, desk.pbx.mute)
        assert (NOON, NOON + timedelta(seconds=20), MAY.id) == (
            pause.began, pause.ended, pause.person,
        )  # fmt: skip
        assert ("paused", "2026-03-02T04:05:00.000Z", ["resume", "refuse"]) == (
            paused["state"], paused["until"], paused["may"],
        )  # fmt: skip
        assert ("on", ["pause", "refuse"]) == (desk.line()["state"], desk.line()["may"])
        assert [("recording_paused", MAY.id, ""), ("recording_resumed", MAY.id, "")] == (
            await desk.noted()
        )

    async def test_twice_is_once(self, desk: Desk) -> None:
        await desk.talks(TRUNK)

        for deed in ("pause", "pause", "resume", "resume"):
            await desk.does(deed)

        assert 1 == len(await desk.pauses())
        assert 2 == len(await desk.noted())

    async def test_the_screens_of_a_call_are_told(self, desk: Desk) -> None:
        await desk.talks(TRUNK)

        await desk.does("pause")

        assert ([MAY.id], "k1") == desk.room.stores.told[-1]
        [card] = desk.room.desk.cards(MAY.id)
        assert "paused" == card["recording"]["state"]

    async def test_a_colleague_who_is_not_in_the_call_may_not(self, desk: Desk) -> None:
        await desk.talks(TRUNK)

        assert "no_such_call" == await refusal(desk, "pause", BO)

    async def test_a_supervisor_may_where_the_house_says_so(self, desk: Desk) -> None:
        await desk.talks(TRUNK)
        await desk.does("pause", LIN)
        assert ("paused", "Lin") == (desk.line(None)["state"], desk.line(None)["by"])

        desk.rules = replace(ALL, pause_by=("agent",))

        assert "control_right" == await refusal(desk, "resume", LIN)

    async def test_a_house_that_says_nothing_lets_nobody_pause(self, desk: Desk) -> None:
        desk.rules = RecordingRules(announce=False)
        await desk.talks(TRUNK)

        assert "control_right" == await refusal(desk, "pause")
        assert [] == desk.line()["may"]

    async def test_what_is_not_recorded_is_not_paused(self, desk: Desk) -> None:
        await desk.talks()

        assert "call_not_recorded" == await refusal(desk, "pause")
        assert [] == await desk.pauses()

    async def test_a_call_that_is_over_is_left_alone(self, desk: Desk) -> None:
        await desk.talks(TRUNK)
        await desk.is_over()

        assert "no_such_call" == await refusal(desk, "pause")

    @pytest.mark.parametrize(
        ("befalls", "code"),
        [
            (["No such channel"], "control_failed"),
            ([PbxUnavailable("down")], "control_away"),
            ([ActionUnknown("no answer"), ActionUnknown("no answer")], "control_unsure"),
        ],
    )
    async def test_a_pause_that_the_pbx_did_not_make_is_none(
        self, desk: Desk, befalls: list[Exception | str], code: str
    ) -> None:
        await desk.talks(TRUNK)
        desk.pbx.answers = befalls

        told = await refusal(desk, "pause")

        [pause] = await desk.pauses()
        assert (code, "on") == (told, desk.line()["state"])
        assert pause.ended == pause.began
        assert ("recording_pause_failed", "cti", "") == (await desk.noted())[-1]

    async def test_an_answer_that_was_lost_once_is_asked_for_again(self, desk: Desk) -> None:
        await desk.talks(TRUNK)
        desk.pbx.answers = [ActionUnknown("no answer")]

        await desk.does("pause")

        assert {TRUNK} == desk.pbx.mute

    async def test_a_pause_goes_on_while_the_pbx_does_not_let_go(self, desk: Desk) -> None:
        await desk.talks(TRUNK)
        await desk.does("pause")
        desk.pbx.answers = [PbxUnavailable("down")]

        assert "control_away" == await refusal(desk, "resume")

        assert "paused" == desk.line()["state"]


class TestByItself:
    """What ends a pause that nobody ends."""

    async def test_its_time_is_over(self, desk: Desk) -> None:
        await desk.talks(TRUNK)
        await desk.does("pause")

        await desk.passes(299)
        before = set(desk.pbx.mute)
        await desk.passes(1)

        assert ({TRUNK}, set()) == (before, desk.pbx.mute)
        assert ("recording_resumed", "cti", "longest") == (await desk.noted())[-1]

    async def test_the_call_is_over(self, desk: Desk) -> None:
        await desk.talks(TRUNK)
        await desk.does("pause")
        await desk.is_over()

        await desk.passes(30)

        [pause] = await desk.pauses()
        assert pause.ended is not None
        assert pause.ended <= NOON + timedelta(seconds=30)
        assert {TRUNK} == desk.pbx.mute  # a channel that is gone is asked for nothing
        assert ("recording_resumed", "cti", "call_over") == (await desk.noted())[-1]

    async def test_who_asked_has_left_the_call(self, desk: Desk) -> None:
        record = await desk.talks(TRUNK)
        await desk.does("pause")
        sent_on = update(replace(record, recorders=(TRUNK,)))
        sent_on.cards = {
            MAY.id: replace(sent_on.cards[MAY.id], state="ended", outcome="transferred")
        }
        await desk.shows(sent_on)

        await desk.passes(1)

        assert set() == desk.pbx.mute
        assert ("recording_resumed", "cti", "left") == (await desk.noted())[-1]

    async def test_what_begins_to_be_recorded_meanwhile_is_muted_too(self, desk: Desk) -> None:
        await desk.talks(TRUNK)
        await desk.does("pause")
        await desk.talks(TRUNK, "PJSIP/6001-00000002")

        await desk.passes(1)

        assert {TRUNK, "PJSIP/6001-00000002"} == desk.pbx.mute

    async def test_a_new_process_goes_on_with_it_and_ends_it_in_time(self, desk: Desk) -> None:
        await desk.talks(TRUNK)
        await desk.does("pause")

        desk.restarts()
        await desk.control.begin()
        await desk.passes(10)
        still = desk.line()["state"]
        await desk.passes(290)

        assert ("paused", set()) == (still, desk.pbx.mute)

    async def test_a_new_process_ends_what_ended_while_there_was_none(self, desk: Desk) -> None:
        record = answered("k1", ended_at=NOON + timedelta(seconds=9))
        await keep(desk.db, batch(record))
        await desk.store.begin_pause(
            Pause(id="p", call="k1", recording=None, began=NOON, ended=None, person=MAY.id)
        )
        desk.restarts()
        await desk.control.begin()

        await desk.passes(60)

        [pause] = await desk.pauses()
        assert NOON + timedelta(seconds=9) == pause.ended


class TestConsent:
    """Whether the customer was told, and whether he wants it."""

    async def test_who_refuses_is_not_recorded_till_the_end_and_it_is_noted(
        self, desk: Desk
    ) -> None:
        await desk.talks(TRUNK)

        await desk.does("refuse")
        await desk.passes(4000)

        consent = (await desk.store.consents_of(["k1"]))["k1"]
        assert (Told.NO, NOON, MAY.id) == (consent.told, consent.refused_at, consent.refused_by)
        assert ({TRUNK}, "refused") == (desk.pbx.mute, desk.line()["why"])
        assert ["agree"] == desk.line()["may"]
        assert ["recording_refused", "recording_paused"] == [one[0] for one in await desk.noted()]

    async def test_who_agrees_after_all_is_recorded_again(self, desk: Desk) -> None:
        await desk.talks(TRUNK)
        await desk.does("refuse")

        await desk.does("agree")

        consent = (await desk.store.consents_of(["k1"]))["k1"]
        assert (set(), None) == (desk.pbx.mute, consent.refused_at)
        assert "recording_agreed" == (await desk.noted())[-1][0]

    async def test_one_pause_that_ends_does_not_end_the_other(self, desk: Desk) -> None:
        await desk.talks(TRUNK)
        for deed in ("pause", "refuse", "resume"):
            await desk.does(deed)

        assert {TRUNK} == desk.pbx.mute
        assert [Why.REFUSED] == [one.why for one in await desk.pauses() if one.ended is None]

    async def test_a_line_that_announces_is_known_by_the_house_file(self, desk: Desk) -> None:
        desk.rules = replace(ALL, announcing_lines=("4000",))

        await desk.talks(TRUNK)

        assert "line" == desk.line()["told"]


class TestOneTouch:
    """A key on the phone, where the dialplan offers it."""

    @pytest.fixture(autouse=True)
    def offered(self, desk: Desk) -> None:
        desk.rules = replace(ALL, one_touch="*3")

    async def test_the_code_is_dialled_on_the_phone_that_talks(self, desk: Desk) -> None:
        record = await desk.talks()
        phone = record.talks[0].phone.channel
        offered = desk.line()["may"]

        await desk.does("start")

        assert ["start"] == offered
        assert [(phone, "*"), (phone, "3")] == desk.pbx.keys
        assert ("recording_started", MAY.id, "") == (await desk.noted())[-1]

    async def test_it_ends_what_it_began(self, desk: Desk) -> None:
        await desk.talks(TRUNK, recordings=("/monitor/auto-1795322718-6001-138.wav",))

        await desk.does("stop")

        assert "stop" in desk.line()["may"]
        assert ["*", "3"] == [key for _, key in desk.pbx.keys]

    async def test_it_ends_nothing_else(self, desk: Desk) -> None:
        await desk.talks(TRUNK, recordings=("/monitor/q-4000.wav",))

        assert "no_one_touch" == await refusal(desk, "stop")
        assert "stop" not in desk.line()["may"]

    async def test_it_is_not_there_where_the_house_does_not_say_so(self, desk: Desk) -> None:
        desk.rules = ALL
        await desk.talks()

        assert "no_one_touch" == await refusal(desk, "start")
        record = desk.room.desk.record("k1")
        assert record is not None
        assert desk.control.line(record, MAY.id) is None
