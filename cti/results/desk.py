"""What people write down of visits, and what they do with it afterwards.

`WorkBook` opens the work that a visit leaves; `ResultDesk` ends visits with their records and
lets people tick off, answer and sign.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import structlog

from cti.callbacks.rules import serves
from cti.clock import Clock
from cti.customers.events import Event
from cti.db import audit
from cti.db.schema import Connection, new_id
from cti.errors import Refused
from cti.house import House
from cti.house_visits import NOT_SEATED, SEATED
from cti.people.rules import Person, Right, checked_text
from cti.results import forms, rules
from cti.results.forms import Form
from cti.results.record import (
    WORK_OF_STEP,
    Opinion,
    OpinionState,
    Promise,
    Record,
    Score,
    WorkItem,
    WorkKind,
)
from cti.results.rules import NOTE_LIMIT, TEXT_LIMIT, Heard, Said, first, local_time
from cti.results.store import By, ResultStore, Wanted
from cti.visits.attempts import Step, check_appointment
from cti.visits.record import BY_AGENT, MERCHANT, Outcome, State, Visit, Wishes
from cti.visits.store import VisitStore, not_held

log = structlog.get_logger(__name__)

PAGE: Final = 50


class Evidence(Protocol):
    """What is known of a call in which a visit was made."""

    async def __call__(self, call: str) -> tuple[timedelta | None, bool]:
        """Give how long was talked in a call that is over, and whether its recording is linked."""
        ...


class Finisher(Protocol):
    """Who lets a visit stand by its outcome (`cti.visits.calling.VisitCalls`)."""

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
        """Say what became of a visit, in the transaction of `conn`; see `VisitCalls.finish`."""
        ...


class Wanting(Protocol):
    """What a customer wants of us."""

    async def __call__(self, customer: str) -> Wishes:
        """Give his wishes; whom nobody knows any more wants no call."""
        ...


class Happened(Protocol):
    """What happened to customers (`cti.customers.store.EventStore`)."""

    async def get(self, event: str) -> Event | None:
        """Find an event by its id."""


class Orders(Protocol):
    """Where what became of a table is noted (`cti.customers.store.EventStore.seat`)."""

    async def __call__(self, conn: Connection, event: str, seating: str, note: str) -> None:
        """Note it on the order, in the transaction of `conn`."""
        ...


class WorkBook:
    """Opens the work that visits leave, in the transaction in which they leave it."""

    def __init__(self, store: ResultStore, house: Callable[[], House]) -> None:
        self.store, self._house = store, house

    async def open(
        self, conn: Connection, visit: Visit, todo: Sequence[str], now: datetime
    ) -> None:
        """Open the work that a step asks for (`visits.attempts.Step.todo`); twice is once."""
        kinds = [WORK_OF_STEP[one] for one in todo]
        await self.keep(conn, visit, kinds, now)

    async def keep(
        self,
        conn: Connection,
        visit: Visit,
        kinds: Sequence[WorkKind],
        now: datetime,
        text: str = "",
    ) -> None:
        """Open work of some kinds for a visit."""
        channels = self._house().visits.fallback_channels
        await self.store.open_work(
            conn,
            [
                WorkItem(
                    id=new_id(now),
                    kind=kind,
                    origin=f"{kind.value}|{visit.id}|{visit.explanations}",
                    visit=visit.id,
                    customer=visit.customer,
                    department=visit.department,
                    owner=visit.owner if kind is WorkKind.FALLBACK else None,
                    channel=next(iter(channels), "") if kind is WorkKind.FALLBACK else "",
                    text=text,
                    due_at=now + timedelta(days=self._house().visits.deadline),
                    opened_at=now,
                    done_by=None,
                    done_at=None,
                    note="",
                )
                for kind in kinds
            ],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """A record with all that belongs to it."""

    record: Record
    opinions: Sequence[Opinion]
    promises: Sequence[Promise]
    work: Sequence[WorkItem]
    scores: Sequence[Score]


class ResultDesk:
    """Ends visits with what they brought. `house` is asked anew each time."""

    def __init__(
        self,
        store: ResultStore,
        visits: VisitStore,
        *,
        finisher: Finisher,
        evidence: Evidence,
        wishes: Wanting,
        events: Happened,
        orders: Orders,
        house: Callable[[], House],
        clock: Clock,
    ) -> None:
        self.store, self._visits, self._finisher = store, visits, finisher
        self._evidence, self._wishes = evidence, wishes
        self._events, self._orders = events, orders
        self._house, self.clock = house, clock
        self._book = WorkBook(store, house)

    # -- a visit ends

    async def result(
        self, person: Person, visit: str, epoch: int, said: Said, address: str
    ) -> Step:
        """Let an agent say what became of a visit that he holds; give what follows.

        Raises `Refused`: no_visit, visit_not_held, visit_outcome, visit_on_call (hang up
        first), visit_not_dialled, visit_channel, visit_recording (none is linked, and nobody
        says why), what `attempts.check_appointment` and `rules.heard` refuse. Then nothing has
        changed.
        """
        held = await self._held(person, visit, epoch)
        outcome = _outcome(first(said, "outcome"))
        now = self.clock.now()
        by = By(person=person.id, at=now, address=address[:64], policy=self._house().version)
        if outcome is Outcome.DONE:
            form = self._house().form(held.form)
            return await self._done(held, person, said, by, form)
        appointment = await self._appointment(held, outcome, said, now)
        async with self.store.db.write() as conn:
            step = await self._finisher.finish(conn, held, outcome, now, appointment)
        log.info("visit_result", visit=visit, outcome=outcome, why=step.why)
        return step

    async def restaurant(
        self, person: Person, visit: str, epoch: int, said: Said, address: str
    ) -> bool:
        """Let an agent say what a restaurant told of its guest (CB-REST-02).

        Who is `seated` needs no call: the visit is done. Else that is noted on the order, and he
        is called himself, as the next step of the same visit. Tells whether it is done. Raises
        `Refused`: no_visit, visit_not_held, visit_channel (it asks no restaurant), visit_seating
        (say which), bad_text.
        """
        held = await self._held(person, visit, epoch)
        seated, note = first(said, "seated"), first(said, "note")
        if MERCHANT not in held.channels:
            raise Refused("visit_channel", "this visit asks no restaurant")
        if held.state != State.CLAIMED:
            raise not_held()
        if seated not in ("yes", "no"):
            raise Refused("visit_seating", "say whether the guest is seated")
        by = self._by(person, address)
        if seated == "yes":
            form = forms.at_restaurant(self._house().form(held.form))
            answers = {f"answer_{one.id}": [SEATED[0]] for one in form.fields}
            heard = {"channel": [MERCHANT], "note": [note], **answers}
            await self._done(held, person, heard, by, form)
            return True
        note = checked_text("note", note, NOTE_LIMIT)
        async with self.store.db.write() as conn:
            if held.event:
                await self._orders(conn, held.event, NOT_SEATED, note)
            await audit.record(
                conn,
                at=by.at,
                who=person.id,
                what="visit_not_seated",
                about=f"visit:{held.id}",
                reason=note,
                policy=by.policy,
                address=by.address,
            )
        return False

    async def _held(self, person: Person, visit: str, epoch: int) -> Visit:
        known = await self._visits.get(visit)
        if known is None:
            raise Refused("no_visit", "there is no such visit")
        if known.held_by != person.id or known.epoch != epoch:
            raise not_held()
        return known

    async def _appointment(
        self, visit: Visit, outcome: Outcome, said: Said, now: datetime
    ) -> datetime | None:
        if outcome not in (Outcome.APPOINTMENT, Outcome.SOLUTION_REFUSED):
            return None
        wishes, house = await self._wishes(visit.customer), self._house()
        zone = rules.zone_of(wishes, house)
        at = local_time(first(said, "appointment"), zone)
        if at is None:
            return None
        tries = await self._visits.tries_at(visit.id)
        check_appointment(visit, outcome, at, tries, wishes, now, house)
        return at

    async def _done(self, visit: Visit, person: Person, said: Said, by: By, form: Form) -> Step:
        if visit.state == State.IN_ATTEMPT:
            raise Refused("visit_on_call", "hang up first")
        house = self._house()
        what = rules.heard(form, said, house.zone, by.at)
        channel = _channel(visit, first(said, "channel"))
        if channel == "phone" and visit.state == State.CLAIMED:
            raise Refused("visit_not_dialled", "dial first, or say by what way it was made")
        call = await self._call(visit) if visit.state == State.WRAP_UP else None
        talk, recorded = await self._evidence(call) if call else (None, False)
        rules.check_recording(house, channel, recorded=recorded, gap=what.gap)
        record = Record(
            id=new_id(by.at),
            visit=visit.id,
            customer=visit.customer,
            rule=visit.rule,
            campaign=visit.campaign,
            period=visit.period,
            agent=person.id,
            channel=channel,
            place=what.place,
            at=by.at,
            form=visit.form,
            policy=house.version,
            answers=what.answers,
            satisfaction=what.satisfaction,
            identity=what.identity,
            note=what.note,
            call=call,
            talk_ms=None if talk is None else talk // timedelta(milliseconds=1),
            recorded=recorded,
            gap=what.gap,
            effective=rules.is_effective(house, what, talk=talk, recorded=recorded),
            signed_by=None,
            signed_at=None,
            signed_note="",
        )
        event = await self._events.get(visit.event) if visit.event else None
        persons = forms.scores(house.form(visit.form), what.answers, event.staff if event else {})
        async with self.store.db.write() as conn:
            called = visit.state != State.CLAIMED
            step = await self._finisher.finish(conn, visit, Outcome.DONE, by.at, called=called)
            await self._keep(conn, visit, record, what, by, persons)
            if visit.event and (seating := forms.seating(form, what.answers)):
                await self._orders(conn, visit.event, seating, what.note)
        log.info("visit_done", visit=visit.id, effective=record.effective)
        return step

    async def _call(self, visit: Visit) -> str | None:
        """Give the call in which a visit was made."""
        tries = await self._visits.tries_at(visit.id)
        return tries[-1].call if tries else None

    async def _keep(
        self,
        conn: Connection,
        visit: Visit,
        record: Record,
        what: Heard,
        by: By,
        persons: Sequence[tuple[str, str, str]],
    ) -> None:
        """Keep all that a visit brought: each promise is a visit of its own (CB-11)."""
        house = self._house()
        promised = _promises(record, what, by.at)
        items, praised = _opinions(record, what, by.at), _scores(record, persons, by.at)
        await self.store.keep(conn, record, items, promised, by, praised)
        owed = [rules.owed_by(one, visit, house) for one in promised]
        await self._visits.owe(conn, owed, by.at, house.version)
        complaints = "; ".join(one.text for one in what.items if one.kind == "complaint")
        await self._book.keep(conn, visit, rules.follow_ups(what), by.at, complaints[:TEXT_LIMIT])

    # -- afterwards

    async def work(self, wanted: Wanted) -> tuple[Sequence[WorkItem], bool]:
        """Give a page of work, and whether another one follows."""
        found = await self.store.work(wanted, PAGE + 1)
        return found[:PAGE], len(found) > PAGE

    async def tick(self, person: Person, item: str, note: str, address: str) -> None:
        """Say that work is done: no_work, work_done, work_not_yours, bad_text."""
        await self._check_work(person, item)
        note = checked_text("note", note, NOTE_LIMIT)
        await self.store.tick(item, self._by(person, address), note)

    async def untick(self, person: Person, item: str, reason: str, address: str) -> None:
        """Say that work is not done after all: no_work, work_open, work_not_yours, bad_text."""
        await self._check_work(person, item)
        reason = checked_text("reason", reason, NOTE_LIMIT)
        await self.store.untick(item, self._by(person, address), reason)

    async def assign(self, person: Person, item: str, to: Person | None, address: str) -> None:
        """Give work to somebody, or to nobody. An agent takes what is nobody's, or lets his go.

        Raises `Refused`: no_work, work_done, work_not_yours, work_not_given (only a supervisor
        gives work to others), visit_nobody (he makes no visits, or not of this department).
        """
        known = await self.store.item(item)
        if known is None:
            raise Refused("no_work", "there is no such work")
        supervises = person.may(Right.REVIEW)
        if to and not (to.may(Right.OWN_WORK) and serves(to, known.department)):
            raise Refused("visit_nobody", "choose somebody who makes visits")
        if to and to.id != person.id and not supervises:
            raise Refused("work_not_given", "only a supervisor gives work to others")
        by = self._by(person, address)
        await self.store.assign(item, by, to.id if to else None, any_ones=supervises)

    async def slip(self, record: str) -> Slip:
        """Give a record with all that belongs to it: no_visit_record."""
        known = await self.store.get(record)
        if known is None:
            raise Refused("no_visit_record", "there is no such record")
        return Slip(
            record=known,
            opinions=await self.store.opinions_of([known.id]),
            promises=await self.store.promises_of(known.id),
            work=await self.store.work_of(known.visit),
            scores=await self.store.scores_of(known.id),
        )

    async def slips(self, *, unsigned: bool, after: str) -> tuple[Sequence[Record], bool]:
        """Give a page of records, newest first, and whether another one follows."""
        found = await self.store.page(unsigned=unsigned, after=after, limit=PAGE + 1)
        return found[:PAGE], len(found) > PAGE

    async def sign(
        self, person: Person, record: str, note: str, address: str, *, signed: bool
    ) -> None:
        """Sign a slip, or take the signature back (CB-25).

        Raises `Refused`: no_visit_record, visit_signed, visit_unsigned, visit_own_slip,
        visit_unanswered (an item has no answer yet), bad_text.
        """
        slip = await self.slip(record)
        if signed and slip.record.agent == person.id:
            raise Refused("visit_own_slip", "somebody else signs it")
        if signed and any(one.state is not OpinionState.ANSWERED for one in slip.opinions):
            raise Refused("visit_unanswered", "an item has no answer yet")
        note = checked_text("note", note, NOTE_LIMIT)
        await self.store.sign(record, self._by(person, address), note, signed=signed)

    async def decide(
        self, person: Person, opinion: str, fields: Mapping[str, str], address: str
    ) -> None:
        """Pass an opinion on to a department, or write down its answer (CB-25, CB-34).

        Raises `Refused`: no_opinion, opinion_state, opinion_answer (say what), bad_text.
        """
        said = fields.get("state", "")
        if said not in list(OpinionState):
            raise Refused("opinion_state", "say where it stands")
        state = OpinionState(said)
        answer = checked_text("answer", fields.get("answer", ""), TEXT_LIMIT)
        department = checked_text("department", fields.get("department", ""), 64)
        if state is OpinionState.ANSWERED and not answer:
            raise Refused("opinion_answer", "say what the department answers")
        if state is OpinionState.PASSED_ON and not department:
            raise Refused("opinion_department", "say to which department")
        await self.store.decide(
            opinion,
            self._by(person, address),
            state=state,
            department=department,
            answer=answer,
            major=bool(fields.get("major")),
        )

    async def _check_work(self, person: Person, item: str) -> None:
        known = await self.store.item(item)
        if known is None:
            raise Refused("no_work", "there is no such work")
        if known.owner not in (None, person.id) and not person.may(Right.REVIEW):
            raise Refused("work_not_yours", "this is for somebody else", by=known.owner)

    def _by(self, person: Person, address: str) -> By:
        return By(
            person=person.id,
            at=self.clock.now(),
            address=address[:64],
            policy=self._house().version,
        )


def _outcome(text: str) -> Outcome:
    if text not in {one.value for one in BY_AGENT}:
        raise Refused("visit_outcome", "say what became of it")
    return Outcome(text)


def _channel(visit: Visit, said: str) -> str:
    """Give by what way it was made: one of its own; nothing said: by phone, or the first."""
    if not said and "phone" in visit.channels and visit.state == State.WRAP_UP:
        return "phone"
    if not said:
        return next(iter(visit.channels), "phone")
    if said not in visit.channels:
        raise Refused("visit_channel", "say by what way it was made")
    return said


def _opinions(record: Record, what: Heard, at: datetime) -> list[Opinion]:
    """Give the items with ids in their order."""
    return [
        Opinion(
            id=new_id(at + timedelta(milliseconds=n)),
            record=record.id,
            visit=record.visit,
            customer=record.customer,
            kind=one.kind,
            text=one.text,
            department=one.department,
            state=OpinionState.NEW,
            major=False,
            answer="",
            answered_by=None,
            answered_at=None,
            at=at,
        )
        for n, one in enumerate(what.items)
    ]


def _scores(record: Record, persons: Sequence[tuple[str, str, str]], at: datetime) -> list[Score]:
    """Give the scores of persons with ids in their order."""
    return [
        Score(
            id=new_id(at + timedelta(milliseconds=n)),
            record=record.id,
            visit=record.visit,
            customer=record.customer,
            agent=record.agent,
            role=role,
            person=person,
            score=score,
            at=at,
        )
        for n, (role, person, score) in enumerate(persons)
    ]


def _promises(record: Record, what: Heard, at: datetime) -> list[Promise]:
    if what.promise is None:
        return []
    text, until = what.promise
    facts: dict[str, Any] = {"record": record.id, "visit": record.visit, "agent": record.agent}
    return [
        Promise(id=new_id(at), customer=record.customer, text=text, at=until, made_at=at, **facts)
    ]
