"""A house's lines with everybody around made up: who is on duty, what is dialled, what rings."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from cti.calls.phones import Standing
from cti.calls.record import DialledCall, OfferOutcome, SaidRecord
from cti.clock import SetClock
from cti.db.engine import Database
from cti.dials.rules import Attempt, AttemptState, Wanted
from cti.duty.rules import DutySet, OnDuty
from cti.errors import Refused
from cti.lines.desk import LineDesk
from cti.lines.rules import LineTest
from cti.lines.store import LineStore
from tests.dials.test_rules import attempt
from tests.lines.test_rules import HOUSE, at, on_duty


@dataclass
class Came:
    """A call that came in at an entry."""

    began: datetime
    code: str | None


@dataclass
class World:
    """What the desk asks of the other rooms, told by the test."""

    clock: SetClock = field(default_factory=lambda: SetClock(at(8)))
    agents: list[OnDuty] = field(default_factory=lambda: [on_duty("p-may", "early")])
    refuses: str = ""
    wanted: list[Wanted] = field(default_factory=list)
    attempts: dict[str, Attempt] = field(default_factory=dict)
    over: dict[str, DialledCall] = field(default_factory=dict)
    came: list[Came] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)
    last: datetime | None = None
    former: list[int] = field(default_factory=list)
    standings: dict[str, Standing] = field(default_factory=dict)
    proposed: list[dict[str, Any]] = field(default_factory=list)

    async def duty_at(self, at: datetime, department: str) -> DutySet:
        return DutySet(
            at=at,
            department=department,
            agents=tuple(one for one in self.agents if one.since <= at),
            supervisor=None,
            published=1,
            version="1",
        )

    async def dial(self, wanted: Wanted) -> Attempt:
        if self.refuses:
            raise Refused(self.refuses, "not now")
        self.wanted.append(wanted)
        made = attempt(
            id=f"cti-{len(self.wanted)}", subject=wanted.subject, state=AttemptState.SENT
        )
        self.attempts[wanted.subject] = made
        return made

    async def of(self, subject: str) -> Attempt | None:
        return self.attempts.get(subject)

    async def dialled(self, channels: Collection[str]) -> Mapping[str, DialledCall]:
        return {one: self.over[one] for one in channels if one in self.over}

    async def arrivals(self, pbx: str, entry: str, since: datetime) -> Sequence[Came]:
        return [one for one in self.came if one.began >= since]

    async def mark_test(self, out: str) -> None:
        self.marked.append(out)

    async def came_in(
        self, entry: str, spans: Sequence[tuple[datetime, datetime]]
    ) -> Sequence[int]:
        return self.former[: len(spans)]

    async def last_came_in(self, entry: str) -> datetime | None:
        return self.last

    async def propose_line_fault(self, source: str, **facts: Any) -> str:
        self.proposed.append({"source": source, **facts})
        return "incident"

    def pbx_of(self, trunk: str) -> str | None:
        return "main"

    def standing(self, pbx: str, device: str) -> Standing:
        return self.standings.get(device, Standing("available", None))

    def devices_of(self, people: Collection[str]) -> Mapping[tuple[str, str], str]:
        return {("main", f"PJSIP/{person}"): person for person in people}

    def ends(
        self, state: AttemptState = AttemptState.ANSWERED, cause: str = "", word: str = "heard"
    ) -> None:
        """Let the call that was dialled last end, having come in with its code if it was heard."""
        wanted, now = self.wanted[-1], self.clock.now()
        made = self.attempts[wanted.subject]
        self.attempts[wanted.subject] = replace(made, state=state, cause=cause, ended_at=now)
        said = (SaidRecord(topic="line_test", word=word, code="", at=None),)
        self.over[made.id] = DialledCall(
            call=f"call-{made.id}",
            began=now,
            ended_at=now,
            outcome=OfferOutcome.CALLER_GAVE_UP,
            picked_at=now,
            said=said,
        )
        if word == "heard":
            self.came.append(Came(began=now, code=(wanted.variables or {})["CTI_CODE"]))


class Lines(World):
    """The desk, and the world around it."""

    def open(self, db: Database, **house: Any) -> None:
        """Build the desk; once more is a restart."""
        self.house = replace(HOUSE, **house)
        self.store = LineStore(db)
        self.desk = LineDesk(
            store=self.store,
            attempts=self,
            dialer=self,
            calls=self,
            duty=self,
            penalties=self,
            plant=self,
            house=lambda: self.house,
            clock=self.clock,
            code=lambda: "123456",
        )

    async def goes(self, to: datetime) -> None:
        """Let time go on to an instant, and look."""
        self.clock.at = to
        await self.desk.look()

    async def passes(self, seconds: float) -> None:
        """Let time pass, and look."""
        await self.goes(self.clock.now() + timedelta(seconds=seconds))

    async def early(self) -> LineTest:
        """Give the early shift's test of today."""
        found = await self.store.of_day(at(8).date())
        return next(test for test in found if test.shift == "early")


@pytest.fixture
def lines(sqlite_db: Database) -> Lines:
    """The desk at eight in the morning."""
    made = Lines()
    made.open(sqlite_db)
    return made
