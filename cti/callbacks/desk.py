"""The shell of the callbacks: opens, fulfils and ages them by itself; does what people ask.

It relies on no push. Again and again it asks which missed calls opened nothing yet, and in
which calls a customer to whom we owe one was reached; each is dealt with in one transaction,
and twice is once.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from cti.callbacks import rules
from cti.callbacks.rules import Callback
from cti.callbacks.store import By, CallbackStore, Count, Deed, Miss, Opening, Wanted
from cti.calls.record import AnsweredCall, MissedCall
from cti.clock import Clock
from cti.customers.rules import Customer
from cti.duty.rules import DutySet
from cti.errors import CommitUnknown, Refused, StoreUnavailable
from cti.house import House
from cti.people.rules import Directory, Person, Right

log = structlog.get_logger(__name__)

EVERY: Final = 1.0
"""Seconds between two looks."""
DEEP_EVERY: Final = timedelta(minutes=1)
"""So often all calls since the cursor are looked at, not only the newest."""
NEWEST: Final = timedelta(hours=1)
LONGEST: Final = timedelta(days=1)
"""No call, and no outage of the database, lasts longer before the call is stored as over."""
SETTLE: Final = timedelta(seconds=5)
"""So long after its end all is stored that tells a line test from a customer's call."""
OWN_LIMIT: Final = 100
PAGE: Final = 50


class Calls(Protocol):
    """What is asked of the calls."""

    async def missed_since(self, since: datetime) -> Sequence[MissedCall]:
        """Give the missed inbound calls that began at an instant or later, the oldest first."""
        ...

    async def answered_with(
        self, numbers: Iterable[str], since: datetime
    ) -> Sequence[AnsweredCall]:
        """Give the answered calls with these numbers since an instant, the oldest first."""
        ...


class Duty(Protocol):
    """Who is on duty."""

    async def duty_at(self, at: datetime, department: str) -> DutySet:
        """Give who is on duty at an instant; no department means all of them."""
        ...


class Tests(Protocol):
    """Which calls were tests of our own lines."""

    async def test_calls(self, calls: Collection[str]) -> Collection[str]:
        """Give those of some calls that were line tests."""
        ...


class Customers(Protocol):
    """Whose numbers are these?"""

    async def find_all(self, numbers: Collection[str]) -> Mapping[str, Sequence[Customer]]:
        """Give the customers of each number; a number that nobody has is left out."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A callback with whose number it is, as pages show it."""

    callback: Callback
    customers: Sequence[Customer]

    @property
    def do_not_call(self) -> bool:
        """Whether somebody with this number does not want to be called."""
        return any(customer.do_not_call for customer in self.customers)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """All that is known of one callback."""

    case: Case
    misses: Sequence[Miss]
    deeds: Sequence[Deed]


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """An agent's list: his own, and what he may take besides; `more` if a page follows."""

    own: Sequence[Case]
    free: Sequence[Case]
    more: bool


class CallbackDesk:
    """Opens, fulfils and ages callbacks, and lets people work on them.

    `house` and `people` are asked anew each time. Without `duty` there is no roster, and
    everybody may take what is free; without `tests` no call is a line test. A missed call is
    left alone for `settle`.
    """

    def __init__(
        self,
        store: CallbackStore,
        *,
        calls: Calls,
        customers: Customers,
        house: Callable[[], House],
        people: Callable[[], Directory],
        clock: Clock,
        duty: Duty | None = None,
        tests: Tests | None = None,
        settle: timedelta = SETTLE,
    ) -> None:
        self.store = store
        self._calls, self._customers, self._duty, self._tests = calls, customers, duty, tests
        self._house, self._people, self.clock = house, people, clock
        self._settle_for = settle
        self._planned_by: str | None = None
        self._deep_at: datetime | None = None

    @property
    def house(self) -> House:
        """The rules in force now."""
        return self._house()

    @property
    def people(self) -> Directory:
        """Everybody, as they are now."""
        return self._people()

    # -- by itself

    async def run(self) -> None:
        """Look again and again. Ends by being cancelled; whatever was begun is found again."""
        troubled = False
        while True:
            try:
                await self.look()
                troubled = False
            except (StoreUnavailable, CommitUnknown) as fault:
                if not troubled:
                    log.warning("callbacks_wait", code=fault.code, why=str(fault))
                troubled = True
            except Exception:
                if not troubled:
                    log.exception("callbacks_failed")
                troubled = True
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Do all that is to be done now. Doing it again does nothing.

        1. Plan again what was planned by other rules.
        2. Open or count a callback for each missed call that has had none, the oldest first.
        3. Fulfil what was answered.
        4. Let time pass: what is due, what a lease no longer holds.
        """
        now, house = self.clock.now(), self.house
        if self._planned_by != house.version:
            moved = await self.store.plan_again(house, now)
            self._planned_by = house.version
            log.info("callbacks_planned", moved=moved, policy=house.version)
        deep = self._deep_at is None or now - self._deep_at >= DEEP_EVERY
        for miss in await self._fresh(now, deep=deep):
            await self._open(miss, now)
        if deep:
            self._deep_at = now
            await self.store.move_cursor(now - LONGEST)
        await self._settle(await self.store.owed())
        await self.store.pass_time(now, house.version)

    async def _fresh(self, now: datetime, *, deep: bool) -> list[MissedCall]:
        """Give missed calls that were not dealt with: of the last hour, or (`deep`) of all."""
        since = await self.store.cursor(now)
        if not deep:
            since = max(since, now - NEWEST)
        missed = await self._calls.missed_since(since)
        settled = [miss for miss in missed if now - miss.at >= self._settle_for]
        handled = await self.store.handled([miss.call for miss in settled])
        return [miss for miss in settled if miss.call not in handled]

    async def _open(self, miss: MissedCall, now: datetime) -> None:
        house = self.house
        why = rules.why_none(house, miss, is_test=await self._is_test(miss.call))
        plan = rules.plan(house, miss.at)
        if why is not None or plan is None or miss.number is None:
            await self.store.opens_none(miss, why or rules.WhyNone.NO_CALL_TIMES)
            return
        answers = await self._answers_before(miss.number, miss.at)
        department = rules.department_of(house, miss)
        duty = await self._on_duty(max(now, plan.from_at), department)
        opening = Opening(
            miss=miss,
            plan=plan,
            department=department,
            owner=rules.first_choice(miss.rung, duty),
            zone=house.card.timezone,
            policy=house.version,
            answer=next((one for one in answers if one.at >= miss.at), None),
        )
        callback = await self.store.open(opening, now)
        log.info("callback_owed", callback=callback, call=miss.call, due_at=str(plan.due_at))

    async def _answers_before(self, number: str, missed: datetime) -> Sequence[AnsweredCall]:
        """Give the answered calls with a number; what is open ends by one before the miss."""
        known = await self.store.owed_to(number)
        since = min(missed, known.contact_after) if known else missed
        answers = await self._calls.answered_with([number], since)
        if known is not None:
            before = (one for one in answers if known.contact_after <= one.at < missed)
            if (answer := next(before, None)) is not None:
                await self.store.fulfil(known.id, answer)
        return answers

    async def _settle(self, owed: Sequence[tuple[str, str, datetime]]) -> None:
        """End what is open by the first call in which the customer was reached since."""
        if not owed:
            return
        first = min(since for _, _, since in owed)
        answers = await self._calls.answered_with([number for _, number, _ in owed], first)
        by_number: dict[str, list[AnsweredCall]] = {}
        for answer in answers:
            by_number.setdefault(answer.number, []).append(answer)
        for callback, number, since in owed:
            reached = (one for one in by_number.get(number, ()) if one.at >= since)
            first_one = next(reached, None)
            if first_one is not None and await self.store.fulfil(callback, first_one):
                log.info("callback_fulfilled", callback=callback, call=first_one.call)

    async def _is_test(self, call: str) -> bool:
        return self._tests is not None and call in await self._tests.test_calls([call])

    async def _on_duty(self, at: datetime, department: str) -> DutySet | None:
        return await self._duty.duty_at(at, department) if self._duty else None

    # -- what people see

    async def due_list(self, person: Person, after: str = "") -> Due:
        """Give somebody's own callbacks, and a page of those he may take besides."""
        now, department = self.clock.now(), person.department
        own = await self.store.own(person.id, OWN_LIMIT)
        free = await self.store.free(person.id, department, now, after=after, limit=PAGE + 1)
        cases = await self._cases([*own, *free[:PAGE]])
        return Due(own=cases[: len(own)], free=cases[len(own) :], more=len(free) > PAGE)

    async def find(self, wanted: Wanted) -> tuple[Sequence[Case], bool]:
        """Give a page of all callbacks, and whether another one follows."""
        found = await self.store.find(wanted, PAGE + 1)
        return await self._cases(found[:PAGE]), len(found) > PAGE

    async def count(self) -> Count:
        """Count what is open."""
        return await self.store.count()

    async def file(self, person: Person, callback: str) -> File:
        """Give all that is known of one callback. Raises `Refused` (no_callback)."""
        case = await self._case(person, callback)
        return File(
            case=case,
            misses=await self.store.misses_of(callback),
            deeds=await self.store.deeds(callback),
        )

    def callable_now(self) -> bool:
        """Tell whether customers may be called now."""
        return rules.is_callable(self.house, self.clock.now())

    async def _cases(self, found: Sequence[Callback]) -> list[Case]:
        whose = await self._customers.find_all({one.number for one in found})
        return [Case(callback=one, customers=whose.get(one.number, ())) for one in found]

    async def _case(self, person: Person, callback: str) -> Case:
        known = await self.store.get(callback)
        if known is None or not rules.may_see(person, known):
            raise Refused("no_callback", "there is no such callback")
        return (await self._cases([known]))[0]

    # -- what people do

    async def take(self, person: Person, callback: str, address: str) -> None:
        """Claim a callback for somebody who is going to call now.

        Raises `Refused`: no_callback, callback_rest, callback_do_not_call, callback_off_duty,
        callback_over, callback_taken, callback_owned.
        """
        case = await self._case(person, callback)
        by, house = self._by(person, address), self.house
        rules.check_open(case.callback)
        if not rules.is_callable(house, by.at):
            until = rules.opens_at(house, by.at)
            raise Refused("callback_rest", "customers rest now", until=until)
        if case.do_not_call:
            raise Refused("callback_do_not_call", "this customer does not want to be called")
        rules.check_duty(person, await self._on_duty(by.at, case.callback.department))
        await self.store.take(callback, by, anyones=person.may(Right.REVIEW))

    async def give_back(
        self, person: Person, callback: str, epoch: int, note: str, address: str
    ) -> None:
        """Give a callback back to all: no_callback, callback_not_held, callback_over."""
        await self._case(person, callback)
        note = rules.checked_note(note, needed=False)
        await self.store.give_back(callback, self._by(person, address), epoch, note)

    async def hand_over(
        self, person: Person, callback: str, epoch: int, to: str, note: str, address: str
    ) -> None:
        """Mean a callback that somebody holds for a colleague.

        Raises `Refused`: no_callback, callback_nobody, callback_not_held, callback_over.
        """
        case = await self._case(person, callback)
        colleague = self._colleague(to, case.callback)
        note = rules.checked_note(note, needed=False)
        by = self._by(person, address)
        await self.store.hand_over(callback, by, epoch, colleague.id, note)

    async def close(
        self, person: Person, callback: str, epoch: int, result: str, note: str, address: str
    ) -> None:
        """End a callback that somebody holds, with a result and a note.

        Raises `Refused`: no_callback, callback_result, callback_note_missing (only what is
        settled needs none), callback_not_held, callback_over.
        """
        await self._case(person, callback)
        given = rules.checked_result(result)
        note = rules.checked_note(note, needed=given is not rules.Result.SETTLED)
        await self.store.close(callback, self._by(person, address), epoch, given, note)

    async def assign(
        self, person: Person, callback: str, to: str, reason: str, address: str
    ) -> None:
        """Mean a callback for somebody, or (empty) for all, as a supervisor does.

        Raises `Refused`: no_callback, callback_nobody, callback_note_missing, callback_over.
        """
        case = await self._case(person, callback)
        owner = self._colleague(to, case.callback).id if to else None
        reason = rules.checked_note(reason, needed=True)
        await self.store.assign(callback, self._by(person, address), owner, reason)

    async def cancel(self, person: Person, callback: str, reason: str, address: str) -> None:
        """End a callback that need not be made: no_callback, callback_note_missing,
        callback_over."""
        await self._case(person, callback)
        reason = rules.checked_note(reason, needed=True)
        await self.store.cancel(callback, self._by(person, address), reason)

    async def reopen(self, person: Person, callback: str, reason: str, address: str) -> None:
        """Take a wrong end back.

        Raises `Refused`: no_callback, callback_note_missing, callback_not_over,
        callback_open_again.
        """
        await self._case(person, callback)
        reason = rules.checked_note(reason, needed=True)
        await self.store.reopen(callback, self._by(person, address), reason)

    def _by(self, person: Person, address: str) -> By:
        return By(
            person=person.id,
            at=self.clock.now(),
            address=address[:64],
            policy=self.house.version,
        )

    def _colleague(self, id: str, callback: Callback) -> Person:
        """Give somebody for whom a callback may be meant. Raises `Refused` (callback_nobody)."""
        person = self.people.by_id(id)
        if person is None or not person.may(Right.OWN_WORK):
            raise Refused("callback_nobody", "choose somebody who makes calls")
        if not rules.serves(person, callback.department):
            raise Refused("callback_nobody", "choose somebody of the department")
        return person
