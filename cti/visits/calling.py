"""Makes return visits by phone: who takes which, is it allowed now, and what became of it?

A visit is claimed, an attempt at it is written down, then it is dialled by `cti.dials`; what
became of it is read from what was written, never from an event that we happened to hear. So a
crash between any two steps changes nothing: `look` finds each attempt that is not settled.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any, Final, Protocol

import structlog

from cti.callbacks.rules import serves
from cti.calls.phones import Standing
from cti.clock import Clock
from cti.customers.rules import Customer
from cti.db.engine import Database
from cti.db.schema import Connection
from cti.dials import rules as dials
from cti.dials.dialer import Still, attempt_name
from cti.dials.rules import NEVER_DIALLED, Attempt, AttemptState, Cause, Wanted
from cti.duty.rules import DutySet
from cti.errors import CommitUnknown, CtiError, PbxUnavailable, Refused, StoreUnavailable
from cti.house import House
from cti.people.rules import Device, Directory, Person, Right
from cti.visits import attempts as rules
from cti.visits.abandoned import Abandons, is_stopped, may_ring_first
from cti.visits.attempts import Allowed, Step
from cti.visits.owed import wishes_of
from cti.visits.record import (
    BY_AGENT,
    CALLED_US,
    FREE_OF_CAPS,
    MERCHANT,
    OPEN,
    WARNINGS,
    Outcome,
    State,
    Try,
    Visit,
    Wishes,
    next_look,
)
from cti.visits.record import (
    ENDS as OVER,
)
from cti.visits.store import VisitStore, not_held
from cti.visits.times import day_of, daypart, of_visit

log = structlog.get_logger(__name__)

TICK: Final = 0.25
"""Seconds between two looks at what is not settled."""
LEASE: Final = timedelta(minutes=15)
"""Who takes a visit and does not dial holds it so long."""
STALE: Final = timedelta(seconds=30)
"""An attempt that was not sent for so long is given up, and can be sent no more."""
LOOK_BACK: Final = timedelta(days=8)
"""The caps count over a week at the most."""
TRIED: Final = 20
"""So many visits are looked at, at the most, to find one that may be made now."""
CALL_LASTS: Final = timedelta(minutes=1)
"""So long after we met a customer in a call it is looked again whether he still is."""
AT_ONCE: Final = 500
PURPOSE: Final = "visit"
"""The purpose of an attempt by which a visit is made."""

ENDS: Final[Mapping[AttemptState, Outcome]] = {
    AttemptState.NO_ANSWER: Outcome.NO_ANSWER,
    AttemptState.BUSY: Outcome.BUSY,
    AttemptState.REJECTED: Outcome.REJECTED,
    AttemptState.FAILED: Outcome.FAILED,
    AttemptState.AGENT_NO_SHOW: Outcome.AGENT_NO_SHOW,
    AttemptState.ABANDONED: Outcome.ABANDONED,
    AttemptState.UNKNOWN: Outcome.UNKNOWN,
}
"""What the PBX tells; what was answered, the agent tells."""


class Dialer(Protocol):
    """The only way out (`cti.dials.dialer.Dialer`)."""

    async def dial(
        self, wanted: Wanted, *, attempt_id: str = "", still: Still | None = None
    ) -> Attempt:
        """Dial once; see `Dialer.dial`."""
        ...


class Attempts(Protocol):
    """What was dialled (`cti.dials.store.DialStore`)."""

    async def find(self, some: Collection[str]) -> Mapping[str, Attempt]:
        """Give attempts by id."""
        ...


class Customers(Protocol):
    """Whom we visit."""

    async def get(self, customer: str) -> Customer | None:
        """Find a customer by our id."""
        ...


class Duty(Protocol):
    """Who is on duty."""

    async def duty_at(self, at: datetime, department: str) -> DutySet:
        """Give who is on duty at an instant."""
        ...


class Live(Protocol):
    """The calls that live now."""

    def lives(self, numbers: Collection[str]) -> bool:
        """Tell whether a call with one of these numbers lives; in their normal form."""
        ...

    def talk_of(self, person: str, numbers: Collection[str]) -> str | None:
        """Give the call in which somebody talks with one of these numbers now."""
        ...


class Todo(Protocol):
    """Who opens the work that visits leave for people (`cti.results.desk.WorkBook`)."""

    async def open(
        self, conn: Connection, visit: Visit, todo: Sequence[str], now: datetime
    ) -> None:
        """Open what a step asks for, in the transaction of `conn`; twice is once."""
        ...


class Plant(Protocol):
    """The PBXs, as far as visits go."""

    def pbx_of(self, trunk: str) -> str | None:
        """Name the PBX that has a trunk."""
        ...

    def standing(self, pbx: str, device: str) -> Standing:
        """Say how a device stands."""
        ...


class VisitCalls:
    """Claims, dials and settles visits. `run` is its one task."""

    def __init__(
        self,
        db: Database,
        store: VisitStore,
        *,
        dialer: Dialer,
        attempts: Attempts,
        customers: Customers,
        duty: Duty,
        plant: Plant,
        live: Live,
        todo: Todo,
        house: Callable[[], House],
        people: Callable[[], Directory],
        clock: Clock,
    ) -> None:
        self._db, self.store = db, store
        self._dialer, self._attempts, self._customers = dialer, attempts, customers
        self._duty, self._plant, self._live, self._todo = duty, plant, live, todo
        self._house, self._people, self._clock = house, people, clock
        self._sending: set[str] = set()
        self._stopped = False
        """Whether nobody was rung first when we looked last: the cap was reached."""

    async def run(self) -> None:
        """Settle attempts and let time pass, for ever."""
        while True:
            try:
                await self.look()
            except (StoreUnavailable, CommitUnknown) as fault:
                log.warning("visits_not_settled", why=str(fault))
            except Exception:
                log.exception("visits_failed")
            await asyncio.sleep(TICK)

    # -- what people do

    async def claim(self, person: Person, visit: str | None = None) -> Visit:
        """Claim one visit for somebody who is about to call, or the next that is his to make.

        Raises `Refused`: visit_none (nothing is due), no_visit, visit_over, visit_taken,
        visit_busy, visit_customer_busy, visit_off_duty, and why it may not be made now (as
        `attempts.may_dial` says): then it waits until it may.
        """
        await self._check_duty(person)
        now = self._clock.now()
        if visit is not None:
            taken = await self.store.claim(visit, person.id, now, LEASE)
            return await self._checked(taken, person, now)
        refused = set[str]()
        while len(refused) < TRIED:
            found = await self._next(person, now, refused)
            if found is None:
                break
            if await self._is_for_others(found, person, now):
                await self.store.let_go(found, {})
                refused.add(found.id)
                continue
            try:
                return await self._checked(found, person, now)
            except Refused as fault:
                refused.add(found.id)
                log.info("visit_waits", visit=found.id, why=fault.code)
        raise Refused("visit_none", "nothing is due for you now")

    async def give_back(self, person: Person, visit: str, epoch: int) -> None:
        """Give a claimed visit back; today others are asked first: no_visit, visit_not_held."""
        held, policy = await self._held(person, visit, epoch), self._house().version
        if not await self.store.give_back(held, person.id, self._clock.now(), policy):
            raise not_held()

    async def let_go(self, person: Person, visit: str, epoch: int) -> None:
        """Let go of a claimed visit that is changed at once: no_visit, visit_not_held."""
        held = await self._held(person, visit, epoch)
        if not await self.store.let_go(held, {}):
            raise not_held()

    async def dial(self, person: Person, visit: str, epoch: int) -> Try:
        """Ring the agent's phone, then the customer's; give the attempt.

        Customer first it is the other way round, unless the cap of abandoned calls is reached.
        Raises `Refused`: no_visit, visit_not_held, visit_off_duty, visit_phone (his phone
        cannot ring now), visit_no_number, visit_no_trunk, visit_customer_busy, and what
        `attempts.may_dial` and `Dialer.dial` refuse; or `PbxUnavailable`. Then nobody was
        dialled, and the visit is still his.
        """
        await self._check_duty(person)
        return await self._dial(await self._held(person, visit, epoch), person)

    def talks_with(self, person: Person, customer: Customer) -> str | None:
        """Give the call in which somebody talks with a customer who has called us."""
        return self._live.talk_of(person.id, customer.phones)

    async def take_in_call(self, person: Person, visit: str) -> Visit:
        """Let a visit be made in the call that somebody has with the customer anyway (CB-35).

        It is his to record, as if he had dialled. Raises `Refused`: visit_no_call (he does not
        talk with him), and as `VisitStore.claim`.
        """
        now, known = self._clock.now(), await self.store.get(visit)
        customer = await self._customers.get(known.customer) if known else None
        call = self.talks_with(person, customer) if customer else None
        if customer is None or call is None:
            raise Refused("visit_no_call", "you do not talk with this customer now")
        taken = await self.store.claim(visit, person.id, now, LEASE)
        hours = of_visit(taken, wishes_of(customer), self._house())
        made = Try(
            id=attempt_name(),
            visit=taken.id,
            customer=taken.customer,
            number=next(iter(customer.phones), ""),
            agent=person.id,
            purpose=taken.purpose,
            daypart=daypart(hours, now),
            allowed=CALLED_US,
            began_at=now,
            ended_at=now,
            outcome=None,
            counts=False,
            call=call,
        )
        await self.store.begin(taken, made, day_of(hours, now))
        async with self._db.write() as conn:
            wrap_up = {"state": State.WRAP_UP.value}
            await self.store.move(conn, taken, wrap_up, of=(State.IN_ATTEMPT,))
        return taken

    async def finish(
        self,
        conn: Connection,
        visit: Visit,
        outcome: Outcome,
        now: datetime,
        appointment: datetime | None = None,
        *,
        called: bool = True,
    ) -> Step:
        """Let the agent say what became of a visit, in the transaction of `conn`.

        Give what follows. Without `called` it was made in another way, as at the door. Raises
        `Refused`: visit_outcome, visit_not_held.
        """
        if outcome not in BY_AGENT:
            raise Refused("visit_outcome", "say what became of it")
        if visit.state not in (State.IN_ATTEMPT, State.WRAP_UP) and called:
            raise not_held()
        last = next(reversed(await self.store.tries_at(visit.id)), None)
        if last is not None and visit.state != State.CLAIMED:
            await self.store.says(conn, last.id, outcome)
            counts = outcome not in FREE_OF_CAPS
            last = replace(last, outcome=outcome, ended_at=last.ended_at or now, counts=counts)
        return await self._follow(conn, visit, outcome, now, last, appointment, by=visit.held_by)

    # -- by itself

    async def look(self) -> None:
        """Do once what is to be done; what fails costs itself alone."""
        now = self._clock.now()
        if not await self.store.anything(now):
            return
        due = await self.store.to_dial(now)
        await asyncio.gather(*(self._dial_by_itself(visit) for visit in due))
        waiting = await self.store.open_tries()
        known = await self._attempts.find([one.id for one in waiting]) if waiting else {}
        for made in waiting:
            try:
                await self._settle(made, known.get(made.id), now)
            except CtiError as fault:
                log.warning("visit_not_settled", attempt=made.id, why=str(fault))
        await self.store.lapse(now)
        await self._warn(now)

    async def _settle(self, made: Try, attempt: Attempt | None, now: datetime) -> None:
        if made.id in self._sending:
            return
        if attempt is None or attempt.state is AttemptState.PLANNED:
            if now - made.began_at >= STALE:
                await self._end(made, Outcome.NOT_DIALLED, now)
        elif attempt.over:
            await self._end(
                made,
                outcome_of(attempt),
                attempt.ended_at or now,
                attempt.call,
                abandoned=is_abandoned(attempt),
            )

    async def _end(
        self,
        made: Try,
        outcome: Outcome | None,
        at: datetime,
        call: str | None = None,
        *,
        abandoned: bool = False,
    ) -> None:
        visit = await self.store.get(made.visit)
        now = self._clock.now()
        async with self._db.write() as conn:
            ended = await self.store.end_try(
                conn, made, outcome, at, call=call, abandoned=abandoned
            )
            if not ended or visit is None:
                return
            if outcome is None:
                held = {"state": State.WRAP_UP.value}
                await self.store.move(conn, visit, held, of=(State.IN_ATTEMPT,))
            else:
                over = replace(
                    made, outcome=outcome, ended_at=at, counts=outcome not in FREE_OF_CAPS
                )
                await self._follow(conn, visit, outcome, now, over)
        log.info("visit_tried", visit=made.visit, attempt=made.id, outcome=outcome or "answered")
        if abandoned:
            log.warning("visit_abandoned", visit=made.visit, attempt=made.id, agent=made.agent)

    async def _follow(
        self,
        conn: Connection,
        visit: Visit,
        outcome: Outcome,
        now: datetime,
        over: Try | None,
        appointment: datetime | None = None,
        *,
        by: str | None = None,
    ) -> Step:
        """Decide what follows an outcome, and let the visit stand so.

        `over` is the attempt that has just ended, as it is written in this transaction.
        """
        customer = await self._customers.get(visit.customer)
        wishes = wishes_of(customer) if customer else Wishes(do_not_call=True)
        tries = [one for one in await self._tries(visit.customer, now) if one.id != over_id(over)]
        tries += [over] if over is not None else []
        step = rules.next_attempt(
            visit, outcome, tries, wishes, now, self._house(), appointment=appointment
        )
        values = follows(visit, outcome, step, tries, now, by)
        if await self.store.move(conn, visit, values):
            await self._todo.open(conn, visit, step.todo, now)
        elif by is not None:
            raise not_held()
        return step

    async def _warn(self, now: datetime) -> None:
        behind = await self.store.behind(now, AT_ONCE)
        if behind:
            async with self._db.write() as conn:
                for visit in behind:
                    values = looked_at(visit, now)
                    moved = await self.store.move(conn, visit, values, of=(visit.state,))
                    if moved and values.get("state") == State.UNREACHABLE:
                        await self._todo.open(conn, visit, ("fallback",), now)
            log.info("visits_warned", number=len(behind))

    async def _dial_by_itself(self, visit: Visit) -> None:
        person = self._people().by_id(visit.held_by or "")
        try:
            if person is None:
                raise not_held()
            await self._dial(visit, person, by_itself=True)
        except (Refused, PbxUnavailable) as fault:
            log.info("visit_not_dialled", visit=visit.id, why=fault.code)
            if fault.code == "visit_abandon_cap":
                await self.store.will_dial(visit, None)
                return
            until = fault.facts.get("until") if isinstance(fault, Refused) else None
            await self.store.let_go(visit, waits(visit, fault.code, until))

    # -- steps

    async def _next(self, person: Person, now: datetime, but: Collection[str]) -> Visit | None:
        supervisor = person.may(Right.REVIEW)
        for last in (False, False, True):
            try:
                return await self.store.claim_next(
                    person.id, now, LEASE, supervisor=supervisor, but=but
                )
            except Refused as fault:
                if fault.code == "visit_busy" or last:
                    raise
        return None

    async def _is_for_others(self, visit: Visit, person: Person, now: datetime) -> bool:
        """Tell whether somebody gave a visit back today that is not his, and others are there."""
        if visit.owner == person.id:
            return False
        began = datetime.combine(now.astimezone(self._house().zone), time(), self._house().zone)
        back = (await self.store.given_back([visit.id], began)).get(visit.id, frozenset())
        return person.id in back and await self._others(visit, back, now)

    async def _others(self, visit: Visit, back: Collection[str], now: datetime) -> bool:
        """Tell whether anybody is on duty who may make a visit and did not give it back."""
        duty = await self._duty.duty_at(now, visit.department)
        there = {one.person for one in duty.agents}
        return any(
            (not there or one.id in there)
            and one.id not in back
            and one.id != visit.avoid_agent
            and serves(one, visit.department)
            and (visit.by != "supervisor" or one.may(Right.REVIEW))
            for one in self._people().with_right(Right.OWN_WORK)
        )

    async def _checked(self, visit: Visit, person: Person, now: datetime) -> Visit:
        """Give back, until it may be made, what may not be made now."""
        _, said = await self._may(visit, person, now)
        if rules.may_take(visit, said, now):
            if MERCHANT not in visit.channels and await self._dials_itself(now):
                await self.store.will_dial(visit, now + self._house().visits.progressive_after)
            return visit
        assert isinstance(said, rules.Refusal)  # noqa: S101  what is allowed may be taken
        await self.store.let_go(visit, waits(visit, said.code, said.until))
        raise Refused(said.code, "this customer may not be called now", until=said.until)

    async def _may(
        self, visit: Visit, person: Person, now: datetime
    ) -> tuple[Customer, Allowed | rules.Refusal]:
        customer = await self._customers.get(visit.customer)
        if customer is None:
            raise Refused("visit_no_number", "nobody knows this customer any more")
        tries = await self._tries(visit.customer, now)
        wishes = wishes_of(customer)
        if self._live.lives(customer.phones):
            return customer, rules.Refusal(code="visit_customer_calls", until=now + CALL_LASTS)
        house, number = self._house(), self._number(customer) or ""
        said = rules.may_dial(visit, wishes, tries, now, person.id, house, number=number)
        return customer, said

    def _number(self, customer: Customer) -> str | None:
        """Give his first number as the trunk takes it; None: he has none."""
        main = next(iter(customer.phones), "")
        return dials.trunk_form(main, self._house().card.country)

    async def _dials_itself(self, now: datetime) -> bool:
        """Tell whether what is taken is dialled without a key, once the brief was shown."""
        visits = self._house().visits
        if visits.mode != "customer_first":
            return visits.mode == "progressive"
        found = await self.store.abandons(now - visits.abandoned.window)
        return self._may_ring_first(found)

    def _may_ring_first(self, found: Abandons) -> bool:
        """Ask the cap; whoever runs the house hears when it stops the mode, and lets it go on."""
        rules = self._house().visits.abandoned
        stopped = is_stopped(found, rules)
        if stopped != self._stopped:
            self._stopped = stopped
            facts = {"answered": found.answered, "abandoned": found.abandoned}
            if stopped:
                log.warning("customer_first_stopped", cap=str(rules.cap), **facts)
            else:
                log.info("customer_first_goes_on", cap=str(rules.cap), **facts)
        return may_ring_first(found, rules)

    async def _dial(self, visit: Visit, person: Person, *, by_itself: bool = False) -> Try:
        now, house = self._clock.now(), self._house()
        device = self._device(person)
        customer, said = await self._may(visit, person, now)
        if not isinstance(said, Allowed):
            raise Refused(said.code, "this customer may not be called now", until=said.until)
        number = self._number(customer)
        if number is None:
            raise Refused("visit_no_number", "this customer has no number that can be dialled")
        trunk = self._trunk(device, await self.store.tries_at(visit.id), house)
        hours = of_visit(visit, wishes_of(customer), house)
        made = Try(
            id=attempt_name(),
            visit=visit.id,
            customer=visit.customer,
            number=number,
            agent=person.id,
            purpose=visit.purpose,
            daypart=daypart(hours, now),
            allowed=said.reason,
            began_at=now,
            ended_at=None,
            outcome=None,
            counts=True,
            call=None,
            customer_first=house.visits.mode == "customer_first",
        )
        self._sending.add(made.id)
        try:
            made = await self._begin(visit, made, day_of(hours, now), by_itself=by_itself)
            await self._send(made, person, device, trunk)
        finally:
            self._sending.discard(made.id)
        return made

    async def _begin(self, visit: Visit, made: Try, day: date, *, by_itself: bool) -> Try:
        """Write an attempt down; where he may not be rung first, he is called as in preview."""
        since = made.began_at - self._house().visits.abandoned.window
        try:
            await self.store.begin(visit, made, day, since=since, allowed=self._may_ring_first)
        except Refused as fault:
            if fault.code != "visit_abandon_cap" or by_itself:
                raise
            made = replace(made, customer_first=False)
            await self.store.begin(visit, made, day)
        return made

    async def _send(self, made: Try, person: Person, device: Device, trunk: str) -> None:
        house, recorded = self._house(), _recorded(self._house())
        if made.customer_first:
            route = dials.customer_first(made.number, recorded=recorded)
            ring = dials.long_enough(house.dialing.ring_for, house.ring.cycle)
            to = dials.for_agent(device.name, house.visits.abandoned.within)
        else:
            route = dials.agent_first(device.name, made.number, recorded=recorded)
            ring, to = house.dialing.ring_for, {}
        wanted = Wanted(
            purpose=PURPOSE,
            subject=f"visit:{made.visit}",
            pbx=device.pbx,
            trunk=dials.endpoint(trunk),
            number=made.number,
            route=route,
            who=person.id,
            agent=person.id,
            ring_for=ring,
            variables=to,
        )

        async def still(conn: Connection) -> bool:
            return await self.store.lives(conn, made.id)

        try:
            await self._dialer.dial(wanted, attempt_id=made.id, still=still)
        except (Refused, PbxUnavailable):
            await self._not_sent(made)
            raise

    async def _not_sent(self, made: Try) -> None:
        """Let an attempt that was refused before it was sent be as if it were not made."""
        visit = await self.store.get(made.visit)
        async with self._db.write() as conn:
            await self.store.end_try(conn, made, Outcome.NOT_DIALLED, self._clock.now())
            if visit is not None:
                back = {
                    "state": State.CLAIMED.value,
                    "lease_until": self._clock.now() + LEASE,
                }
                await self.store.move(conn, visit, back, of=(State.IN_ATTEMPT,))

    async def _held(self, person: Person, visit: str, epoch: int) -> Visit:
        known = await self.store.get(visit)
        if known is None:
            raise Refused("no_visit", "there is no such visit")
        if known.held_by != person.id or known.epoch != epoch or known.state != State.CLAIMED:
            raise not_held()
        return known

    async def _check_duty(self, person: Person) -> None:
        """Refuse who is not on duty (visit_off_duty). A house without roster asks nobody."""
        if person.may(Right.REVIEW):
            return
        duty = await self._duty.duty_at(self._clock.now(), person.department)
        if duty.agents and person.id not in {one.person for one in duty.agents}:
            raise Refused("visit_off_duty", "only who is on duty makes visits")

    def _device(self, person: Person) -> Device:
        """Give the phone that is to ring. Raises `Refused` (visit_phone)."""
        standing = {
            device: self._plant.standing(device.pbx, device.name).state for device in person.devices
        }
        if any(state in ("on_call", "ringing") for state in standing.values()):
            raise Refused("visit_phone", "your phone is in use", state="on_call")
        ready = [one for one, state in standing.items() if state != "unreachable"]
        if not ready:
            raise Refused("visit_phone", "no phone of yours can be reached", state="unreachable")
        return ready[0]

    def _trunk(self, device: Device, tries: Sequence[Try], house: House) -> str:
        """Give the way out: the next one after each failure of the line (section dialing)."""
        ours = [one for one in house.dialing.trunks if self._plant.pbx_of(one) == device.pbx]
        if not ours:
            raise Refused("visit_no_trunk", "the house names no way out: `trunks` of [dialing]")
        failed = sum(one.outcome is Outcome.FAILED for one in tries)
        return ours[failed % len(ours)]

    async def _tries(self, customer: str, now: datetime) -> Sequence[Try]:
        return await self.store.tries_of(customer, now - LOOK_BACK)


def outcome_of(attempt: Attempt) -> Outcome | None:
    """Tell what became of a dialling that is over; None: it was answered, the agent tells."""
    if attempt.state is AttemptState.ANSWERED:
        return None
    if attempt.cause in NEVER_DIALLED:
        return Outcome.NOT_DIALLED
    return ENDS[attempt.state]


def is_abandoned(attempt: Attempt) -> bool:
    """Tell whether nobody was there in time for who was rung first; who cannot be sure, says so."""
    if attempt.state is AttemptState.ANSWERED:
        return attempt.cause == Cause.LATE
    doubt = attempt.customer_first and attempt.state is AttemptState.UNKNOWN
    return doubt or attempt.state is AttemptState.ABANDONED


def _recorded(house: House) -> bool:
    return house.recordings.required and "outbound" in house.recordings.directions


def over_id(made: Try | None) -> str:
    """Name an attempt; empty: there is none."""
    return made.id if made is not None else ""


def follows(
    visit: Visit,
    outcome: Outcome,
    step: Step,
    tries: Sequence[Try],
    now: datetime,
    by: str | None,
) -> dict[str, Any]:
    """Give what changes at a visit by a step: it ends, waits for a person, or is tried again."""
    values: dict[str, Any] = {
        "state": OPEN if step.state is None else step.state.value,
        "held_by": None,
        "lease_until": None,
        "dial_at": None,
        "epoch": visit.epoch + 1,
        "attempts": sum(one.visit == visit.id and one.counts for one in tries),
        "appointment_at": step.appointment_at,
        "avoid_agent": step.avoid_agent,
        "avoid_daypart": step.avoid_daypart,
        "explanations": step.explanations,
        "outcome": outcome.value,
    }
    if step.next_at is not None:
        values["next_at"] = step.next_at
    if step.release:
        values["owner"] = None
    if "fallback" in step.todo:
        values["fallback_sent"] = True
    if step.state in OVER:
        values |= {"ended_at": now, "ended_by": by or "cti"}
        if visit.due_at < now and not visit.breached:  # before anybody looked at it
            values |= {"breached": True, "breach_cause": rules.cause_of_end(visit, tries)}
    return values


def waits(visit: Visit, code: str, until: datetime | None) -> dict[str, Any]:
    """Give what changes at a visit that may not be dialled now: it waits until it may.

    What only this agent must not do, another one may do now.
    """
    if code == "avoid_agent" or until is None or until <= visit.next_at:
        return {}
    return {"next_at": until}


def looked_at(visit: Visit, now: datetime) -> dict[str, Any]:
    """Give what changes at an open visit as its time goes by: warned, breached, given up."""
    warned, again = next_look(visit.from_at, visit.due_at, visit.give_up_at, now)
    values: dict[str, Any] = {"warned": warned, "look_at": again}
    if warned == WARNINGS[-1] and not visit.breached:
        values |= {"breached": True, "breach_cause": rules.breach_cause(visit)}
    if now >= visit.give_up_at and visit.state == OPEN:
        values |= {
            "state": (State.UNREACHABLE if visit.attempts else State.CANCELLED).value,
            "ended_at": now,
            "ended_by": "cti",
            "breach_cause": visit.breach_cause or rules.breach_cause(visit),
        }
    elif now >= visit.give_up_at:
        values["look_at"] = now + LEASE  # somebody works on it, or a person has to decide
    return values
