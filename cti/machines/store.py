"""Which programs may tell us things, and by which token?

A token is shown once, when it is made; what is kept is its hash. Making and ending one stands in
the audit log.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Row, String, Table, insert, select, update

from cti.clock import Clock
from cti.db import audit
from cti.db.engine import Database
from cti.db.schema import Instant, metadata, new_id
from cti.errors import Refused
from cti.people.rules import checked_text

NAME_LIMIT: Final = 64
PREFIX: Final = "cti_"
"""Tokens begin like this, so that one that was published by mistake is found."""

machines: Final = Table(
    "machines",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(NAME_LIMIT), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("made_at", Instant, nullable=False),
    Column("ended_at", Instant),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A program that may tell us things, until its token is ended."""

    id: str
    name: str
    made_at: datetime
    ended_at: datetime | None


class MachineStore:
    """The tokens of programs."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock

    async def make(self, name: str, who: str) -> str:
        """Make a token for a program; give it. Raises `Refused`: bad_text, machine_exists."""
        name, now = checked_text("name", name, NAME_LIMIT, least=1), self._clock.now()
        token = PREFIX + secrets.token_urlsafe(32)
        async with self._db.write() as conn:
            if await self._living(conn, name):
                raise Refused("machine_exists", f"there is a token {name!r} already", name=name)
            made = {"id": new_id(now), "name": name, "hash": _hash(token), "made_at": now}
            await conn.execute(insert(machines).values(**made))
            await audit.record(
                conn,
                at=now,
                who=who,
                what="token_made",
                about=f"machine:{made['id']}",
                after={"name": name},
            )
        return token

    async def end(self, name: str, who: str) -> None:
        """End a program's token. Raises `Refused` (no_machine)."""
        now = self._clock.now()
        async with self._db.write() as conn:
            found = await self._living(conn, name)
            if found is None:
                raise Refused("no_machine", f"there is no token {name[:NAME_LIMIT]!r}")
            await conn.execute(
                update(machines).where(machines.c.id == found.id).values(ended_at=now)
            )
            await audit.record(
                conn,
                at=now,
                who=who,
                what="token_ended",
                about=f"machine:{found.id}",
                before={"name": name},
            )

    async def of_token(self, token: str) -> Machine | None:
        """Find whose a token is; None if it is nobody's, or ended."""
        wanted = select(machines).where(
            machines.c.hash == _hash(token), machines.c.ended_at.is_(None)
        )
        async with self._db.read() as conn:
            row = (await conn.execute(wanted)).first()
        return None if row is None else _machine(row)

    async def list(self) -> Sequence[Machine]:
        """Give all, those that are ended too."""
        async with self._db.read() as conn:
            rows = await conn.execute(select(machines).order_by(machines.c.id))
            return [_machine(row) for row in rows]

    async def _living(self, conn: Any, name: str) -> Row[Any] | None:
        wanted = select(machines).where(machines.c.name == name, machines.c.ended_at.is_(None))
        found: Row[Any] | None = (await conn.execute(wanted)).first()
        return found


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _machine(row: Row[Any]) -> Machine:
    return Machine(id=row.id, name=row.name, made_at=row.made_at, ended_at=row.ended_at)
