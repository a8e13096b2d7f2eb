"""Where are the house's rules kept, as they were loaded? Each version once, each loading a row.

Nothing here is changed or deleted: a figure must be explained years later (MISS-11, V18).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Date,
    ForeignKey,
    Integer,
    Row,
    String,
    Table,
    Text,
    insert,
    select,
)

from cti.db import audit
from cti.db.engine import Database
from cti.db.schema import Connection, Instant, metadata
from cti.policy.rules import Load

KEPT: Final = 500
"""So many loadings are looked at: the latest."""

versions: Final = Table(
    "house_versions",
    metadata,
    Column("version", String(64), primary_key=True),
    Column("text", Text, nullable=False),
    Column("days", Text),
    Column("texts", JSON),
    Column("effective_from", Date),
    Column("begins_at", Instant),
)
"""`text` is the house file, `days` its own list of days, `texts` its forms and scripts by file;
`begins_at` is when its day begins."""
loads: Final = Table(
    "house_loads",
    metadata,
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("who", String(64), nullable=False),
    Column("version", ForeignKey("house_versions.version"), nullable=False),
    sqlite_autoincrement=True,
)
"""`who` is a person's id, or `cti` for what was read at the start of the program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One house file as it was loaded: its bytes, and since when it may count."""

    version: str
    text: bytes
    days: bytes | None
    effective_from: date | None
    begins_at: datetime | None
    texts: Mapping[str, bytes] = field(default_factory=dict)


class PolicyStore:
    """The versions of the house's rules."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def keep(
        self,
        version: Version,
        *,
        at: datetime,
        who: str,
        address: str = "",
        said: Sequence[str] = (),
    ) -> bool:
        """Keep that a version was loaded, with its audit row; `said` are its warnings.

        Gives False, and keeps nothing, if the same version was loaded last.
        """
        async with self._db.write() as connection:
            last = await _last(connection)
            if last == version.version:
                return False
            await audit.record(
                connection,
                at=at,
                who=who,
                what="house_loaded",
                about=f"house:{version.version}",
                before={"version": last} if last else None,
                after={
                    "version": version.version,
                    "effective_from": version.effective_from,
                    "warnings": list(said),
                },
                policy=version.version,
                address=address,
            )
            if await _version(connection, version.version) is None:
                await connection.execute(insert(versions).values(**_row(version)))
            await connection.execute(insert(loads).values(at=at, who=who, version=version.version))
        return True

    async def loads(self) -> list[Load]:
        """Give the latest loadings in their order."""
        wanted = (
            select(loads, versions.c.effective_from, versions.c.begins_at)
            .join(versions)
            .order_by(loads.c.n.desc())
            .limit(KEPT)
        )
        async with self._db.read() as connection:
            found = await connection.execute(wanted)
            return [Load(**row._mapping) for row in reversed(found.all())]

    async def version(self, version: str) -> Version | None:
        """Give a version with its content, None if it was never loaded."""
        async with self._db.read() as connection:
            return await _version(connection, version)


async def _last(connection: Connection) -> str | None:
    wanted = select(loads.c.version).order_by(loads.c.n.desc()).limit(1)
    found: str | None = (await connection.execute(wanted)).scalar()
    return found


async def _version(connection: Connection, version: str) -> Version | None:
    wanted = select(versions).where(versions.c.version == version)
    row: Row[Any] | None = (await connection.execute(wanted)).first()
    if row is None:
        return None
    return Version(
        version=row.version,
        text=row.text.encode(),
        days=None if row.days is None else row.days.encode(),
        effective_from=row.effective_from,
        begins_at=row.begins_at,
        texts={name: text.encode() for name, text in (row.texts or {}).items()},
    )


def _row(version: Version) -> dict[str, Any]:
    return {
        "version": version.version,
        "text": version.text.decode(),
        "days": None if version.days is None else version.days.decode(),
        "effective_from": version.effective_from,
        "begins_at": version.begins_at,
        "texts": {name: text.decode() for name, text in version.texts.items()},
    }
