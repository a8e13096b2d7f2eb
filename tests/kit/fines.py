"""A house that fines: the booking house of the golden examples, its people, and scripted misses.

The cast: May, Bo and Ann are agents, Lin supervises the shift, Mei is another supervisor, Wu the
manager, Ou the owner, Chen a stranger without rights. Times are seconds into a Friday afternoon.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, select, update

from cti.calendar import Calendar
from cti.calls.rings import RingRules
from cti.calls.store import CallStore, calls, gaps, offers
from cti.clock import SetClock
from cti.db.engine import Database
from cti.duty.rules import DutySet, DutyState, OnDuty
from cti.house import House, HouseCard, MissedCallRules, PenaltyRules
from cti.penalties.desk import Asked, NoFaults, PenaltyDesk
from cti.penalties.record import (
    CallFacts,
    Evidence,
    IncidentKind,
    LineState,
    OfferFact,
    PenaltyLine,
    Pick,
    ReviewFilter,
)
from cti.penalties.rules import Circumstances, judge, supervisor_of
from cti.penalties.store import PenaltyStore
from cti.people.rules import Directory, Person, Role
from cti.presence.states import AgentState, Interval, Source

MAY, BO, ANN, LIN, MEI, WU, OU, CHEN = "may", "bo", "ann", "lin", "mei", "wu", "ou", "chen"
AGENTS = (MAY, BO, ANN)
CALLER = "+8613800138000"
ROLES = {
    MAY: Role.AGENT,
    BO: Role.AGENT,
    ANN: Role.AGENT,
    LIN: Role.SUPERVISOR,
    MEI: Role.SUPERVISOR,
    WU: Role.MANAGER,
    OU: Role.OWNER,
    CHEN: Role.TECHNICIAN,
}
PEOPLE: Mapping[str, Person] = {
    who: Person(id=who, number=who, name=who.title(), role=role) for who, role in ROLES.items()
}
STAFF = Directory(PEOPLE.values())
TWO = datetime(2025, 3, 28, 6, 0, tzinfo=UTC)
"""Friday, two in the afternoon in Shanghai."""
_OPEN = {"default": ((time(8, 15), time(22)),)}
BOOKING = House(card=HouseCard(id="booking"), hours=_OPEN, version="policy-1", calendar=Calendar())
"""The reference house, every rule at its default."""
_MISSED = MissedCallRules()
LITERAL = replace(
    BOOKING,
    ring=RingRules(short_abandon=timedelta()),
    penalties=PenaltyRules(
        missed_call=replace(
            _MISSED,
            exempt=(),
            merge_repeat=timedelta(),
            recovered_within=timedelta(),
            supervisor_line=(*_MISSED.supervisor_line, "all_busy"),
        )
    ),
)
"""The rule as the source has it, word for word."""


def at(seconds: float) -> datetime:
    """The instant so many seconds after two o'clock."""
    return TWO + timedelta(seconds=seconds)


def on_duty(
    who: str, since: float = -3600, state: DutyState = DutyState.STARTED, shift: str = "early"
) -> OnDuty:
    """Somebody on duty for an hour, unless told otherwise."""
    return OnDuty(
        person=who,
        assignment=f"duty-{who}",
        shift=shift,
        role=ROLES[who],
        state=state,
        since=at(since),
        why=("planned",),
    )


def duty(
    *agents: str | OnDuty, published: int | None = None, supervisor: str | None = LIN
) -> DutySet:
    """The duty set of two o'clock."""
    some = tuple(one if isinstance(one, OnDuty) else on_duty(one) for one in agents)
    return DutySet(
        at=TWO,
        department="",
        agents=some,
        supervisor=on_duty(supervisor) if supervisor else None,
        published=len(some) if published is None else published,
        version="roster-1",
    )


def was(
    who: str,
    state: AgentState,
    began: float = -60,
    ended: float | None = 600,
    source: Source = Source.PERSON,
) -> Interval:
    """Somebody was in a state."""
    return Interval(
        person=who,
        state=state,
        began_at=at(began),
        ended_at=None if ended is None else at(ended),
        source=source,
    )


def rang(
    who: str | None,
    outcome: str | None = "rang_out",
    began: float = 0,
    ended: float = 20,
    *,
    silent: bool = False,
) -> OfferFact:
    """A phone that was asked, and rang unless it was silent."""
    ring = None if silent else int((ended - began) * 1000)
    return OfferFact(
        person=who,
        agent=who or "6099",
        devices=(f"PJSIP/{who}",),
        began=at(began),
        rang_at=None if silent else at(began),
        ended_at=at(ended),
        ring_ms=ring,
        outcome=outcome,
    )


def facts(*asked: OfferFact, ended: float = 20, by: str = "pbx", **more: Any) -> CallFacts:
    """A call that came at two o'clock, asked these phones at once and ended."""
    rings = [one.rang_at for one in asked if one.rang_at]
    told: dict[str, Any] = {
        "call": "call-1",
        "pbx": "main",
        "channel": "PJSIP/trunk-00000001",
        "legs": (("1.1", "PJSIP/trunk-00000001"),),
        "number": CALLER,
        "caller": "13800138000",
        "customer": None,
        "entry": "4000",
        "began": TWO,
        "ended_at": at(ended),
        "rang_at": min(rings, default=None),
        "waited_from": TWO if asked else None,
        "waited_to": at(ended) if asked else None,
        "ring_ms": int(ended * 1000) if rings else None,
        "wait_ms": int(ended * 1000) if asked else None,
        "rings": None,
        "ended_by": by,
        "stream_reason": None,
        "approximate": False,
        "in_gap": False,
        "offers": asked,
        "recordings": (),
    }
    return CallFacts(**(told | more))


def judged(
    call: CallFacts,
    on: DutySet,
    *states: Interval,
    house: House = BOOKING,
    leaving: Collection[str] = (),
    fault: str = "",
    directory: Directory = STAFF,
) -> Evidence:
    """Judge a call with what was known."""
    seen = Circumstances(
        duty=on,
        leaving=leaving,
        states=states,
        supervisor=supervisor_of(on, directory),
        fault=fault,
        frozen_at=call.ended_at,
    )
    return judge(call, house, seen)


def costs(evidence: Evidence) -> dict[str, str]:
    """Who would pay what, or why not."""
    return {
        one.person: one.exemption or str(one.amount)
        for one in sorted(evidence.drafts, key=lambda one: one.person)
    }


def line(state: LineState = LineState.PROPOSED, **facts: object) -> PenaltyLine:
    """May's ten for a missed call."""
    made = PenaltyLine(
        id="line-1",
        incident="incident-1",
        kind=IncidentKind.MISSED_CALL,
        rule="missed_call",
        person=MAY,
        role=Role.AGENT,
        amount=Decimal("10.00"),
        proposed=Decimal("10.00"),
        unit="CNY",
        state=state,
        exemption="",
        at=TWO,
        department="",
        shift="early",
        entry="4000",
        reason="rang_out",
        policy="policy-1",
        proposed_at=TWO,
        decided_at=None,
        decided_by=None,
        notified_at=None,
        appeal_until=None,
        final_at=None,
        seen_at=None,
        appealed=False,
        escalated=False,
        bundle="",
        month=None,
        version=1,
    )
    return replace(made, **facts)  # type: ignore[arg-type]


def pick(found: PenaltyLine) -> Pick:
    """Point at a line as it was seen."""
    return Pick(line=found.id, version=found.version)


class Roster:
    """Who is on duty, as the test says: the newest set that holds."""

    def __init__(self, first: DutySet) -> None:
        self.sets = [(datetime.min.replace(tzinfo=UTC), first)]

    def change(self, seconds: float, to: DutySet) -> None:
        """From an instant on others are on duty."""
        self.sets.append((at(seconds), to))

    async def duty_at(self, at: datetime, department: str) -> DutySet:
        """Give who was on duty."""
        return replace(
            [one for since, one in self.sets if since <= at][-1], at=at, department=department
        )


class Known:
    """What people were doing, as the test says."""

    def __init__(self, states: Iterable[Interval] = ()) -> None:
        self.known = list(states)

    async def states(
        self, people: Collection[str], began: datetime, ended: datetime
    ) -> Sequence[Interval]:
        """Give their states."""
        return [one for one in self.known if one.person in people]


class Faulty(NoFaults):
    """A trunk that was faulty from an instant to another."""

    def __init__(self, fault: str, began: float, ended: float) -> None:
        self._fault, self._span = fault, (at(began), at(ended))

    async def fault_at(self, pbx: str, trunk: str, began: datetime, ended: datetime) -> str:
        """Give the fault while it lasted."""
        return self._fault if began < self._span[1] and ended > self._span[0] else ""


class Office:
    """A whole penalties room on a database, at a clock that the test moves."""

    def __init__(
        self,
        db: Database,
        *,
        house: House = BOOKING,
        on: DutySet | None = None,
        states: Iterable[Interval] = (),
        faults: NoFaults | None = None,
        directory: Directory = STAFF,
    ) -> None:
        self.db, self.clock = db, SetClock(at(-3600))
        self.house, self.directory = house, directory
        self.roster, self.known = Roster(on or duty(*AGENTS)), Known(states)
        self.faults = faults or NoFaults()
        self.store = PenaltyStore(db, self.clock, lambda: self.house, lambda: self.directory)
        self.told = list[str]()
        self.desk = self.new_desk()

    def new_desk(self) -> PenaltyDesk:
        """Another desk, as after a restart."""
        return PenaltyDesk(
            self.store,
            Asked(
                calls=CallStore(self.db),
                duty=self.roster,
                states=self.known,
                faults=self.faults,
            ),
            clock=self.clock,
            house=lambda: self.house,
            directory=lambda: self.directory,
            told=lambda lines: self.told.extend(line.id for line in lines),
        )

    async def runs(self, seconds: float) -> None:
        """Let it be so late, and the desk do its work."""
        self.clock.at = at(seconds)
        await self.desk.once()

    async def opens(self) -> None:
        """Begin to judge, an hour before two."""
        await self.store.began()

    async def misses(
        self,
        call: str,
        began: float,
        *,
        number: str | None = CALLER,
        ring: float = 20,
        rung: Mapping[str, str] | None = None,
        by: str = "pbx",
        **facts: Any,
    ) -> None:
        """Store a call that rang these people's phones and that nobody answered."""
        asked = dict.fromkeys(AGENTS, "rang_out") if rung is None else rung
        row = call_row(call, began, number, ring, by) | facts
        if asked:
            row |= {"rang_at": at(began), "ring_ms": int(ring * 1000), "wait_ms": int(ring * 1000)}
        async with self.db.write() as conn:
            await conn.execute(insert(calls).values(row))
            for n, (who, outcome) in enumerate(asked.items()):
                await conn.execute(
                    insert(offers).values(offer_row(call, n, who, outcome, began, ring))
                )

    async def answers(self, call: str, began: float, *, number: str = CALLER, by: str = BO) -> None:
        """Store a call that was answered after three seconds, and lasted a minute."""
        row = call_row(call, began, number, 60, "caller")
        row |= {"outcome": "answered", "reason": None, "answered_at": at(began + 3), "person": by}
        async with self.db.write() as conn:
            await conn.execute(insert(calls).values(row))

    async def rings(self, call: str, began: float, *, number: str | None = CALLER) -> None:
        """Store a call that nobody has answered yet."""
        row = call_row(call, began, number, 0, None)
        row |= {
            "outcome": None,
            "reason": None,
            "over": False,
            "ended_at": None,
            "state": "ringing",
        }
        async with self.db.write() as conn:
            await conn.execute(insert(calls).values(row))

    async def gives_up(self, call: str, ended: float) -> None:
        """Let a stored call that rang all phones end without an answer."""
        async with self.db.write() as conn:
            began = await conn.scalar(select(calls.c.seen_at).where(calls.c.id == call))
            second = ((began or TWO) - TWO).total_seconds()
            values = {
                "outcome": "missed",
                "over": True,
                "state": "ended",
                "ended_at": at(ended),
                "ended_by": "caller",
                "rang_at": began,
                "ring_ms": int((ended - second) * 1000),
                "wait_ms": int((ended - second) * 1000),
            }
            await conn.execute(update(calls).where(calls.c.id == call).values(values))
            rung = [
                offer_row(call, n, who, "caller_gave_up", second, ended - second)
                for n, who in enumerate(AGENTS)
            ]
            await conn.execute(insert(offers), rung)

    async def lines(self, *states: LineState) -> list[PenaltyLine]:
        """Give the newest two hundred lines in these states, those of one incident by person."""
        page = await self.store.lines(ReviewFilter(states=states), limit=200)
        return sorted(page.rows, key=lambda one: (one.at, one.incident, one.person))

    async def costs(self) -> dict[str, str]:
        """Who would pay what, or why not, over all lines."""
        return {one.person: one.exemption or str(one.amount) for one in await self.lines()}

    async def line_of(self, who: str) -> PenaltyLine:
        """Give the only line of somebody."""
        (found,) = [one for one in await self.lines() if one.person == who]
        return found

    async def pick_of(self, who: str) -> Pick:
        """Point at the only line of somebody, as it is now."""
        return pick(await self.line_of(who))

    async def is_deaf(self, began: float, ended: float) -> None:
        """Store a gap of the PBX link."""
        row = {
            "id": f"gap-{began}",
            "pbx": "main",
            "lost_at": at(began),
            "back_at": at(ended),
            "cause": "cut",
            "restarted": False,
        }
        async with self.db.write() as conn:
            await conn.execute(insert(gaps).values(row))


def call_row(
    call: str, began: float, number: str | None, lasted: float, by: str | None
) -> dict[str, Any]:
    """One row of `calls`: missed, unless changed."""
    return {
        "id": call,
        "pbx": "main",
        "boot": "boot",
        "direction": "inbound",
        "state": "ended",
        "caller": number,
        "number": number,
        "dialled": "4000",
        "channel": "PJSIP/trunk-00000001",
        "began": at(began),
        "seen_at": at(began),
        "ended_at": at(began + lasted),
        "outcome": "missed",
        "reason": "rang_out",
        "ended_by": by,
        "queues": ["support"],
        "recordings": [],
        "house": "policy-1",
        "approximate": False,
        "over": True,
    }


def offer_row(
    call: str, n: int, who: str, outcome: str, began: float, ring: float
) -> dict[str, Any]:
    """One row of `offers`."""
    return {
        "call": call,
        "n": n,
        "agent": who,
        "person": who,
        "devices": [f"PJSIP/{who}"],
        "channels": [f"PJSIP/{who}-00000001"],
        "began": at(began),
        "rang_at": at(began),
        "ended_at": at(began + ring),
        "ring_ms": int(ring * 1000),
        "outcome": outcome,
    }
