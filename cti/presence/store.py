"""Keeps in which state each person was, from when to when, and how that is known.

One row per interval. The open one of a person is ended in the transaction that begins the next.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Index, String, Table, Text, bindparam, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from cti.db import together
from cti.db.engine import Database
from cti.db.schema import Instant, metadata
from cti.log import clean
from cti.presence.phones import Change, Entry
from cti.presence.states import AgentState, Interval, Source

_CAUSE: Final = 200

states: Final = Table(
    "agent_states",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("person", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("source", String(16), nullable=False),
    Column("cause", Text, nullable=False),
    Index(None, "person", "began_at"),
)
"""Intervals from phones, queues and links; what calls and clicks add is laid over them on reading
(`cti.presence.states.joined`)."""
Index(
    "ix_agent_states_open",
    states.c.person,
    unique=True,
    sqlite_where=states.c.ended_at.is_(None),
    postgresql_where=states.c.ended_at.is_(None),
)

_END: Final = (
    update(states)
    .where(
        states.c.person == bindparam("who"),
        states.c.ended_at.is_(None),
        states.c.began_at < bindparam("at"),
        states.c.id != bindparam("new"),
    )
    .values(ended_at=bindparam("at"))
)
_BEGIN: Final = {
    "sqlite": sqlite.insert(states).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(states).on_conflict_do_nothing(),
}


class PresenceStore:
    """Intervals in the database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def keep(self, changes: Iterable[Change]) -> None:
        """Store changes, in their order, in one transaction.

        The same changes may be kept again; that changes nothing.
        """
        begin = _BEGIN[self._db.dialect]
        steps = list[together.Step]()
        for change in changes:
            new = change.entry.id if change.entry else ""
            steps.append((_END, [{"who": change.person, "at": change.at, "new": new}]))
            if change.entry:
                steps.append((begin, [_row(change.entry)]))
        await self._db.run(steps)

    async def open(self) -> list[Entry]:
        """Give everybody's open interval."""
        async with self._db.read() as conn:
            found = await conn.execute(select(states).where(states.c.ended_at.is_(None)))
            return [Entry(id=row.id, interval=_interval(row)) for row in found]

    async def intervals(
        self, people: Collection[str], began: datetime, ended: datetime
    ) -> Sequence[Interval]:
        """Give what phones, queues and links told of people between two instants.

        By person, in order of time, whole: the first may have begun earlier, the last may last.
        A person without phones has none; where there is none, nothing is known.
        """
        found = list[Interval]()
        async with self._db.read() as conn:
            for person in sorted(set(people)):
                first = (
                    select(func.max(states.c.began_at))
                    .where(states.c.person == person, states.c.began_at <= began)
                    .scalar_subquery()
                )
                rows = await conn.execute(
                    select(states)
                    .where(
                        states.c.person == person,
                        states.c.began_at >= func.coalesce(first, began),
                        states.c.began_at < max(ended, began),
                        or_(states.c.ended_at.is_(None), states.c.ended_at > began),
                    )
                    .order_by(states.c.began_at)
                )
                found += map(_interval, rows)
        return found


def _row(entry: Entry) -> dict[str, Any]:
    interval = entry.interval
    return {
        "id": entry.id,
        "person": interval.person,
        "state": interval.state.value,
        "began_at": interval.began_at,
        "ended_at": interval.ended_at,
        "source": interval.source.value,
        "cause": clean(interval.cause, _CAUSE),
    }


def _interval(row: Any) -> Interval:
    return Interval(
        person=row.person,
        state=AgentState(row.state),
        began_at=row.began_at,
        ended_at=row.ended_at,
        source=Source(row.source),
        cause=row.cause,
    )
