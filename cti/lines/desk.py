"""Sees to it that every line is tested, watches the lines in between, and follows every fault.

Nothing relies on a push: each look asks the store for what is not done yet and does it once, so
that a crash at any point loses nothing and doubles nothing.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final, Protocol

import structlog

from cti.calls.phones import Standing
from cti.calls.record import DialledCall
from cti.clock import Clock
from cti.dials import rules as dials
from cti.dials.rules import Attempt, AttemptState, Wanted
from cti.duty.rules import DutySet
from cti.errors import PbxUnavailable, Refused, StoreUnavailable
from cti.house import House, TestedLine
from cti.lines.rules import (
    BY_PEOPLE,
    PHONES,
    QUALITIES,
    REMARK_LIMIT,
    SETTLED,
    TRIES,
    Arrived,
    Fault,
    LineTest,
    LineTestState,
    Slot,
    Step,
    Verdict,
    former_spans,
    limit_passed,
    lines_of,
    many_dead,
    place_of,
    skipped_why,
    slots,
    undetected,
    unusually_silent,
    verdict,
    who_tests,
)
from cti.lines.store import LineStore
from cti.people.rules import Person, Right, checked_text

log = structlog.get_logger(__name__)

TICK: Final = 1.0
WATCH_EVERY: Final = timedelta(seconds=60)
"""Look this often for what is suspicious between tests, and say that somebody looks."""
UNWATCHED: Final = timedelta(minutes=5)
"""A watch that was silent for longer around a test's time did not see whether it was done."""
EXTRA_WITHIN: Final = timedelta(minutes=10)
"""A test beside the plan must have its result by then."""
LOADS_OF: Final = timedelta(days=14)
"""Tests are given to people by turns, counted over so long."""
LONGEST_FAULT: Final = timedelta(days=3)
"""Who was on duty is asked for so long a time of a fault at the most."""


class Duty(Protocol):
    """Who is on duty (`cti.duty.store.DutyStore`)."""

    async def duty_at(self, at: datetime, department: str) -> DutySet:
        """Give the people on duty at an instant; department empty: of all."""
        ...


class Penalties(Protocol):
    """What a fault that nobody found may cost (`cti.penalties`)."""

    async def propose_line_fault(
        self, source: str, *, at: datetime, duty: DutySet, supervisor: str | None, note: str
    ) -> str:
        """Propose PEN-02 against those on duty, once for each source, however often asked."""
        ...


def duty_supervisor(duty: DutySet) -> str | None:
    """Give the supervisor on duty."""
    return duty.supervisor.person if duty.supervisor else None


class Arrival(Protocol):
    """One inbound call at one entry."""

    @property
    def began(self) -> datetime:
        """When it came in, by the PBX's clock."""
        ...

    @property
    def code(self) -> str | None:
        """What it brought to a line test; None when no test met it."""
        ...


class Calls(Protocol):
    """The calls (`cti.calls.store.CallStore`)."""

    async def dialled(self, channels: Collection[str]) -> Mapping[str, DialledCall]:
        """Give what became of channels that we dialled."""
        ...

    async def arrivals(self, pbx: str, entry: str, since: datetime) -> Sequence[Arrival]:
        """Give the inbound calls at an entry since an instant."""
        ...

    async def mark_test(self, out: str) -> None:
        """Let the calls that came of a test call of ours be tests too."""
        ...

    async def came_in(
        self, entry: str, spans: Sequence[tuple[datetime, datetime]]
    ) -> Sequence[int]:
        """Count the calls that came in at an entry in each of some times."""
        ...

    async def last_came_in(self, entry: str) -> datetime | None:
        """Tell when the last call came in at an entry."""
        ...


class Dialer(Protocol):
    """The only way out (`cti.dials.dialer.Dialer`)."""

    async def dial(self, wanted: Wanted) -> Attempt:
        """Dial once; see `Dialer.dial`."""
        ...


class Attempts(Protocol):
    """What was dialled (`cti.dials.store.DialStore`)."""

    async def of(self, subject: str) -> Attempt | None:
        """Give the last attempt for something."""
        ...


class Plant(Protocol):
    """The PBXs, as far as lines go."""

    def pbx_of(self, trunk: str) -> str | None:
        """Name the PBX that has a trunk; None when no PBX is set up."""
        ...

    def standing(self, pbx: str, device: str) -> Standing:
        """Say how a device stands."""
        ...

    def devices_of(self, people: Collection[str]) -> Mapping[tuple[str, str], str]:
        """Give the (pbx, device) of people, each with its owner."""
        ...


class LineDesk:
    """Line tests and faults. `run` is its one task."""

    def __init__(
        self,
        *,
        store: LineStore,
        attempts: Attempts,
        dialer: Dialer,
        calls: Calls,
        duty: Duty,
        penalties: Penalties | None,
        supervisor: Callable[[DutySet], str | None] = duty_supervisor,
        plant: Plant,
        house: Callable[[], House],
        clock: Clock,
        code: Callable[[], str] = lambda: f"{secrets.randbelow(900_000) + 100_000}",
    ) -> None:
        self.store, self.house = store, house
        self._attempts, self._dialer, self._calls = attempts, dialer, calls
        self._duty, self._penalties, self._plant = duty, penalties, plant
        self._supervisor = supervisor
        self._clock, self._code = clock, code
        self._planned: tuple[date, str] | None = None
        self._began: datetime | None = None
        self._seen_before: datetime | None = None
        self._watched: datetime | None = None
        self._nobody: dict[str, datetime] = {}
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            try:
                async with asyncio.timeout(TICK):
                    await self._wake.wait()
            except TimeoutError:
                continue
            self._wake.clear()

    async def look(self) -> None:
        """Do once all that is to be done now; a part that fails costs itself alone."""
        now = self._clock.now()
        for part in (self._plan, self._go_on, self._judge, self._suspect):
            await self._safely(part, now)

    async def _safely(self, part: Callable[[datetime], Awaitable[None]], now: datetime) -> None:
        try:
            await part(now)
        except StoreUnavailable as fault:
            log.warning("lines_not_looked_after", why=str(fault))
        except Exception:
            log.exception("lines_failed", part=part.__name__)

    # -- tests

    async def _plan(self, now: datetime) -> None:
        house = self.house()
        today = now.astimezone(house.zone).date()
        if self._began is None:
            self._seen_before = await self.store.watched()
            self._began = now
        if self._planned != (today, house.version):
            await self.store.plan(today, slots(house, today), now)
            self._planned = today, house.version

    async def _go_on(self, now: datetime) -> None:
        tests = await self.store.open_tests()
        busy = any(test.attempt for test in tests)
        for test in tests:
            if test.starts_at > now:
                continue
            if test.state is LineTestState.PLANNED or test.person is None:
                test = await self._give_out(test, now)
            if test.attempt or test.code:
                busy |= await self._take_result(test, now)
            elif now >= test.due_at:
                await self._skip(test, now)
            elif not busy and self._machine_may(test):
                busy = await self._try(test, now)

    def _machine_may(self, test: LineTest) -> bool:
        automatic = self.house().line_test.automatic or test.asked_by is not None
        return automatic and test.tries < TRIES

    async def _give_out(self, test: LineTest, now: datetime) -> LineTest:
        """Let a test become due and give it to somebody; where nobody is, ask again later."""
        asked = self._nobody.get(test.id)
        if asked is not None and now - asked < WATCH_EVERY:
            return test
        self._nobody[test.id] = now
        duty = await self._duty.duty_at(now, "")
        since = test.day - LOADS_OF
        person = who_tests(duty.agents, test.shift, await self.store.loads(since))
        if test.state is LineTestState.PLANNED or person is not None:
            await self.store.become_due(test, person)
            log.info("line_test_due", test=test.id, person=person, trunk=test.trunk)
        return await self.store.test(test.id)

    async def _try(self, test: LineTest, now: datetime) -> bool:
        """Let the machine test a line; True when a call is under way now."""
        house = self.house()
        pbx = self._plant.pbx_of(test.trunk)
        number = dials.to_dial(test.dial)
        if pbx is None or number is None:
            await self._hindered(test, "dial_number" if pbx else "no_pbx")
            return False
        test = await self.store.trying(test, self._code())
        ring = house.line_test.arrive_within
        wanted = Wanted(
            purpose=dials.LINE_TEST,
            subject=_subject(test),
            pbx=pbx,
            trunk=test.trunk,
            number=number,
            route=dials.line_test(number),
            who=test.asked_by or "cti",
            ring_for=ring,
            variables={
                "CTI_CODE": test.code,
                "CTI_ENTRY": test.arrives_at,
                "CTI_AWAIT": str(int((ring + dials.SEND_WITHIN).total_seconds())),
            },
        )
        try:
            attempt = await self._dialer.dial(wanted)
        except (Refused, PbxUnavailable) as fault:
            await self._hindered(test, fault.code)
            return False
        await self.store.tried(test, attempt.id, "")
        return True

    async def _hindered(self, test: LineTest, cause: str) -> None:
        if test.cause != cause:
            log.warning("line_test_hindered", test=test.id, trunk=test.trunk, cause=cause)
        await self.store.tried(test, None, cause)

    async def _take_result(self, test: LineTest, now: datetime) -> bool:
        """Take the result of a machine test that is under way; True while it still is.

        The attempt is found by what it is for: we may have died before we wrote it down.
        """
        attempt = await self._attempts.of(_subject(test))
        if attempt is None or attempt.state is AttemptState.PLANNED:
            await self.store.unsure(test, "")
            return False
        if not attempt.over:
            return True
        found = (await self._calls.dialled([attempt.id])).get(attempt.id)
        arrived: list[Arrived] = []
        if found is not None:
            await self._calls.mark_test(found.call)
        if found and found.began:
            arrived = [
                Arrived(began=one.began, code=one.code)
                for one in await self._calls.arrivals(attempt.pbx, test.arrives_at, found.began)
                if one.code is not None
            ]
        within = self.house().line_test.arrive_within
        said = verdict(attempt, found, arrived, test.code, within)
        if said.passed is None:
            settled = attempt.state is not AttemptState.UNKNOWN
            await self.store.unsure(test, said.cause, again=settled)
            return False
        await self.store.finish(test, said, "cti", now, call=found.call if found else None)
        log.info(
            "line_tested",
            test=test.id,
            trunk=test.trunk,
            passed=said.passed,
            cause=said.cause or None,
        )
        return False

    async def _skip(self, test: LineTest, now: datetime) -> None:
        before = self._seen_before
        watched = (self._began is not None and self._began <= test.due_at) or (
            before is not None and test.due_at - before < UNWATCHED
        )
        cause = skipped_why(test, watched=watched)
        await self.store.skip(test, cause)
        log.warning("line_test_skipped", test=test.id, trunk=test.trunk, cause=cause)

    # -- what people do

    async def run_now(self, place: str, who: Person, address: str = "") -> LineTest:
        """Let the machine test a line at once. Raises `Refused` (no_such_line)."""
        now, line = self._clock.now(), self._line(place)
        slot = Slot(
            key="",
            day=now.astimezone(self.house().zone).date(),
            shift="",
            starts_at=now,
            due_at=now + EXTRA_WITHIN,
            line=line,
        )
        test = await self.store.ask(slot, who.id, now, address)
        self._wake.set()
        return test

    async def confirm(
        self, test_id: str, who: Person, quality: str, remark: str, address: str = ""
    ) -> None:
        """Keep a person's word on what the machine found.

        Raises `Refused`: no_such_test, not_your_test, test_over, line_quality, bad_text.
        """
        test = await self._mine(test_id, who)
        remark = _checked(quality, remark)
        await self.store.confirm(test, who.id, quality, remark, self._clock.now(), address)

    async def record(
        self,
        test_id: str,
        who: Person,
        *,
        passed: bool,
        quality: str,
        remark: str,
        address: str = "",
    ) -> None:
        """Keep a test that a person made by hand (LINE-03). Raises as `confirm` does."""
        test = await self._mine(test_id, who)
        remark = _checked(quality, remark)
        said = Verdict(passed=passed, cause="" if passed else "by_hand")
        done = await self.store.finish(
            test,
            said,
            who.id,
            self._clock.now(),
            quality=quality,
            remark=remark,
            address=address,
        )
        if not done:
            raise Refused("test_over", "this test has a result already")

    async def _mine(self, test_id: str, who: Person) -> LineTest:
        test = await self.store.test(test_id)
        if test.person != who.id and not (who.may(Right.REVIEW) or who.may(Right.LINES)):
            raise Refused("not_your_test", "this test is somebody else's")
        return test

    async def report(
        self, place: str, began: datetime, note: str, who: Person, address: str = ""
    ) -> Fault:
        """Keep a fault that a person found. Raises `Refused` (no_such_line, fault_time,
        fault_known, bad_text)."""
        now = self._clock.now()
        if place != PHONES:
            self._line(place)
        if not now - LONGEST_FAULT <= began <= now:
            raise Refused("fault_time", "a fault began within the last three days")
        note = checked_text("note", note, REMARK_LIMIT)
        fault = await self.store.report(place, began, note, who.id, now, address)
        log.warning("line_fault", fault=fault.id, place=place, by=who.id)
        self._wake.set()
        return fault

    async def step(
        self, fault_id: str, step: str, note: str, who: Person, address: str = ""
    ) -> Fault:
        """Do what follows about a fault (LINE-05).

        Raises `Refused`: no_such_fault, fault_step, bad_text.
        """
        if step not in BY_PEOPLE:
            raise Refused("fault_step", "this step does not follow", state=step[:16])
        note = checked_text("note", note, REMARK_LIMIT)
        return await self.store.step(fault_id, Step(step), who.id, note, self._clock.now(), address)

    def _line(self, place: str) -> TestedLine:
        for line in lines_of(self.house()):
            if place_of(line.trunk, line.dial) == place:
                return line
        raise Refused("no_such_line", "the house file has no such line")

    # -- faults

    async def _judge(self, now: datetime) -> None:
        """Ask of each new fault whether it was found in time, and propose PEN-02 where not."""
        for fault in await self.store.to_judge():
            late = None
            if fault.source == "person":
                skipped = await self.store.skipped(fault.place, fault.began_at, fault.found_at)
                late = undetected(fault, skipped, await self._limit_passed(fault))
            if late is not None and self._penalties is not None:
                duty = await self._duty.duty_at(late.at, "")
                await self._penalties.propose_line_fault(
                    fault.id,
                    at=late.at,
                    duty=duty,
                    supervisor=self._supervisor(duty),
                    note=f"{late.why} {fault.place}",
                )
            await self.store.judged(fault, now)

    async def _limit_passed(self, fault: Fault) -> datetime | None:
        """Find when somebody had been on duty with the fault for longer than the limit."""
        limit = self.house().line_test.detection_limit
        every = max(limit / 12, timedelta(minutes=1))
        at = max(fault.began_at, fault.found_at - LONGEST_FAULT)
        samples = []
        while at < fault.found_at:
            duty = await self._duty.duty_at(at, "")
            samples.append((at, bool(duty.agents)))
            at += every
        return limit_passed(samples, limit)

    async def _suspect(self, now: datetime) -> None:
        """Look between tests for what is suspicious (LINE-08)."""
        if self._watched is not None and now - self._watched < WATCH_EVERY:
            return
        self._watched = now
        await self.store.watching(now)
        house = self.house()
        for line in lines_of(house):
            pbx = self._plant.pbx_of(line.trunk)
            place = place_of(line.trunk, line.dial)
            if pbx and (since := self._dead(pbx, f"PJSIP/{line.trunk}", now)):
                await self._raise(place, "trunk", since, now)
            elif house.is_open(now) and (quiet := await self._silent(line, now)):
                await self._raise(place, "silence", quiet, now)
        await self._suspect_phones(now)

    async def _suspect_phones(self, now: datetime) -> None:
        duty = await self._duty.duty_at(now, "")
        phones = self._plant.devices_of([one.person for one in duty.agents])
        dead = {phone: since for phone in phones if (since := self._dead(*phone, now))}
        if many_dead(dead, phones):
            await self._raise(PHONES, "phones", max(dead.values()), now)

    def _dead(self, pbx: str, device: str, now: datetime) -> datetime | None:
        """Tell since when a device is out of reach, if it is for long enough."""
        standing = self._plant.standing(pbx, device)
        if standing.state != "unreachable" or standing.since is None:
            return None
        return standing.since if now - standing.since >= SETTLED else None

    async def _silent(self, line: TestedLine, now: datetime) -> datetime | None:
        """Tell since when a line is silent, if that is unusual."""
        local = now.astimezone(self.house().zone)
        since = local.replace(hour=0, minute=0, second=0, microsecond=0)
        last = await self._calls.last_came_in(line.arrives_at)
        if last is None:
            return None
        since = max(since, last)
        spans = former_spans(since, now, self.house())
        counts = await self._calls.came_in(line.arrives_at, spans)
        return since if unusually_silent(counts) else None

    async def _raise(self, place: str, kind: str, began: datetime, now: datetime) -> None:
        fault = await self.store.suspect(place, kind, began, "", now)
        if fault is not None:
            log.warning("line_suspected", fault=fault.id, place=place, kind=kind)


def _subject(test: LineTest) -> str:
    return f"line_test:{test.id}:{test.tries}"


def _checked(quality: str, remark: str) -> str:
    if quality not in QUALITIES:
        raise Refused("line_quality", "say how the line sounded: good, fair or bad")
    return checked_text("remark", remark, REMARK_LIMIT)
