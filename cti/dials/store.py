"""Keeps every attempt to dial, written down before it is sent; and the switch that stops all."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
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
from sqlalchemy.exc import IntegrityError

from cti.db import audit
from cti.db.engine import Database
from cti.db.schema import Connection, Instant, metadata
from cti.dials.rules import (
    ENDS,
    LEGAL,
    OPEN,
    Attempt,
    AttemptState,
    Tally,
    Wanted,
    failed_in_a_row,
    to_dial,
)
from cti.errors import Bug, Refused

_ID = String(64)
_LOOK_BACK: Final = 50
"""So many ends are looked at for the breaker."""

attempts: Final = Table(
    "dial_attempts",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("purpose", String(32), nullable=False),
    Column("subject", String(96), nullable=False, index=True),
    Column("pbx", String(32), nullable=False),
    Column("trunk", String(64), nullable=False),
    Column("number", String(32), nullable=False),
    Column("customer_first", Boolean, nullable=False),
    Column("agent", String(32), nullable=False),
    Column("who", String(64), nullable=False),
    Column("state", String(24), nullable=False),
    Column("cause", String(32), nullable=False),
    Column("planned_at", Instant, nullable=False),
    Column("committed_at", Instant, index=True),
    Column("deadline", BigInteger),
    Column("sent_at", Instant),
    Column("ended_at", Instant, index=True),
    Column("call", String(32)),
    Index(
        "uq_dial_attempts_open_subject",
        "subject",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
    Index(
        "uq_dial_attempts_live_number",
        "number",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)
"""One row per dialling. One open attempt for what it is for, and one live attempt to a number."""

switch: Final = Table(
    "dial_switch",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("off", Boolean, nullable=False),
    Column("at", Instant, nullable=False),
    Column("who", String(64), nullable=False),
    Column("reason", Text, nullable=False),
)
"""One row, `house`: whether dialling is switched off, by whom and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """Whether dialling is switched off for the house, and who did it last."""

    off: bool
    at: datetime
    who: str
    reason: str


_OPEN: Final = (
    select(attempts)
    .where(attempts.c.state.in_([state.value for state in OPEN]))
    .order_by(attempts.c.committed_at)
)


class DialStore:
    """Attempts in the database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def plan(self, wanted: Wanted, attempt_id: str, now: datetime) -> Attempt:
        """Write down an attempt that is to be made.

        One that was planned before and never committed gives way: nothing of it was sent.
        Raises `Refused`: dial_open (one is open for the same subject, or to the same number).
        """
        number = to_dial(wanted.number) or ""
        same = (attempts.c.subject == wanted.subject) | (attempts.c.number == number)
        async with self._db.write() as conn:
            await conn.execute(
                delete(attempts).where(same, attempts.c.state == AttemptState.PLANNED)
            )
            open_ = select(attempts.c.id).where(same, attempts.c.ended_at.is_(None))
            if (await conn.scalar(open_.limit(1))) is not None:
                raise _open(wanted)
            row = {
                "id": attempt_id,
                "purpose": wanted.purpose,
                "subject": wanted.subject,
                "pbx": wanted.pbx,
                "trunk": wanted.trunk,
                "number": number,
                "customer_first": wanted.route.customer_first,
                "agent": wanted.agent,
                "who": wanted.who,
                "state": AttemptState.PLANNED.value,
                "cause": "",
                "planned_at": now,
            }
            try:
                await conn.execute(insert(attempts).values(row))
            except IntegrityError as fault:
                raise _open(wanted) from fault
        return await self.attempt(attempt_id)

    async def commit(
        self,
        attempt: Attempt,
        deadline: int,
        now: datetime,
        midnight: datetime,
        refuse: Callable[[Tally], str | None],
        policy: str = "",
        still: Callable[[Connection], Awaitable[bool]] | None = None,
    ) -> Attempt:
        """Commit an attempt to be sent, in one transaction with the count of what was dialled.

        `refuse` is given the tally and says why not. Raises `Refused` with its code; the attempt
        stays planned. Only who commits may send: a second one is refused (dial_open). What is
        not wanted any more, as `still` says, is refused too (dial_stale): whoever was held up
        for long must not dial what others have given up.
        """
        async with self._db.write() as conn:
            await self._db.alone(conn, "dials")
            if still is not None and not await still(conn):
                raise Refused("dial_stale", "this is not wanted any more", number=attempt.number)
            if code := refuse(await _tally(conn, attempt, now, midnight)):
                raise Refused(code, "this may not be dialled now", number=attempt.number)
            done = await conn.execute(
                update(attempts)
                .where(attempts.c.id == attempt.id, attempts.c.state == AttemptState.PLANNED)
                .values(state=AttemptState.COMMITTED.value, committed_at=now, deadline=deadline)
            )
            if not done.rowcount:
                raise Refused("dial_open", "this attempt is under way already")
            await audit.record(
                conn,
                at=now,
                who=attempt.who,
                what="dial",
                about=f"attempt:{attempt.id}",
                after={
                    "purpose": attempt.purpose,
                    "subject": attempt.subject,
                    "number": attempt.number,
                    "trunk": attempt.trunk,
                },
                policy=policy,
            )
        return await self.attempt(attempt.id)

    async def move(
        self,
        attempt: Attempt,
        state: AttemptState,
        now: datetime,
        *,
        cause: str = "",
        call: str | None = None,
    ) -> bool:
        """Bring an attempt into its next state; False when another was quicker.

        Raises `Bug` for a step that the diagram does not have.
        """
        if state not in LEGAL.get(attempt.state, ()):
            raise Bug(f"an attempt cannot go from {attempt.state} to {state}")
        values: dict[str, Any] = {"state": state.value, "cause": cause}
        if state is AttemptState.SENT:
            values["sent_at"] = now
        if state in ENDS:
            values["ended_at"] = now
        if call is not None:
            values["call"] = call
        async with self._db.write() as conn:
            done = await conn.execute(
                update(attempts)
                .where(attempts.c.id == attempt.id, attempts.c.state == attempt.state.value)
                .values(values)
            )
            return bool(done.rowcount)

    async def drop(self, attempt: Attempt) -> None:
        """Forget an attempt that is only planned: nothing of it was sent."""
        async with self._db.write() as conn:
            await conn.execute(
                delete(attempts).where(
                    attempts.c.id == attempt.id, attempts.c.state == AttemptState.PLANNED
                )
            )

    async def attempt(self, attempt_id: str) -> Attempt:
        """Give one attempt. Raises `Bug` when there is none."""
        found = await self.find([attempt_id])
        if attempt_id not in found:
            raise Bug("there is no such attempt")
        return found[attempt_id]

    async def find(self, some: Collection[str]) -> dict[str, Attempt]:
        """Give those of some attempts that were written down, by id."""
        query = select(attempts).where(attempts.c.id.in_(sorted(some)))
        async with self._db.read() as conn:
            return {row.id: _attempt(row) for row in await conn.execute(query)}

    async def of(self, subject: str) -> Attempt | None:
        """Give the last attempt that was made for something."""
        async with self._db.read() as conn:
            row = (
                await conn.execute(
                    select(attempts)
                    .where(attempts.c.subject == subject)
                    .order_by(attempts.c.planned_at.desc(), attempts.c.id.desc())
                    .limit(1)
                )
            ).first()
        return _attempt(row) if row else None

    async def open(self) -> list[Attempt]:
        """Give the attempts that may have been dialled and are not settled, oldest first."""
        return [_attempt(row) for row in await self._db.ask(_OPEN, {})]

    async def switched(self) -> Switch | None:
        """Tell who has switched dialling off or on last; None: nobody ever did."""
        async with self._db.read() as conn:
            row = (await conn.execute(select(switch))).first()
        return (
            Switch(off=row.off, at=row.at, who=row.who, reason=row.reason)
            if row is not None
            else None
        )

    async def turn(
        self, *, off: bool, who: str, reason: str, now: datetime, address: str = ""
    ) -> None:
        """Switch dialling off or on for the whole house."""
        async with self._db.write() as conn:
            row = (await conn.execute(select(switch))).first()
            values = {"off": off, "at": now, "who": who, "reason": reason}
            if row is None:
                await conn.execute(insert(switch).values(name="house", **values))
            else:
                await conn.execute(update(switch).values(values))
            await audit.record(
                conn,
                at=now,
                who=who,
                what="dialing_off" if off else "dialing_on",
                about="dialing:house",
                before={"off": row.off} if row is not None else None,
                after={"off": off},
                reason=reason,
                address=address,
            )


def _open(wanted: Wanted) -> Refused:
    return Refused(
        "dial_open", "a call to this number, or for this, is under way", number=wanted.number
    )


async def _tally(conn: Connection, attempt: Attempt, now: datetime, midnight: datetime) -> Tally:
    async def count(*where: Any) -> int:
        found = await conn.scalar(select(func.count()).select_from(attempts).where(*where))
        return int(found or 0)

    since = attempts.c.committed_at
    ends = (
        await conn.execute(
            select(attempts.c.state, attempts.c.cause, attempts.c.ended_at)
            .where(attempts.c.ended_at.is_not(None))
            .order_by(attempts.c.ended_at.desc())
            .limit(_LOOK_BACK)
        )
    ).all()
    row = (await conn.execute(select(switch.c.off))).first()
    return Tally(
        off=bool(row and row.off),
        minute=await count(since > now - timedelta(minutes=1)),
        number_day=await count(since >= midnight, attempts.c.number == attempt.number),
        agent_hour=await count(since > now - timedelta(hours=1), attempts.c.agent == attempt.agent)
        if attempt.agent
        else 0,
        failed_in_a_row=failed_in_a_row((AttemptState(one.state), one.cause) for one in ends),
        last_failed_at=next(
            (one.ended_at for one in ends if one.state == AttemptState.FAILED), None
        ),
    )


def _attempt(row: Row[Any]) -> Attempt:
    return Attempt(**{**row._mapping, "state": AttemptState(row.state)})
