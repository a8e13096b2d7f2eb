"""Which of several daemons on one PostgreSQL is at work? One is; the others stand by.

The leader holds a lease, and says again and again that it lives. One that was held up for longer
than its lease has lost it, whether it knows or not: each of its transactions asks first, so it
stores nothing more, and it ends. Its connections are cut, for one of them may keep the row.
SQLite has one daemon by `cti.db.sole`.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import Column, Integer, String, Table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from cti.db.engine import Database
from cti.db.schema import Instant, metadata
from cti.errors import CommitUnknown, StoreUnavailable

log = structlog.get_logger(__name__)

LEASE: Final = timedelta(seconds=12)
"""So long a leader that is not heard of stays leader; then another one takes its place."""
EVERY: Final = 3.0
"""Seconds between two words of a leader."""
NOT_LEADER: Final = "not_leader"
ASK: Final = 1.0
"""Seconds between two questions of who stands by."""

leader: Final = Table(
    "leader",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("holder", String(32), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("until", Instant, nullable=False),
)
"""One row, `cti`. `epoch` counts the leaders; `until` is by the database's clock."""

_LED: Final = text("SELECT 1 FROM leader WHERE name = 'cti' AND until > clock_timestamp()")
_CUT: Final = text(
    "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity AS a "
    "JOIN leader AS l ON a.application_name = l.holder "
    "WHERE l.name = 'cti' AND l.until <= clock_timestamp() "
    "AND a.datname = current_database() AND a.usename = current_user"
)
_TAKE: Final = text(
    "INSERT INTO leader (name, holder, epoch, until) "
    "VALUES ('cti', :holder, 1, clock_timestamp() + CAST(:lease AS interval)) "
    "ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, epoch = leader.epoch + 1, "
    "until = clock_timestamp() + CAST(:lease AS interval) "  # not as asked: the row may be locked
    "WHERE leader.until <= clock_timestamp() RETURNING epoch"
)
_SAY: Final = text(
    "UPDATE leader SET until = clock_timestamp() + CAST(:lease AS interval) "
    "WHERE name = 'cti' AND epoch = :epoch AND until > clock_timestamp()"
)
_LEAVE: Final = text(
    "UPDATE leader SET until = clock_timestamp() WHERE name = 'cti' AND epoch = :epoch"
)
_MINE: Final = text(
    "SELECT 1 FROM leader WHERE name = 'cti' AND epoch = :epoch AND until > clock_timestamp() "
    "FOR SHARE"
)


class Leader:
    """The lease of one daemon on one database. Without PostgreSQL it asks nothing."""

    def __init__(self, db: Database) -> None:
        self._db, self._shared = db, db.dialect == "postgresql"
        self._epoch = 0

    async def become(self, stop: asyncio.Event) -> bool:
        """Wait until no other daemon leads; from then on every transaction asks first.

        False: `stop` was set before.
        """
        told = False
        while self._shared and not self._epoch:
            if stop.is_set():
                return False
            try:
                await self._take()
            except (StoreUnavailable, CommitUnknown) as fault:  # held up, it may keep the row
                log.warning("leader_not_said", why=str(fault))
            if not self._epoch:
                if not told:
                    log.info("cti_stands_by", why="another cti works on this database")
                told = True
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), ASK)
        if self._shared:
            self._db.fence = self._fence
            log.info("cti_leads", epoch=self._epoch)
        return True

    async def _take(self) -> None:
        async with self._db.write() as conn:
            if await conn.scalar(_LED):
                return
            await conn.execute(_CUT)
            row = {"holder": self._db.name, "lease": LEASE}
            self._epoch = int(await conn.scalar(_TAKE, row) or 0)

    async def hold(self, lost: Callable[[], None]) -> None:
        """Say for ever that we live; call `lost`, once, when another one leads."""
        while self._shared:
            await asyncio.sleep(EVERY)
            try:
                await self._say()
            except (StoreUnavailable, CommitUnknown) as fault:
                if fault.code == NOT_LEADER:
                    log.error("cti_leads_no_more", epoch=self._epoch)
                    lost()
                    return
                log.warning("leader_not_said", why=str(fault))

    async def leave(self) -> None:
        """Let the next one lead at once."""
        if self._epoch:
            async with self._db.write() as conn:
                await conn.execute(_LEAVE, {"epoch": self._epoch})

    async def _say(self) -> None:
        async with self._db.write() as conn:
            await conn.execute(_SAY, {"epoch": self._epoch, "lease": LEASE})

    async def _fence(self, conn: AsyncConnection) -> None:
        """Refuse a transaction of who leads no more."""
        if await conn.scalar(_MINE, {"epoch": self._epoch}) is None:
            raise StoreUnavailable(
                "another cti leads: nothing was stored",
                "nothing: this one ends, and stands by when it is started again",
                code=NOT_LEADER,
            )
