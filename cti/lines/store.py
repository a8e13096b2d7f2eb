"""Keeps line tests, faults with what was done about them, and the phone bills that are paid."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields, replace
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Date,
    ForeignKey,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    text,
    update,
)

from cti.db import audit
from cti.db.engine import Database
from cti.db.schema import Connection, Instant, metadata, new_id
from cti.errors import Refused
from cti.lines.rules import (
    OVER,
    PHONES,
    STEPS,
    TRIES,
    Fault,
    FaultState,
    FaultStep,
    LineTest,
    LineTestState,
    Slot,
    Step,
    Verdict,
    next_state,
    was_faulty,
)

_ID: Final = String(32)
_OPEN_TESTS: Final = (LineTestState.PLANNED.value, LineTestState.DUE.value)

tests: Final = Table(
    "line_tests",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("slot", String(200), nullable=False, unique=True),
    Column("source", String(8), nullable=False),
    Column("day", Date, nullable=False),
    Column("shift", String(64), nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False, index=True),
    Column("trunk", String(64), nullable=False),
    Column("dial", String(32), nullable=False),
    Column("arrives_at", String(64), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("cause", String(32), nullable=False),
    Column("person", _ID, index=True),
    Column("asked_by", _ID),
    Column("tries", Integer, nullable=False),
    Column("code", String(16), nullable=False),
    Column("attempt", String(64)),
    Column("done_at", Instant),
    Column("by", _ID),
    Column("call", _ID),
    Column("confirmed_at", Instant),
    Column("confirmed_by", _ID),
    Column("quality", String(8), nullable=False),
    Column("remark", Text, nullable=False),
)
"""One row per test. `slot` names what a day asks for, so that no test is planned twice."""

faults: Final = Table(
    "line_faults",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("place", String(100), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("source", String(8), nullable=False),
    Column("state", String(16), nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("found_at", Instant, nullable=False),
    Column("found_by", _ID, nullable=False),
    Column("note", Text, nullable=False),
    Column("test", _ID),
    Column("fixed_at", Instant),
    Column("ended_at", Instant),
    Column("judged_at", Instant),
    Index(
        "uq_line_faults_open_place",
        "place",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)
"""One row per fault; a place has one that is not over."""

steps: Final = Table(
    "line_fault_steps",
    metadata,
    Column("fault", _ID, ForeignKey("line_faults.id", ondelete="CASCADE"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("who", _ID, nullable=False),
    Column("step", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("note", Text, nullable=False),
)

bills: Final = Table(
    "line_bills",
    metadata,
    Column("month", String(7), primary_key=True),
    Column("who", _ID, nullable=False),
    Column("at", Instant, nullable=False),
)
"""Months whose phone bill somebody has ticked off."""

watch: Final = Table(
    "line_watch",
    metadata,
    Column("name", String(8), primary_key=True),
    Column("at", Instant, nullable=False),
)
"""One row, `lines`: until when the tests were watched, give or take."""


_OPEN: Final = (
    select(tests).where(tests.c.state.in_(_OPEN_TESTS)).order_by(tests.c.due_at, tests.c.slot)
)
_NOT_ASKED: Final = (FaultState.SUSPECTED.value, FaultState.DISMISSED.value)
_TO_JUDGE: Final = (
    select(faults)
    .where(faults.c.judged_at.is_(None), faults.c.state.not_in(_NOT_ASKED))
    .order_by(faults.c.found_at)
)


class LineStore:
    """Line tests and faults in the database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    # -- planning

    async def plan(self, day: date, wanted: Sequence[Slot], now: datetime) -> None:
        """Write down the tests of a day that are not there yet; those no longer asked for go.

        A test whose time is over when it is first thought of was watched by nobody.
        """
        keys = [slot.key for slot in wanted]
        async with self._db.write() as conn:
            await self._db.alone(conn, "line_tests")
            await conn.execute(
                delete(tests).where(
                    tests.c.day == day,
                    tests.c.source == "plan",
                    tests.c.state == LineTestState.PLANNED.value,
                    tests.c.slot.not_in(keys),
                )
            )
            there = set((await conn.scalars(select(tests.c.slot).where(tests.c.day == day))).all())
            rows = [_planned(slot, now) for slot in wanted if slot.key not in there]
            if rows:
                await conn.execute(insert(tests), rows)

    async def ask(self, slot: Slot, who: str, now: datetime, address: str = "") -> LineTest:
        """Write down a test beside the plan that somebody asked for."""
        test_id = new_id(now)
        row = _planned(slot, now) | {
            "id": test_id,
            "slot": test_id,
            "source": "extra",
            "state": LineTestState.DUE.value,
            "cause": "",
            "person": who,
            "asked_by": who,
        }
        async with self._db.write() as conn:
            await conn.execute(insert(tests).values(row))
            await audit.record(
                conn,
                at=now,
                who=who,
                what="line_test_asked",
                about=f"line_test:{test_id}",
                after={"trunk": slot.line.trunk, "dial": slot.line.dial},
                address=address,
            )
        return await self.test(test_id)

    # -- tests

    async def open_tests(self) -> list[LineTest]:
        """Give the tests that have no result yet, in the order in which they are due."""
        return [_test(row) for row in await self._db.ask(_OPEN, {})]

    async def of_day(self, day: date, person: str | None = None) -> list[LineTest]:
        """Give a day's tests, of one person or of all."""
        mine = [tests.c.person == person] if person is not None else []
        return await self._tests(tests.c.day == day, tests.c.due_at, tests.c.slot, *mine)

    async def history(
        self, before: str | None = None, limit: int = 50, person: str | None = None
    ) -> list[LineTest]:
        """Give tests that are over, newest first, from before the test `before` on."""
        more: list[ColumnElement[bool]] = [tests.c.state.not_in(_OPEN_TESTS)]
        if person is not None:
            more.append(tests.c.person == person)
        if before:
            more.append(tests.c.id < before)
        async with self._db.read() as conn:
            found = await conn.execute(
                select(tests).where(*more).order_by(tests.c.id.desc()).limit(limit)
            )
            return [_test(row) for row in found]

    async def test(self, test_id: str) -> LineTest:
        """Give one test. Raises `Refused` (no_such_test)."""
        async with self._db.read() as conn:
            return await _get_test(conn, test_id)

    async def to_confirm(self, person: str | None = None) -> list[LineTest]:
        """Give the tests that the machine passed and nobody has confirmed yet."""
        more = [tests.c.person == person] if person is not None else []
        return await self._tests(
            tests.c.confirmed_at.is_(None),
            tests.c.due_at,
            tests.c.slot,
            tests.c.state == LineTestState.PASSED.value,
            *more,
        )

    async def loads(self, since: date) -> dict[str, int]:
        """Count each person's planned tests since a day."""
        async with self._db.read() as conn:
            found = await conn.execute(
                select(tests.c.person, func.count().label("n"))
                .where(tests.c.day >= since, tests.c.source == "plan", tests.c.person.is_not(None))
                .group_by(tests.c.person)
            )
            return {row.person: row.n for row in found}

    async def become_due(self, test: LineTest, person: str | None) -> None:
        """Let a planned test become due, or give a due one to a person."""
        async with self._db.write() as conn:
            await conn.execute(
                update(tests)
                .where(tests.c.id == test.id, tests.c.state.in_(_OPEN_TESTS))
                .values(state=LineTestState.DUE.value, person=person)
            )

    async def trying(self, test: LineTest, code: str) -> LineTest:
        """Write down the code that the next machine call will carry, before it is dialled."""
        async with self._db.write() as conn:
            await conn.execute(
                update(tests)
                .where(tests.c.id == test.id)
                .values(code=code, tries=test.tries + 1, attempt=None)
            )
        return await self.test(test.id)

    async def tried(self, test: LineTest, attempt: str | None, cause: str) -> None:
        """Write down the attempt of a machine test, or what hinders it (then no try is lost)."""
        values: dict[str, Any] = {"attempt": attempt, "cause": cause}
        if attempt is None:
            values |= {"code": "", "tries": max(test.tries - 1, 0)}
        async with self._db.write() as conn:
            await conn.execute(update(tests).where(tests.c.id == test.id).values(values))

    async def unsure(self, test: LineTest, cause: str, *, again: bool = True) -> None:
        """Let a machine try that proved nothing be over; the test stays due.

        Not `again`: nobody knows whether it was dialled, so a person must look first.
        """
        tries = test.tries if again else max(test.tries, TRIES)
        async with self._db.write() as conn:
            await conn.execute(
                update(tests)
                .where(tests.c.id == test.id)
                .values(attempt=None, code="", cause=cause, tries=tries)
            )

    async def finish(
        self,
        test: LineTest,
        verdict: Verdict,
        who: str,
        now: datetime,
        *,
        call: str | None = None,
        quality: str = "",
        remark: str = "",
        address: str = "",
    ) -> bool:
        """Keep a result, and what follows for faults of the line, in one transaction.

        A failed test opens a fault; one that passes confirms what was fixed and dismisses what
        was only suspected. False: the test had a result already, and nothing was changed.
        """
        state = LineTestState.PASSED if verdict.passed else LineTestState.FAILED
        values: dict[str, Any] = {
            "state": state.value,
            "cause": verdict.cause,
            "done_at": now,
            "by": who,
            "call": call,
        }
        if who != "cti":
            values |= {"confirmed_at": now, "confirmed_by": who}
            values |= {"quality": quality, "remark": remark}
        async with self._db.write() as conn:
            await self._db.alone(conn, "line_faults")
            done = await conn.execute(
                update(tests)
                .where(tests.c.id == test.id, tests.c.state.in_(_OPEN_TESTS))
                .values(values)
            )
            if not done.rowcount:
                return False
            await audit.record(
                conn,
                at=now,
                who=who,
                what="line_test",
                about=f"line_test:{test.id}",
                before={"state": test.state.value},
                after={"state": state.value, "cause": verdict.cause, "quality": quality},
                reason=remark,
                address=address,
            )
            await self._fault_of(conn, test, verdict, who, now)
        return True

    async def skip(self, test: LineTest, cause: str) -> None:
        """Let a test whose time is over be skipped."""
        async with self._db.write() as conn:
            await conn.execute(
                update(tests)
                .where(tests.c.id == test.id, tests.c.state.in_(_OPEN_TESTS))
                .values(state=LineTestState.SKIPPED.value, cause=cause)
            )

    async def confirm(
        self, test: LineTest, who: str, quality: str, remark: str, now: datetime, address: str = ""
    ) -> None:
        """Keep a person's word on a machine test. Raises `Refused` (test_over)."""
        async with self._db.write() as conn:
            done = await conn.execute(
                update(tests)
                .where(
                    tests.c.id == test.id,
                    tests.c.confirmed_at.is_(None),
                    tests.c.state.in_((LineTestState.PASSED.value, LineTestState.FAILED.value)),
                )
                .values(confirmed_at=now, confirmed_by=who, quality=quality, remark=remark)
            )
            if not done.rowcount:
                raise Refused("test_over", "nothing is left to be confirmed")
            await audit.record(
                conn,
                at=now,
                who=who,
                what="line_test_confirmed",
                about=f"line_test:{test.id}",
                after={"quality": quality},
                reason=remark,
                address=address,
            )

    async def skipped(self, place: str, began: datetime, ended: datetime) -> list[LineTest]:
        """Give a line's planned tests that were skipped in a time, by when they were due."""
        found = await self._tests(
            tests.c.state == LineTestState.SKIPPED.value,
            tests.c.due_at,
            tests.c.slot,
            tests.c.due_at > began,
            tests.c.due_at < ended,
        )
        return [test for test in found if test.place == place]

    # -- faults

    async def suspect(
        self, place: str, kind: str, began: datetime, note: str, now: datetime
    ) -> Fault | None:
        """Raise a suspicion (LINE-08); None when the place has a fault already."""
        async with self._db.write() as conn:
            await self._db.alone(conn, "line_faults")
            if await _open_fault(conn, place):
                return None
            return await self._raise(
                conn,
                Fault(
                    id=new_id(now),
                    place=place,
                    kind=kind,
                    source="machine",
                    state=FaultState.SUSPECTED,
                    began_at=began,
                    found_at=now,
                    found_by="cti",
                    note=note,
                ),
            )

    async def report(
        self, place: str, began: datetime, note: str, who: str, now: datetime, address: str = ""
    ) -> Fault:
        """Keep a fault that a person found; what was only suspected is open from now on.

        Raises `Refused` (fault_known): the place has an open fault.
        """
        async with self._db.write() as conn:
            await self._db.alone(conn, "line_faults")
            known = await _open_fault(conn, place)
            if known is not None and known.state is not FaultState.SUSPECTED:
                raise Refused("fault_known", "this fault is known already")
            if known is not None:
                return await self._step(conn, known, Step.ACCEPT, who, note, now, address=address)
            return await self._raise(
                conn,
                Fault(
                    id=new_id(now),
                    place=place,
                    kind="person",
                    source="person",
                    state=FaultState.OPEN,
                    began_at=began,
                    found_at=now,
                    found_by=who,
                    note=note,
                ),
                address,
            )

    async def step(
        self, fault_id: str, step: Step, who: str, note: str, now: datetime, address: str = ""
    ) -> Fault:
        """Do what follows about a fault. Raises `Refused` (no_such_fault, fault_step)."""
        async with self._db.write() as conn:
            await self._db.alone(conn, "line_faults")
            row = (await conn.execute(select(faults).where(faults.c.id == fault_id))).first()
            if row is None:
                raise Refused("no_such_fault", "there is no such fault")
            return await self._step(conn, _fault(row), step, who, note, now, address=address)

    async def fault(self, fault_id: str) -> Fault:
        """Give one fault. Raises `Refused` (no_such_fault)."""
        async with self._db.read() as conn:
            row = (await conn.execute(select(faults).where(faults.c.id == fault_id))).first()
        if row is None:
            raise Refused("no_such_fault", "there is no such fault")
        return _fault(row)

    async def open_faults(self) -> list[Fault]:
        """Give the faults that are not over, oldest first."""
        async with self._db.read() as conn:
            found = await conn.execute(
                select(faults).where(faults.c.ended_at.is_(None)).order_by(faults.c.found_at)
            )
            return [_fault(row) for row in found]

    async def past_faults(self, limit: int = 20) -> list[Fault]:
        """Give the last faults that are over, newest first."""
        async with self._db.read() as conn:
            found = await conn.execute(
                select(faults)
                .where(faults.c.ended_at.is_not(None))
                .order_by(faults.c.ended_at.desc())
                .limit(limit)
            )
            return [_fault(row) for row in found]

    async def steps_of(self, ids: Collection[str]) -> dict[str, list[FaultStep]]:
        """Give what was done about faults, in order."""
        found: dict[str, list[FaultStep]] = {one: [] for one in ids}
        async with self._db.read() as conn:
            rows = await conn.execute(
                select(steps).where(steps.c.fault.in_(sorted(ids))).order_by(steps.c.n)
            )
            for row in rows:
                given = {**row._mapping, "step": Step(row.step), "state": FaultState(row.state)}
                found[row.fault].append(FaultStep(**given))
        return found

    async def fault_at(self, pbx: str, trunk: str, began: datetime, ended: datetime) -> str:
        """Give the fault that a trunk was known to have in a time; empty: none (21.4, pbx_fault).

        `trunk` is a device as `PJSIP/trunk`; names of trunks are those of the house file, which
        says nothing of PBXs. A suspicion is no fault.
        """
        name = trunk.rpartition("/")[2]
        async with self._db.read() as conn:
            rows = await conn.execute(
                select(faults.c.id, steps.c.at, steps.c.state)
                .join(steps, steps.c.fault == faults.c.id)
                .where(faults.c.place.startswith(f"{name}/", autoescape=True), steps.c.at <= ended)
                .order_by(faults.c.found_at, faults.c.id, steps.c.n)
            )
            stood: dict[str, list[tuple[datetime, FaultState]]] = {}
            for row in rows:
                stood.setdefault(row.id, []).append((row.at, FaultState(row.state)))
        return next((one for one, told in stood.items() if was_faulty(told, began)), "")

    async def to_judge(self) -> list[Fault]:
        """Give the faults of which it was not asked yet whether they were found in time."""
        return [_fault(row) for row in await self._db.ask(_TO_JUDGE, {})]

    async def judged(self, fault: Fault, now: datetime) -> None:
        """Remember that it was asked."""
        async with self._db.write() as conn:
            await conn.execute(update(faults).where(faults.c.id == fault.id).values(judged_at=now))

    # -- bills, and being there

    async def paid(self) -> set[str]:
        """Give the months whose bill is ticked off."""
        async with self._db.read() as conn:
            return set((await conn.scalars(select(bills.c.month))).all())

    async def pay(self, month: str, who: str, now: datetime, address: str = "") -> None:
        """Tick a month's bill off; once is enough."""
        async with self._db.write() as conn:
            there = await conn.scalar(select(bills.c.month).where(bills.c.month == month))
            if there is None:
                await conn.execute(insert(bills).values(month=month, who=who, at=now))
                await audit.record(
                    conn, at=now, who=who, what="bill_paid", about=f"bill:{month}", address=address
                )

    async def watched(self) -> datetime | None:
        """Tell until when the tests were watched."""
        async with self._db.read() as conn:
            found: datetime | None = await conn.scalar(select(watch.c.at))
            return found

    async def watching(self, now: datetime) -> None:
        """Write down that the tests are watched."""
        async with self._db.write() as conn:
            done = await conn.execute(update(watch).values(at=now))
            if not done.rowcount:
                await conn.execute(insert(watch).values(name="lines", at=now))

    # -- in a transaction

    async def _tests(self, where: ColumnElement[bool], *more: ColumnElement[Any]) -> list[LineTest]:
        """Give tests; of `more` the first two are the order, the others further conditions."""
        order, conditions = more[:2], more[2:]
        async with self._db.read() as conn:
            found = await conn.execute(select(tests).where(where, *conditions).order_by(*order))
            return [_test(row) for row in found]

    async def _fault_of(
        self, conn: Connection, test: LineTest, verdict: Verdict, who: str, now: datetime
    ) -> None:
        known = await _open_fault(conn, test.place)
        if verdict.passed:
            places: Iterable[Fault | None] = (known, await _open_fault(conn, PHONES))
            for fault in places:
                if fault and Step.TEST_PASSES in STEPS.get(fault.state, {}):
                    await self._step(conn, fault, Step.TEST_PASSES, who, "", now, test=test.id)
            return
        if known is None:
            await self._raise(
                conn,
                Fault(
                    id=new_id(now),
                    place=test.place,
                    kind="test",
                    source="machine" if who == "cti" else "person",
                    state=FaultState.OPEN,
                    began_at=now,
                    found_at=now,
                    found_by=who,
                    note=verdict.cause,
                    test=test.id,
                ),
            )
        elif Step.TEST_FAILS in STEPS.get(known.state, {}):
            await self._step(conn, known, Step.TEST_FAILS, who, verdict.cause, now, test=test.id)

    async def _raise(self, conn: Connection, fault: Fault, address: str = "") -> Fault:
        row = {one.name: getattr(fault, one.name) for one in fields(fault)}
        await conn.execute(insert(faults).values(row | {"state": fault.state.value}))
        await _written(conn, fault, 1, Step.RAISED, fault.found_by, fault.note, fault.found_at)
        await audit.record(
            conn,
            at=fault.found_at,
            who=fault.found_by,
            what="line_fault",
            about=f"fault:{fault.id}",
            after={"place": fault.place, "state": fault.state.value, "began_at": fault.began_at},
            reason=fault.note,
            address=address,
        )
        return fault

    async def _step(
        self,
        conn: Connection,
        fault: Fault,
        step: Step,
        who: str,
        note: str,
        now: datetime,
        *,
        test: str | None = None,
        address: str = "",
    ) -> Fault:
        state = next_state(fault, step)
        after = replace(
            fault,
            state=state,
            test=test or fault.test,
            fixed_at=now if state is FaultState.FIXED else fault.fixed_at,
            ended_at=now if state in OVER else None,
        )
        await conn.execute(
            update(faults)
            .where(faults.c.id == fault.id)
            .values(
                state=state.value,
                test=after.test,
                fixed_at=after.fixed_at,
                ended_at=after.ended_at,
            )
        )
        n = await conn.scalar(select(func.max(steps.c.n)).where(steps.c.fault == fault.id))
        await _written(conn, after, int(n or 0) + 1, step, who, note, now)
        await audit.record(
            conn,
            at=now,
            who=who,
            what=f"fault_{step.value}",
            about=f"fault:{fault.id}",
            before={"state": fault.state.value},
            after={"state": state.value},
            reason=note,
            address=address,
        )
        return after


def _planned(slot: Slot, now: datetime) -> dict[str, Any]:
    late = now >= slot.due_at
    return {
        "id": new_id(now),
        "slot": slot.key,
        "source": "plan",
        "day": slot.day,
        "shift": slot.shift,
        "starts_at": slot.starts_at,
        "due_at": slot.due_at,
        "trunk": slot.line.trunk,
        "dial": slot.line.dial,
        "arrives_at": slot.line.arrives_at,
        "state": (LineTestState.SKIPPED if late else LineTestState.PLANNED).value,
        "cause": "unobserved" if late else "",
        "tries": 0,
        "code": "",
        "quality": "",
        "remark": "",
    }


async def _get_test(conn: Connection, test_id: str) -> LineTest:
    row = (await conn.execute(select(tests).where(tests.c.id == test_id))).first()
    if row is None:
        raise Refused("no_such_test", "there is no such test")
    return _test(row)


async def _open_fault(conn: Connection, place: str) -> Fault | None:
    row = (
        await conn.execute(
            select(faults).where(faults.c.place == place, faults.c.ended_at.is_(None))
        )
    ).first()
    return _fault(row) if row else None


async def _written(
    conn: Connection, fault: Fault, n: int, step: Step, who: str, note: str, at: datetime
) -> None:
    await conn.execute(
        insert(steps).values(
            fault=fault.id,
            n=n,
            at=at,
            who=who,
            step=step.value,
            state=fault.state.value,
            note=note,
        )
    )


def _test(row: Row[Any]) -> LineTest:
    return LineTest(**{**row._mapping, "state": LineTestState(row.state)})


def _fault(row: Row[Any]) -> Fault:
    return Fault(**{**row._mapping, "state": FaultState(row.state)})
