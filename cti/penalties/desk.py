"""When are misses judged, lines proposed, notices sent? The shell, which asks what is to be done.

Each step takes from the database what is not done yet and does it in one transaction under keys
that are unique, so that doing it twice, or being killed anywhere, changes nothing (V2, V19).

    1. judge      each missed call that is over, once, with evidence that is frozen then
    2. propose    each incident whose merging time is over, unless an earlier call still waits
    3. notify     each decision that can no longer be undone
    4. escalate   what nobody reviewed in time
    5. lapse      what nobody ever decided; never approved by itself
    6. close      what can change no more
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from cti.calls.record import OverCall, WholeCall
from cti.clock import Clock
from cti.duty.rules import DutySet, DutyState
from cti.errors import CtiError
from cti.house import House
from cti.penalties import rules
from cti.penalties.record import CallFacts, MissedCall, OfferFact, PenaltyLine
from cti.penalties.store import PenaltyStore
from cti.people.rules import Directory
from cti.presence.states import Interval

log = structlog.get_logger(__name__)

GRACE: Final = timedelta(seconds=5)
"""So long after a call's end everything about it has reached the database."""
CONTEXT: Final = timedelta(minutes=2)
"""What agents did before the ringing, for whoever reads the evidence."""
LOOK_BACK: Final = timedelta(days=1)
"""A call may be stored late, under the time at which it was seen."""
WAITS_AT_MOST: Final = timedelta(hours=1)
"""A call that lives longer without an answer holds up no proposal."""
EVERY: Final = 1.0
AFTER_TROUBLE: Final = 10.0


class Calls(Protocol):
    """What is asked of the calls (`cti.calls.store.CallStore`)."""

    async def missed_over(self, since: datetime) -> list[OverCall]:
        """Give missed calls that are over, oldest first."""
        ...

    async def unanswered(self, since: datetime, number: str | None = None) -> datetime | None:
        """Give when the oldest call, of a number or of all, was first seen that still waits."""
        ...

    async def answered_redial(self, number: str, since: datetime, until: datetime) -> str | None:
        """Give the call in which a number was answered."""
        ...

    async def whole(self, call: str) -> WholeCall | None:
        """Give a call with its parts."""
        ...

    async def is_test(self, call: str) -> bool:
        """Tell whether a call is a line test's: never a missed call (LINE-07)."""
        ...


class Duty(Protocol):
    """What is asked of the roster (`cti.duty.store.DutyStore`)."""

    async def duty_at(self, at: datetime, department: str) -> DutySet:
        """Give who was on duty at an instant; an empty department stands for all."""
        ...


class States(Protocol):
    """What people were doing: phones and queues, with calls and clicks laid over them."""

    async def states(
        self, people: Collection[str], began: datetime, ended: datetime
    ) -> Sequence[Interval]:
        """Give every state of these people that meets a time."""
        ...


class Faults(Protocol):
    """What is asked of the lines."""

    async def fault_at(self, pbx: str, trunk: str, began: datetime, ended: datetime) -> str:
        """Give the confirmed fault of a trunk in a time; empty: there was none."""
        ...


class NoFaults:
    """A house whose lines nobody watches."""

    async def fault_at(self, pbx: str, trunk: str, began: datetime, ended: datetime) -> str:
        """Know of no fault."""
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The rooms that the desk asks."""

    calls: Calls
    duty: Duty
    states: States
    faults: Faults


class PenaltyDesk:
    """Brings missed calls to their decisions. `run` is the one task that does."""

    def __init__(
        self,
        store: PenaltyStore,
        asked: Asked,
        *,
        clock: Clock,
        house: Callable[[], House],
        directory: Callable[[], Directory],
        told: Callable[[Sequence[PenaltyLine]], None] = lambda _lines: None,
    ) -> None:
        self._store, self._asked, self._clock = store, asked, clock
        self._house, self._directory, self._told = house, directory, told
        self._began: datetime | None = None
        self._since: datetime | None = None
        self._judged = dict[str, datetime]()

    async def run(self) -> None:
        """Do what is to be done, every second, for ever; a fault is told and tried again."""
        while True:
            pause = EVERY
            try:
                await self.once()
            except CtiError as fault:
                log.warning("penalties_wait", code=fault.code, why=fault.what)
                pause = AFTER_TROUBLE
            except Exception:
                log.exception("penalties_failed")
                pause = AFTER_TROUBLE
            await asyncio.sleep(pause)

    async def once(self) -> None:
        """Do all that is to be done now. Raises what the stores raise; nothing is lost by it."""
        waiting = await self.judge()
        await self.propose(waiting)
        pending = await self._store.pending()
        if "notify" in pending:
            self._told(await self._store.notify())
        if "escalate" in pending:
            await self._store.escalate()
        if "lapse" in pending:
            await self._store.lapse()
        if "close" in pending:
            await self._store.close()

    async def judge(self) -> datetime | None:
        """Judge what was missed; give since when the oldest call waits that may yet be missed."""
        now = self._clock.now()
        waiting, callers = list[datetime](), set[str | None]()
        for one in await self._not_judged(now):
            # Misses of one caller join in the order in which they began, so they are judged in it.
            try:
                number = await self._judge(one, now, callers)
            except CtiError:
                raise
            except Exception:
                # the others must not wait for it; it costs nobody anything until the next start
                log.exception("call_not_judged", call=one.call)
                self._judged[one.call] = one.seen_at
                continue
            if one.call not in self._judged:
                waiting.append(one.seen_at)
                callers.add(number)
        self._since = max(self._since or now, min([*waiting, now]) - LOOK_BACK)
        self._judged = {call: at for call, at in self._judged.items() if at >= self._since}
        alive = await self._asked.calls.unanswered(now - WAITS_AT_MOST)
        return min([*waiting, *([alive] if alive else [])], default=None)

    async def propose(self, waiting: datetime | None) -> None:
        """Propose what is due, but nothing that a call which still waits might join."""
        for incident, due_at, misses in await self._store.due(self._clock.now()):
            if waiting is not None and waiting <= due_at:
                continue
            if await self._store.propose(incident, await self._recovered(misses)):
                log.info("penalties_proposed", incident=incident, calls=len(misses))

    async def _not_judged(self, now: datetime) -> list[OverCall]:
        """Give the missed calls that are to be judged, in the order in which they began."""
        if self._began is None or self._since is None:
            self._began = await self._store.began()
            newest = await self._store.newest()
            self._since = max(self._began, newest or self._began) - LOOK_BACK
        missed = await self._asked.calls.missed_over(self._since)
        unknown = [one for one in missed if one.call not in self._judged]
        done = await self._store.judged([one.call for one in unknown]) if unknown else set[str]()
        left = list[OverCall]()
        for one in unknown:
            if one.call in done or one.ended_at < self._began:
                self._judged[one.call] = one.seen_at
            else:
                left.append(one)
        return left

    async def _judge(
        self, one: OverCall, now: datetime, waiting: Collection[str | None]
    ) -> str | None:
        """Judge one call, unless it is too early or an earlier one of its caller waits.

        Give the caller's number.
        """
        stored = await self._asked.calls.whole(one.call)
        if stored is None:
            return None
        facts, house = facts_of(stored), self._house()
        if now < one.ended_at + GRACE or await self._earlier(facts, now, waiting):
            return facts.number
        if await self._asked.calls.is_test(one.call):
            self._judged[one.call] = one.seen_at
            return facts.number
        department = house.inbound.departments.get(facts.entry, "")
        began, _ = rules.ringing(facts)
        joins = await self._store.joins(facts)
        duty = joins[1].duty if joins else await self._asked.duty.duty_at(began, department)
        handing_over = any(agent.state is DutyState.HANDING_OVER for agent in duty.agents)
        if handing_over and now < began + rules.HANDOVER_MINUTE:
            return facts.number
        evidence = rules.judge(facts, house, await self._seen(facts, duty, department, now))
        into = joins[0] if joins else None
        incident = await self._store.keep_missed(evidence, department, into=into)
        if incident:
            self._judged[one.call] = one.seen_at
            log.info("missed_call", call=one.call, incident=incident, reason=evidence.reason)
        return facts.number

    async def _earlier(
        self, facts: CallFacts, now: datetime, waiting: Collection[str | None]
    ) -> bool:
        """Tell whether an earlier call of the same caller may yet be missed."""
        if facts.number is None:
            return False
        if facts.number in waiting:
            return True
        alive = await self._asked.calls.unanswered(now - WAITS_AT_MOST, facts.number)
        return alive is not None and alive <= facts.began

    async def _seen(
        self, facts: CallFacts, duty: DutySet, department: str, now: datetime
    ) -> rules.Circumstances:
        """Ask what else is known of a miss's time."""
        began, ended = rules.ringing(facts)
        after = await self._asked.duty.duty_at(min(began + rules.HANDOVER_MINUTE, now), department)
        people = {one.person for one in duty.agents}
        trunk = facts.channel.rpartition("-")[0] or facts.channel
        asked = self._asked
        return rules.Circumstances(
            duty=duty,
            leaving=people - {one.person for one in after.agents},
            states=await asked.states.states(people, began - CONTEXT, ended) if people else (),
            supervisor=rules.supervisor_of(duty, self._directory()),
            fault=await asked.faults.fault_at(facts.pbx, trunk, facts.began, facts.ended_at),
            frozen_at=now,
        )

    async def _recovered(self, misses: Sequence[MissedCall]) -> Mapping[str, str]:
        """Give by which call the caller of each miss was answered soon after."""
        within = self._house().penalties.missed_call.recovered_within
        found = dict[str, str]()
        for one in misses:
            if one.number is None or not within:
                continue
            until = one.ended_at + within
            by = await self._asked.calls.answered_redial(one.number, one.at, until)
            if by:
                found[one.call] = by
        return found


def facts_of(stored: WholeCall) -> CallFacts:
    """Give a stored call as the facts of a miss."""
    row = stored.row
    ended = row["ended_at"] or row["seen_at"]
    starts = [visit["joined_at"] for visit in stored.visits] + [o["began"] for o in stored.offers]
    waited_from = min((at for at in starts if at), default=None)
    waited_to = None
    if waited_from and row["wait_ms"] is not None:
        waited_to = waited_from + timedelta(milliseconds=row["wait_ms"])
    return CallFacts(
        call=row["id"],
        pbx=row["pbx"],
        channel=row["channel"],
        legs=tuple((leg["uniqueid"], leg["channel"]) for leg in stored.legs),
        number=row["number"],
        caller=row["caller"],
        customer=row["customer"],
        entry=next(iter(row["queues"]), None) or row["dialled"] or "",
        began=row["seen_at"],
        ended_at=ended,
        rang_at=row["rang_at"],
        waited_from=waited_from,
        waited_to=waited_to,
        ring_ms=row["ring_ms"],
        wait_ms=row["wait_ms"],
        rings=row["rings"],
        ended_by=row["ended_by"],
        stream_reason=row["reason"],
        approximate=row["approximate"],
        in_gap=stored.in_gap,
        offers=tuple(
            OfferFact(
                person=offer["person"],
                agent=offer["agent"],
                devices=tuple(offer["devices"]),
                began=offer["began"],
                rang_at=offer["rang_at"],
                ended_at=offer["ended_at"],
                ring_ms=offer["ring_ms"],
                outcome=offer["outcome"],
            )
            for offer in stored.offers
        ),
        recordings=tuple(row["recordings"]),
    )
