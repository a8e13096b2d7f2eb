"""Where is kept what the house owes: callbacks, which missed calls opened them, who has them?

One callback is open for a number: further missed calls are counted on it. What a missed call
opened stands in a row of its own, so that the same may be told any number of times. Whatever a
person does is in the audit, in the same transaction.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import (
    BindParameter,
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    Row,
    Select,
    String,
    Table,
    Text,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    text,
    tuple_,
    update,
)

from cti.callbacks import rules
from cti.callbacks.rules import ENDS, FREE, Callback, Kind, Plan, Result, State, WhyNone
from cti.calls.record import AnsweredCall, MissedCall
from cti.db.audit import audit, record
from cti.db.engine import Database
from cti.db.schema import Connection, Instant, metadata, new_id
from cti.errors import Refused
from cti.house import House

_ID: Final = String(32)
_CODE: Final = String(16)
_OPEN: Final = text("ended_at IS NULL")
_IN_ONE: Final = 500
"""So many values stand in one question."""

callbacks: Final = Table(
    "callbacks",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("kind", _CODE, nullable=False),
    Column("number", String(64), nullable=False),
    Column("department", String(64), nullable=False),
    Column("state", _CODE, nullable=False),
    Column("reason", String(32), nullable=False),
    Column("line", Text, nullable=False),
    Column("owed_since", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("times", Integer, nullable=False),
    Column("contact_after", Instant, nullable=False),
    Column("from_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("zone", String(64), nullable=False),
    Column("policy", String(64), nullable=False),
    Column("owner", _ID),
    Column("lease_until", Instant),
    Column("epoch", Integer, nullable=False),
    Column("breached", Boolean, nullable=False),
    Column("result", _CODE),
    Column("note", Text, nullable=False),
    Column("fulfilled_by", _ID, index=True),
    Column("ended_by", _ID),
    Column("ended_at", Instant),
    Column("opened_at", Instant, nullable=False),
    Index(
        "uq_callbacks_open",
        "kind",
        "number",
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    ),
    Index("ix_callbacks_open", "due_at", "id", sqlite_where=_OPEN, postgresql_where=_OPEN),
    Index(None, "due_at", "id"),
    Index(None, "state", "due_at", "id"),
    Index(None, "owner", "due_at", "id"),
)
"""One row per call that we owe; what its columns mean stands at `rules.Callback`."""

misses: Final = Table(
    "callback_misses",
    metadata,
    Column("call", _ID, primary_key=True),
    Column("callback", ForeignKey("callbacks.id"), index=True),
    Column("at", Instant, nullable=False),
    Column("reason", String(32), nullable=False),
    Column("none", _CODE),
)
"""What each missed call opened; `none` says why it opened nothing."""

cursor: Final = Table(
    "callback_cursor",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
)
"""One row: missed calls that began before have been dealt with, or are older than this room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who does something, when, from which address, under which rules: for the audit."""

    person: str
    at: datetime
    address: str = ""
    policy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a missed call opens: for whom, when, by which rules.

    `answer` is the call in which the customer was reached already, if he was.
    """

    miss: MissedCall
    plan: Plan
    department: str
    owner: str | None
    zone: str
    policy: str
    answer: AnsweredCall | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """One missed call, and what it opened."""

    call: str
    at: datetime
    reason: str
    callback: str | None
    state: State | None
    none: WhyNone | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something that was done to a callback, from the audit; `who` is a person or `cti`."""

    at: datetime
    who: str
    what: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which callbacks a list shows. Empty is any; `open` stands for every state but the ends."""

    state: str = "open"
    owner: str = ""
    overdue: bool = False
    after: str = ""
    """The id of the last one of the page before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many are open, how many of them somebody holds, and how many are past due."""

    open: int
    claimed: int
    overdue: int


class CallbackStore:
    """Callbacks in the database. Numbers are in their normal form; instants aware UTC."""

    def __init__(self, db: Database) -> None:
        self._db = db

    # -- what missed calls open

    async def cursor(self, now: datetime) -> datetime:
        """Give from when on missed calls are looked at; `now` in a new database."""
        for row in await self._db.ask(_CURSOR, {}):
            return cast("datetime", row.at)
        async with self._db.write() as conn:
            await self._db.alone(conn, "callbacks")
            found = await conn.scalar(select(cursor.c.at))
            if found is None:
                await conn.execute(insert(cursor).values(id=1, at=now))
            return found or now

    async def move_cursor(self, at: datetime) -> None:
        """Let missed calls before an instant rest; it never goes back."""
        async with self._db.write() as conn:
            await conn.execute(update(cursor).where(cursor.c.at < at).values(at=at))

    async def handled(self, calls: Collection[str]) -> set[str]:
        """Give those of some missed calls that were dealt with."""
        return set(await self.of_calls(calls))

    async def opens_none(self, miss: MissedCall, why: WhyNone) -> None:
        """Keep that a missed call opens no callback, and why. The same again changes nothing."""
        async with self._db.write() as conn:
            await self._db.alone(conn, "callbacks")
            if not await _is_handled(conn, miss.call):
                await conn.execute(insert(misses).values(_miss_row(miss, none=why.value)))

    async def open(self, opening: Opening, now: datetime) -> str | None:
        """Open a callback for a missed call, or count it on the one of its number; give its id.

        None when that call was dealt with before: nothing is changed.
        """
        miss = opening.miss
        async with self._db.write() as conn:
            await self._db.alone(conn, "callbacks")
            if await _is_handled(conn, miss.call):
                return None
            found = await _counts_on(conn, opening)
            if found is None:
                row = _fresh_row(opening, now)
                await conn.execute(insert(callbacks).values(row))
                callback: str = row["id"]
            else:
                callback = found.id
                await _set(conn, callback, _counted(found, opening))
            await conn.execute(insert(misses).values(_miss_row(miss, callback=callback)))
        return callback

    async def owed_to(self, number: str) -> Callback | None:
        """Give the open recovery call of a number; one that calls us now chases it (INB-26)."""
        async with self._db.read() as conn:
            return await _one(conn, _is_open(number))

    async def owed(self) -> list[tuple[str, str, datetime]]:
        """Give what is open: its id, its number, and from when on an answer fulfils it."""
        found = await self._db.ask(_OWED, {})
        return [(row.id, row.number, row.contact_after) for row in found]

    async def fulfil(self, callback: str, answer: AnsweredCall) -> bool:
        """Close a callback by an answered call; False when that closes nothing (any more)."""
        async with self._db.write() as conn:
            done = await conn.execute(
                update(callbacks)
                .where(
                    callbacks.c.id == callback,
                    callbacks.c.ended_at.is_(None),
                    callbacks.c.contact_after <= answer.at,
                )
                .values(_answered(answer) | {"breached": callbacks.c.due_at < answer.at})
            )
        return bool(done.rowcount)

    # -- as time goes by

    async def pass_time(self, now: datetime, policy: str) -> int:
        """Bring states up to an instant, end leases; give how many callbacks were changed."""
        if not await self._db.ask(_BEHIND, {"now": now}):
            return 0
        async with self._db.write() as conn:
            behind = await _many(conn, select(callbacks).where(_behind(now)).with_for_update())
            for one in behind:
                await _pass_time(conn, one, now, policy)
        return len(behind)

    async def plan_again(self, house: House, now: datetime) -> int:
        """Plan what is open by other rules than before (V18); give how many were moved."""
        stale = (callbacks.c.ended_at.is_(None), callbacks.c.policy != house.version)
        async with self._db.write() as conn:
            found = await _many(conn, select(callbacks).where(*stale).with_for_update())
            moved = [await _plan_again(conn, one, house, now) for one in found]
        return sum(moved)

    # -- reading

    async def get(self, callback: str) -> Callback | None:
        """Find one by its id."""
        async with self._db.read() as conn:
            return await _one(conn, callbacks.c.id == callback)

    async def own(self, person: str, limit: int) -> list[Callback]:
        """Give what is open and meant for somebody, held ones first, the earliest due first."""
        held = callbacks.c.state != State.CLAIMED
        async with self._db.read() as conn:
            return await _many(
                conn,
                select(callbacks)
                .where(callbacks.c.ended_at.is_(None), callbacks.c.owner == person)
                .order_by(held, callbacks.c.due_at, callbacks.c.id)
                .limit(limit),
            )

    async def free(
        self, person: str, department: str, now: datetime, *, after: str, limit: int
    ) -> list[Callback]:
        """Give what somebody of a department may take besides his own, the earliest due first."""
        others = or_(
            callbacks.c.owner.is_(None),
            and_(callbacks.c.owner != person, callbacks.c.due_at <= now),
        )
        wanted = [callbacks.c.ended_at.is_(None), callbacks.c.state != State.CLAIMED, others]
        if department:
            wanted.append(callbacks.c.department.in_(("", department)))
        async with self._db.read() as conn:
            return await _many(conn, _page(select(callbacks).where(*wanted), after, limit))

    async def find(self, wanted: Wanted, limit: int) -> list[Callback]:
        """Give callbacks for a list: open ones by due time, ended ones the newest first."""
        query = select(callbacks)
        if wanted.state == "open":
            query = query.where(callbacks.c.ended_at.is_(None))
        elif wanted.state:
            query = query.where(callbacks.c.state == wanted.state)
        if wanted.owner == "nobody":
            query = query.where(callbacks.c.owner.is_(None))
        elif wanted.owner:
            query = query.where(callbacks.c.owner == wanted.owner)
        if wanted.overdue:
            query = query.where(callbacks.c.breached.is_(True))
        newest_first = wanted.state in ("", *ENDS)
        async with self._db.read() as conn:
            return await _many(conn, _page(query, wanted.after, limit, newest_first=newest_first))

    async def count(self) -> Count:
        """Count what is open."""
        async with self._db.read() as conn:
            found = await conn.execute(
                select(callbacks.c.state, callbacks.c.breached, func.count().label("n"))
                .where(callbacks.c.ended_at.is_(None))
                .group_by(callbacks.c.state, callbacks.c.breached)
            )
            rows = found.all()
        return Count(
            open=sum(row.n for row in rows),
            claimed=sum(row.n for row in rows if row.state == State.CLAIMED),
            overdue=sum(row.n for row in rows if row.breached),
        )

    async def misses_of(self, callback: str) -> list[Miss]:
        """Give the missed calls for which a callback is owed, oldest first."""
        async with self._db.read() as conn:
            return await _misses(conn, misses.c.callback == callback)

    async def of_calls(self, calls: Collection[str]) -> Mapping[str, Miss]:
        """Give what some missed calls opened, for their incidents (MISS-10)."""
        wanted, found = sorted(set(calls)), list[Miss]()
        if not wanted:
            return {}
        async with self._db.read() as conn:
            for start in range(0, len(wanted), _IN_ONE):
                found += await _misses(conn, misses.c.call.in_(wanted[start : start + _IN_ONE]))
        return {miss.call: miss for miss in found}

    async def holders(self, calls: Collection[str]) -> dict[str, set[str]]:
        """Give who holds the callback that each missed call opened, by call."""
        asked = (
            select(misses.c.call, callbacks.c.owner)
            .join(callbacks, callbacks.c.id == misses.c.callback)
            .where(
                misses.c.call.in_(sorted(calls)),
                callbacks.c.state == State.CLAIMED,
                callbacks.c.owner.is_not(None),
            )
        )
        async with self._db.read() as conn:
            return {row.call: {row.owner} for row in await conn.execute(asked)}

    async def forget_numbers(
        self, conn: Connection, calls: Collection[str], numbers: Collection[str]
    ) -> None:
        """Let callbacks forget whom they called, in the transaction of `conn`.

        Theirs are those of some missed calls, and of some numbers. Raises `Refused`
        (customer_owed) while one of them is open.
        """
        asked, known = sorted(calls), set[str]()
        for start in range(0, len(asked), _IN_ONE):
            of = select(misses.c.callback).where(misses.c.call.in_(asked[start : start + _IN_ONE]))
            known |= {one for one in (await conn.execute(of)).scalars() if one}
        of_numbers = select(callbacks.c.id).where(callbacks.c.number.in_(sorted(numbers)))
        known |= set((await conn.execute(of_numbers)).scalars())
        ids = sorted(known)
        for start in range(0, len(ids), _IN_ONE):
            his = callbacks.c.id.in_(ids[start : start + _IN_ONE])
            if await conn.scalar(select(callbacks.c.id).where(his, _OPEN).limit(1)):
                raise Refused("customer_owed", "a callback to him is open: close or cancel it")
            await conn.execute(update(callbacks).where(his).values(number="", note=""))

    async def deeds(self, callback: str) -> list[Deed]:
        """Give what people did to a callback, oldest first."""
        async with self._db.read() as conn:
            found = await conn.execute(
                select(audit).where(audit.c.about == _about(callback)).order_by(audit.c.seq)
            )
            return [Deed(at=row.at, who=row.who, what=row.what, reason=row.reason) for row in found]

    # -- what people do

    async def take(self, callback: str, by: By, *, anyones: bool = False) -> Callback:
        """Claim a callback for whoever asks; of two who ask at once, one gets it.

        `anyones`: also what is meant for somebody else. Raises `Refused`: no_callback,
        callback_over, callback_taken, callback_owned.
        """
        takes = [callbacks.c.id == callback, callbacks.c.state.in_(FREE)]
        if not anyones:
            mine = or_(callbacks.c.owner.is_(None), callbacks.c.owner == by.person)
            takes.append(or_(mine, callbacks.c.due_at <= by.at))
        async with self._db.write() as conn:
            found = await conn.execute(
                update(callbacks)
                .where(*takes)
                .values(
                    state=State.CLAIMED.value,
                    owner=by.person,
                    lease_until=by.at + rules.LEASE,
                    epoch=callbacks.c.epoch + 1,
                )
                .returning(*callbacks.c)
            )
            row = found.first()
            if row is not None:
                taken = _callback(row)
                await _say(conn, by, "callback_taken", taken, {"owner": by.person})
                return taken
            known = await _one(conn, callbacks.c.id == callback)
        if known is None:
            raise _unknown()
        rules.check_take(known, by.person, by.at, anyones=anyones)
        raise Refused("callback_taken", "somebody was faster", by=known.owner)

    async def give_back(self, callback: str, by: By, epoch: int, note: str) -> None:
        """Let whoever holds a callback give it back to all: no_callback, callback_over,
        callback_not_held."""
        async with self._db.write() as conn:
            known = await _locked(conn, callback)
            rules.check_held(known, by.person, epoch)
            values = _let_go(known, None, by.at) | {"note": note or known.note}
            await _set(conn, callback, values)
            await _say(conn, by, "callback_given_back", known, values, note)

    async def hand_over(self, callback: str, by: By, epoch: int, to: str, note: str) -> None:
        """Let whoever holds a callback mean it for a colleague, who takes it, or does not.

        Raises `Refused`: no_callback, callback_over, callback_not_held.
        """
        async with self._db.write() as conn:
            known = await _locked(conn, callback)
            rules.check_held(known, by.person, epoch)
            values = _let_go(known, to, by.at) | {"note": note or known.note}
            await _set(conn, callback, values)
            await _say(conn, by, "callback_handed_over", known, values, note)

    async def close(self, callback: str, by: By, epoch: int, result: Result, note: str) -> None:
        """Let whoever holds a callback end it with a result that he may give.

        Raises `Refused`: no_callback, callback_over, callback_not_held.
        """
        async with self._db.write() as conn:
            known = await _locked(conn, callback)
            rules.check_held(known, by.person, epoch)
            await _end(conn, known, by, rules.BY_HAND[result], result, note)

    async def assign(self, callback: str, by: By, to: str | None, reason: str) -> None:
        """Mean an open callback for somebody, or for all; who held it holds it no longer.

        Raises `Refused`: no_callback, callback_over.
        """
        async with self._db.write() as conn:
            known = await _locked(conn, callback)
            rules.check_open(known)
            values = _let_go(known, to, by.at)
            await _set(conn, callback, values)
            await _say(conn, by, "callback_assigned", known, values, reason)

    async def cancel(self, callback: str, by: By, reason: str) -> None:
        """End an open callback without a call: no_callback, callback_over."""
        async with self._db.write() as conn:
            known = await _locked(conn, callback)
            rules.check_open(known)
            await _end(conn, known, by, State.CANCELLED, Result.NOT_NEEDED, reason)

    async def reopen(self, callback: str, by: By, reason: str) -> None:
        """Take a wrong end back; from now on an answered call fulfils it again.

        Raises `Refused`: no_callback, callback_not_over, callback_open_again (the number has
        another one by now).
        """
        async with self._db.write() as conn:
            await self._db.alone(conn, "callbacks")
            known = await _locked(conn, callback)
            if known.state not in ENDS:
                raise Refused("callback_not_over", "this callback has not ended")
            if await _one(conn, _is_open(known.number)) is not None:
                raise Refused("callback_open_again", "another one is open for this number")
            values = _let_go(known, None, by.at) | {
                "contact_after": by.at,
                "breached": known.due_at <= by.at,
                "result": None,
                "fulfilled_by": None,
                "ended_by": None,
                "ended_at": None,
            }
            await _set(conn, callback, values)
            await _say(conn, by, "callback_reopened", known, values, reason)


# -- rows


def _fresh_row(opening: Opening, now: datetime) -> dict[str, Any]:
    miss, plan = opening.miss, opening.plan
    row: dict[str, Any] = {
        "id": new_id(now),
        "kind": Kind.RECOVERY.value,
        "number": miss.number,
        "department": opening.department,
        "state": rules.state_at(plan.from_at, plan.due_at, now).value,
        "reason": miss.reason,
        "line": miss.dialled,
        "owed_since": miss.at,
        "last_at": miss.at,
        "times": 1,
        "contact_after": miss.at,
        "from_at": plan.from_at,
        "due_at": plan.due_at,
        "zone": opening.zone,
        "policy": opening.policy,
        "owner": opening.owner,
        "lease_until": None,
        "epoch": 0,
        "breached": plan.due_at <= now,
        "result": None,
        "note": "",
        "fulfilled_by": None,
        "ended_by": None,
        "ended_at": None,
        "opened_at": now,
    }
    if opening.answer is not None:
        row |= _answered(opening.answer) | {"epoch": 1}
        row["breached"] = plan.due_at < opening.answer.at
    return row


def _counted(known: Callback, opening: Opening) -> dict[str, Any]:
    """Count one more missed call; the first due stands, whichever was told first."""
    at = opening.miss.at
    last = at >= known.last_at
    return {
        "reason": opening.miss.reason if last else known.reason,
        "line": opening.miss.dialled if last else known.line,
        "times": known.times + 1,
        "owed_since": min(known.owed_since, at),
        "last_at": max(known.last_at, at),
        "contact_after": max(known.contact_after, at),
        "from_at": min(known.from_at, opening.plan.from_at),
        "due_at": min(known.due_at, opening.plan.due_at),
    }


def _answered(answer: AnsweredCall) -> dict[str, Any]:
    return {
        "state": State.DONE.value,
        "result": Result.ANSWERED_CALL.value,
        "fulfilled_by": answer.call,
        "ended_by": answer.person,
        "ended_at": answer.at,
        "lease_until": None,
        "epoch": callbacks.c.epoch + 1,
    }


def _let_go(known: Callback, owner: str | None, now: datetime) -> dict[str, Any]:
    return {
        "state": rules.state_at(known.from_at, known.due_at, now).value,
        "owner": owner,
        "lease_until": None,
        "epoch": known.epoch + 1,
    }


def _miss_row(miss: MissedCall, *, callback: str | None = None, none: str | None = None) -> Any:
    return {
        "call": miss.call,
        "callback": callback,
        "at": miss.at,
        "reason": miss.reason,
        "none": none,
    }


def _callback(row: Row[Any]) -> Callback:
    values = dict(row._mapping)
    values["kind"], values["state"] = Kind(row.kind), State(row.state)
    values["result"] = Result(row.result) if row.result else None
    return Callback(**values)


# -- statements


def _is_open(number: str) -> ColumnElement[bool]:
    return and_(
        callbacks.c.kind == Kind.RECOVERY,
        callbacks.c.number == number,
        callbacks.c.ended_at.is_(None),
    )


def _behind(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """Tell which open callbacks are not in the state of an instant."""
    late = and_(callbacks.c.due_at <= now, callbacks.c.breached.is_(False))
    begun = and_(callbacks.c.state == State.PLANNED, callbacks.c.from_at <= now)
    lapsed = and_(callbacks.c.state == State.CLAIMED, callbacks.c.lease_until <= now)
    return and_(callbacks.c.ended_at.is_(None), or_(late, begun, lapsed))


_CURSOR: Final = select(cursor.c.at)
_OWED: Final = select(callbacks.c.id, callbacks.c.number, callbacks.c.contact_after).where(
    callbacks.c.ended_at.is_(None)
)
_BEHIND: Final = select(callbacks.c.id).where(_behind(bindparam("now", type_=Instant))).limit(1)


def _page(query: Select[Any], after: str, limit: int, *, newest_first: bool = False) -> Select[Any]:
    """Give the page of a list that comes after one of its rows, by due time."""
    keys = (callbacks.c.due_at, callbacks.c.id)
    if after:
        last = callbacks.alias("last")
        edge = select(last.c.due_at, last.c.id).where(last.c.id == after).scalar_subquery()
        query = query.where(tuple_(*keys) < edge if newest_first else tuple_(*keys) > edge)
    order = [key.desc() for key in keys] if newest_first else list(keys)
    return query.order_by(*order).limit(limit)


async def _one(conn: Connection, condition: ColumnElement[bool]) -> Callback | None:
    row = (await conn.execute(select(callbacks).where(condition))).first()
    return None if row is None else _callback(row)


async def _many(conn: Connection, query: Select[Any]) -> list[Callback]:
    return [_callback(row) for row in await conn.execute(query)]


async def _locked(conn: Connection, callback: str) -> Callback:
    """Read a callback that nobody else may change until the transaction ends."""
    query = select(callbacks).where(callbacks.c.id == callback).with_for_update()
    found = await _many(conn, query)
    if not found:
        raise _unknown()
    return found[0]


async def _set(conn: Connection, callback: str, values: Mapping[str, Any]) -> None:
    await conn.execute(update(callbacks).where(callbacks.c.id == callback).values(values))


async def _is_handled(conn: Connection, call: str) -> bool:
    return await conn.scalar(select(misses.c.call).where(misses.c.call == call)) is not None


async def _counts_on(conn: Connection, opening: Opening) -> Callback | None:
    """Find the callback on which a further missed call of its number counts."""
    number, answer = opening.miss.number, opening.answer
    open_one = await _one(conn, _is_open(number or ""))
    if answer is None:
        return open_one
    if open_one is not None and open_one.contact_after <= answer.at:
        return open_one
    return await _one(conn, callbacks.c.fulfilled_by == answer.call)


async def _misses(conn: Connection, condition: ColumnElement[bool]) -> list[Miss]:
    found = await conn.execute(
        select(misses, callbacks.c.state)
        .outerjoin(callbacks, callbacks.c.id == misses.c.callback)
        .where(condition)
        .order_by(misses.c.at, misses.c.call)
    )
    return [
        Miss(
            call=row.call,
            at=row.at,
            reason=row.reason,
            callback=row.callback,
            state=State(row.state) if row.state else None,
            none=WhyNone(row.none) if row.none else None,
        )
        for row in found
    ]


async def _pass_time(conn: Connection, one: Callback, now: datetime, policy: str) -> None:
    values: dict[str, Any] = {"breached": one.breached or one.due_at <= now}
    lapsed = one.lease_until is not None and one.lease_until <= now
    if one.state is not State.CLAIMED:
        values["state"] = rules.state_at(one.from_at, one.due_at, now).value
    elif lapsed:
        values |= _let_go(one, None, now)
        await _say(conn, By(person="cti", at=now, policy=policy), "callback_lapsed", one, values)
    await _set(conn, one.id, values)


async def _plan_again(conn: Connection, one: Callback, house: House, now: datetime) -> bool:
    plan = rules.plan(house, one.owed_since)
    values: dict[str, Any] = {"policy": house.version}
    moved = plan is not None and (plan.from_at, plan.due_at) != (one.from_at, one.due_at)
    if plan is not None and moved:
        values |= {
            "from_at": plan.from_at,
            "due_at": plan.due_at,
            "zone": house.card.timezone,
            "breached": plan.due_at <= now,
        }
        if one.state is not State.CLAIMED:
            values["state"] = rules.state_at(plan.from_at, plan.due_at, now).value
        by = By(person="cti", at=now, policy=house.version)
        await _say(conn, by, "callback_planned_again", one, values)
    await _set(conn, one.id, values)
    return moved


async def _end(
    conn: Connection, known: Callback, by: By, state: State, result: Result, note: str
) -> None:
    values = {
        "state": state.value,
        "result": result.value,
        "note": note,
        "ended_by": by.person,
        "ended_at": by.at,
        "lease_until": None,
        "epoch": known.epoch + 1,
        "breached": known.due_at < by.at,
    }
    await _set(conn, known.id, values)
    await _say(conn, by, "callback_closed", known, values, note)


async def _say(
    conn: Connection,
    by: By,
    what: str,
    known: Callback,
    values: Mapping[str, Any],
    reason: str = "",
) -> None:
    """Put a change into the audit, in the transaction of that change."""
    named = ("state", "owner", "result", "from_at", "due_at")
    await record(
        conn,
        at=by.at,
        who=by.person,
        what=what,
        about=_about(known.id),
        before={key: getattr(known, key) for key in named if key in values},
        after={key: values[key] for key in named if key in values},
        reason=reason,
        policy=by.policy,
        address=by.address,
    )


def _about(callback: str) -> str:
    return f"callback:{callback}"


def _unknown() -> Refused:
    return Refused("no_callback", "there is no such callback")
